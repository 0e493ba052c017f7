"""From a commit through outbox, relay and stream into another service's tables."""
