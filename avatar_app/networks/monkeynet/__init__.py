"""Monkey-Net (Siarohin et al., CVPR 2019): key points with covariances."""
