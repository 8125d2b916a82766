"""What is measured of real calls."""
