"""Members, officials and clients with their rules. No I/O, no clock."""
