"""Ledgers, made of simulated streams or of files."""
