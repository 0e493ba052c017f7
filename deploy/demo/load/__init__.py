"""Loads the demo through the public API, each city acting with its own client.

It may be interrupted and run again: every deed has a key by which the platform knows it, so nothing
happens twice. The platform remembers keys for 48 hours.
"""
