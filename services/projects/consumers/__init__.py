"""What this service hears of others and keeps."""
