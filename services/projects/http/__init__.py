"""Requests to calls, results to representations."""
