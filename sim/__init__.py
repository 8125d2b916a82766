"""Simulated time: plays the tables of a scenario forward, and is the only room that knows SimPy."""
