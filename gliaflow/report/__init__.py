"""Pictures of every step."""
