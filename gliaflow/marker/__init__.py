"""Molecular markers from images: networks, judged, packed and applied as the tabular predictors are."""
