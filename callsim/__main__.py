"""Runs the command line as `python -m callsim`."""

from callsim.cli import main

if __name__ == "__main__":
    main(prog_name="callsim")
