"""Monkey-Net (Siarohin et al., CVPR 2019).

Key points that only translate, and their covariances.
"""
