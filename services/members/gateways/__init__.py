"""What is neither PostgreSQL nor NATS: identity providers of members, and the DNS."""
