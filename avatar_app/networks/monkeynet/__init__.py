"""Monkey-Net (Siarohin et al., CVPR 2019): key points that only translate, and their covariances."""
