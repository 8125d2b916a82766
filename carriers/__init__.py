"""The shared language of every other room: quantities, laws, calendars, carriers, faults, routing."""
