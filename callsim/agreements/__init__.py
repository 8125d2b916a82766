"""What agreements make of simulated years or of real records, and what can be promised."""
