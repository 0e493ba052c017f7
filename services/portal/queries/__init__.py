"""Every SELECT of the portal."""
