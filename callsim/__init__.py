"""The face of callsim: command line, scenario files, studies and reports."""
