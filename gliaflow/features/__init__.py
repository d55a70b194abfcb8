"""Features: what a session's segmentation and images come to in one row of numbers."""
