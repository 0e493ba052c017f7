"""Every SELECT of this service."""
