"""From events, and from the queue of webhooks, to use cases."""
