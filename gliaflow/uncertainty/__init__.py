"""How sure a segmentation is: maps, numbers and flags from members, and calibration against truth."""
