"""The scenario language: what may stand in a file, how it is read, everything that can be wrong with it."""
