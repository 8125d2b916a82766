"""What a run leaves: timelines, outages, and estimates with their intervals."""
