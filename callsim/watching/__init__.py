"""The long-running prober: runs a plan's tests on their cadence."""
