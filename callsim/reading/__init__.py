"""Reads what probes have left: incidents as they come, status, exports, and what a plan can see."""
