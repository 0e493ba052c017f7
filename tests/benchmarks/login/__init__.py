"""What it costs to know who asks, to let people in, and to turn them out."""
