"""Journeys through the whole platform, and the demo that they start from."""
