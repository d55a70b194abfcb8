"""Several raters: how many of them mark a voxel, learnt and predicted as a class (BrainLes 2021, S9)."""
