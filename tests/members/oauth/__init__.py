"""The authorization server for people."""
