"""Prediction of markers and survival from tables, with figures that cannot flatter."""
