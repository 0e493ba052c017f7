"""The platform itself, by its public address."""
