"""Drills: faults of the simulated years played on the lab's carriers, beside what is predicted of them."""
