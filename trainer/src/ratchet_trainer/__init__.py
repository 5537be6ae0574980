"""The trainer of ratchet: one job file in, JSON-lines events out, documented exit codes."""
