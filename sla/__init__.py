"""Terms of service level agreements, applied to what a ledger says has happened."""
