"""Where a tumour will grow: tissue, models of growth, their fit to a patient, and how good they are."""
