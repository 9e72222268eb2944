"""Monkey-Net (Siarohin et al., CVPR 2019): key points that move by translation alone, and their covariances."""
