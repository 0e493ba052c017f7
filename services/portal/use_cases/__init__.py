"""What happens to sessions of browsers, one verb a file."""
