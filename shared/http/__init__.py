"""How the platform speaks HTTP: what every route of every service has in common."""
