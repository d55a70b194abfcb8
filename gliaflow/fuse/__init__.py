"""From member probability maps to one label map."""
