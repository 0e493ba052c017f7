"""The entities of this service with their rules; no I/O, no clock."""
