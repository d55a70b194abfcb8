"""Habitats: parts of a tumour that look alike, by a feature-enhanced auto-encoder and clustering (S10)."""
