"""What a prober measures, as metrics for Prometheus."""
