"""Tells people of what a prober finds."""
