"""What differs between two folders of results, and why."""
