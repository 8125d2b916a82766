"""Carriers on loopback that take calls as well as they are told to."""
