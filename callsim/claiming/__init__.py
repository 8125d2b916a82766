"""The evidence for a credit: what probes saw of a month, what terms make of it, what can be objected."""
