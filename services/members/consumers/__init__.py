"""What the worker does besides sending facts and looking at the clock."""
