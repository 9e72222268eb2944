"""The reference of benchmarks: the original networks, run as by their authors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.model import Fomm
from avatar_app.types import Image


class Reference:
    """A model of the original family in eager float32 PyTorch.

    Nothing is folded or cached but the photo's key points.

    Args:
        photo: the avatar's photo, (S, S, 3).
        device: PyTorch's name.
        weights: a safetensors file of a bundle, or None for random ones.
    """

    def __init__(
        self, config: FommConfig, photo: Image, device: str = "cpu", weights: Path | None = None
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = Fomm(config).eval()
        if weights is not None:
            self.model.load_state_dict(load_file(weights))
        self._device = torch.device(device)
        self.model.to(self._device)
        self.photo = photo
        self._photo = self._upload(photo)
        with torch.no_grad():
            self._points = self.model.kp_detector(self._photo)

    def step(self, driver: Image) -> Image:
        """Compute one frame: the detector on the driver's picture and the whole generator.

        The picture is (S, S, 3); the generator encodes the photo again for every frame. Bytes in, bytes out,
        so the device has finished on return.
        """
        # These are PyTorch's own defaults, without the engines' switches.
        with (
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=True),
        ):
            prediction = self.model.generator(
                self._photo, self._points, self.model.kp_detector(self._upload(driver))
            ).prediction
            picture: Image = (prediction[0].cpu().clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 0).numpy()
            return picture

    def _upload(self, picture: Image) -> Tensor:
        return (torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255).to(self._device)
