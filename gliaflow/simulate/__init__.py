"""Generated heads with tumours whose truth is known."""
