"""nnU-Net v2: model files, networks, inference."""
