"""Config, sample sheets and their schemas."""
