"""What a cohort's results say of how they came about."""
