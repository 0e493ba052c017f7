"""Who is concerned by a fact, inbox items, webhook endpoints and deliveries, with their rules."""
