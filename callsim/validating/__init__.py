"""Sets what a scenario predicts beside what probes have measured."""
