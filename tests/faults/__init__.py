"""What happens to a whole platform when its parts are killed, cut off, or fed rubbish."""
