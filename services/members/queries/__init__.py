"""Every SELECT, one file per noun."""
