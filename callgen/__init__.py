"""Real time: places real SIP calls, and is the only room that knows pjsua2."""
