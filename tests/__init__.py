"""Tests: rules without a database, everything else against real PostgreSQL and NATS."""
