"""The whole platform on one machine, without containers and without root.

A small supervisor starts real PostgreSQL, real NATS with JetStream, the edge and every service as
processes of its own, restarts what dies, and leaves nothing behind when it ends, however it ends.
It is meant for trying Renkei, for developing it and for testing its behaviour under faults; a city
that runs it for others uses replicas on several machines.
"""
