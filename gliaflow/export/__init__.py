"""From results to the files that other programs open."""
