"""Every SELECT of the service, one file per noun."""
