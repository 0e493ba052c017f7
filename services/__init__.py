"""The deployable services. None imports another; they share facts by events alone."""
