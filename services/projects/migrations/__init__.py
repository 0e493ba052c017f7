"""The tables of this service, release by release."""
