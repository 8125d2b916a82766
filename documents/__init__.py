"""Values of the YAML files: names, durations, shares, laws, hours, each checked as it is read."""
