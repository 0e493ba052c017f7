"""What operators do with a running platform; `deploy/cli.py` gives each of these a command."""
