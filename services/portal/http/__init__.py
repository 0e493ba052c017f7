"""Pages and forms of browsers."""
