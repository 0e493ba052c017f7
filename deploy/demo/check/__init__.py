"""Walks through the demo the way its users would, and says what works and what does not.

It speaks to the public API with the cities' own clients, reads the facts from NATS as any client of
it can, and asks the receiver of webhooks what arrived. Nothing waits a fixed time: whatever has to
spread first is asked for again until a deadline.
"""
