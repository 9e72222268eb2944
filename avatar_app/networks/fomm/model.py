"""The two networks of a First Order Motion Model, named as in the original."""

from __future__ import annotations

from torch import nn

from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.generator import Generator
from avatar_app.networks.fomm.keypoints import KeyPointDetector


class Fomm(nn.Module):
    """Generator and detector of the First Order Motion Model.

    The state dict holds an original checkpoint's ``generator`` and ``kp_detector``, with these prefixes.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        self.generator = Generator(config)
        self.kp_detector = KeyPointDetector(config)
