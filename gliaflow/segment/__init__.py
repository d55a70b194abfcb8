"""Segmenters: images in atlas space to member probability maps."""
