"""Training: a labelled cohort to a model package."""
