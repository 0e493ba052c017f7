"""What is neither PostgreSQL nor NATS: the systems of members that receive webhooks."""
