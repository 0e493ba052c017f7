"""Signed deliveries to the systems of members."""
