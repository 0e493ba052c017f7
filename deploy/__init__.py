"""How Renkei is started: embedded on one machine, in containers, and its operator command.

Nothing in `services` or `shared` may import from here.
"""
