"""Bias field, registration, brain extraction, resampling, normalisation."""
