"""Requests to a service, beside what server and database allow."""
