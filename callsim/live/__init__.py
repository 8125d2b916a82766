"""The commands that place real calls, or take them."""
