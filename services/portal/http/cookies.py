"""What a browser is known by in the portal."""

from typing import Final

SESSION: Final = "__Host-session"
"""The session of a person."""

LANGUAGE: Final = "__Host-language"
"""The language that somebody chose."""

LOGGED_IN_AGAIN: Final = "__Host-logged-in-again"
"""Somebody has just logged in again because the platform asked for it."""

LOGGED_IN_AGAIN_SECONDS: Final = 60
LANGUAGE_SECONDS: Final = 365 * 24 * 3600
ATTEMPT_LIMIT: Final = 2_000
ATTEMPTS_LIMIT: Final = 5
"""Logins that one browser has begun at a time; with more its requests would grow too long."""
