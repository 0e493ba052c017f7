"""The authorization server, on Authlib."""
