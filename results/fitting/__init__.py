"""Laws of failure and repair from what was observed of them."""
