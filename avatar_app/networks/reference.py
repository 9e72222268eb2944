"""The yardstick of benchmarks: the full-size original networks, run as their authors run them."""

from __future__ import annotations

import time

import torch

from avatar_app.networks.config import FommConfig
from avatar_app.networks.fomm import Fomm


def time_reference(config: FommConfig, size: int, repeats: int, threads: int) -> list[float]:
    """Milliseconds of each of ``repeats`` frames, after one that does not count.

    Random weights, eager float32 on the CPU. A frame is the detector on the driving picture and the whole generator, which encodes
    the photo anew each time.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = Fomm(config).eval()
    photo, driving = torch.rand(2, 1, 3, size, size)
    taken = []
    with torch.no_grad():
        source = model.kp_detector(photo)
        for _ in range(repeats + 1):
            start = time.perf_counter()
            model.generator(photo, source, model.kp_detector(driving))
            taken.append((time.perf_counter() - start) * 1000)
    return taken[1:]
