"""Evaluation against reference segmentations."""
