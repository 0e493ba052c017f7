"""The system of another municipality: it takes webhooks, trusts only signed ones, shows them."""
