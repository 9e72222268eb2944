"""Measure several settings in turns, so that load and heat affect all alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.open import open_engine
from avatar_app.evaluation.benchmark.arithmetic import Copies, Peak, set_threads, synchronise
from avatar_app.evaluation.benchmark.chain import Chain
from avatar_app.evaluation.benchmark.original import Reference
from avatar_app.files import read_yaml
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.outputs.sinks import Sink
from avatar_app.paths import PACKAGE
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Image

WARM_UP = 10
"""Frames of each setting at the start that do not count; ``REFERENCE_WARM_UP`` for the slow reference."""
REFERENCE_WARM_UP = 2
TURN = 20
"""Frames of a setting in one turn. The first of each turn does not count: caches and threads are
another's.
"""

REFERENCE_CONFIG = PACKAGE / "training" / "configs" / "vox-adv.yaml"


@dataclass
class Setting:
    """A number of processor threads, and the measurements with it."""

    threads: int
    chain: Chain
    peak: Peak
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    reference: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        jpegs: the camera's pictures, endlessly repeated.
        frames: number that count, of each setting.
        reference_frames: the same for the original; 0 leaves it out.
    """

    jpegs: list[bytes]
    photo: Image
    frames: int
    reference_frames: int


def measure(
    bundle: Bundle, device: str, threads: list[int], plan: Plan, sink: Sink, tick: Callable[[int], object]
) -> list[Setting]:
    """Measure every number of threads, and the original beside each.

    Args:
        device: ``cpu``, ``torch``, ``onnx`` or ``cuda:N``; not ``auto``.
        tick: called with the number of frames just done.
    """
    where = torch_device(device)
    settings: list[Setting] = []
    try:
        for count in threads:
            use_threads(count)
            engine = open_engine(bundle, device, count)
            side = engine.size * engine.size * 3
            copies = Copies(where, side if engine.reads_pictures else 0, side)
            chain = Chain(
                engine, plan.photo, bundle.kind == "anchored", sink, partial(synchronise, where), copies.both
            )
            settings.append(Setting(count, chain, Peak(where)))
        reference = (
            open_reference(bundle, where, settings[0].chain.crop.image) if plan.reference_frames else None
        )
        _take_turns(settings, plan, reference, tick)
    finally:
        for setting in settings:
            setting.chain.engine.close()
    return settings


def _take_turns(
    settings: list[Setting], plan: Plan, reference: Reference | None, tick: Callable[[int], object]
) -> None:
    turns = -(-plan.frames // TURN)
    places = {setting.threads: 0 for setting in settings}

    def frames(setting: Setting, count: int, stopwatch: Stopwatch) -> None:
        for _ in range(count):
            setting.chain.step(plan.jpegs[places[setting.threads] % len(plan.jpegs)], stopwatch)
            places[setting.threads] += 1

    for turn in range(turns):
        # Forth and back, so that no setting always follows the same other.
        for setting in settings if turn % 2 == 0 else reversed(settings):
            use_threads(setting.threads)
            setting.peak.measure()
            frames(setting, WARM_UP if turn == 0 else 1, Stopwatch())
            share = _share(plan.frames, turns, turn)
            frames(setting, share, setting.stopwatch)
            tick(share)
            if reference is not None:
                _reference_frames(
                    reference,
                    setting,
                    _share(plan.reference_frames, turns, turn),
                    REFERENCE_WARM_UP if turn == 0 else 0,
                )


def _reference_frames(reference: Reference, setting: Setting, count: int, warm_up: int) -> None:
    picture = np.ascontiguousarray(reference.photo[:, ::-1])  # any driver costs the same
    for index in range(warm_up + count):
        with (setting.reference if index >= warm_up else Stopwatch()).time("step"):
            reference.step(picture)


def _share(total: int, turns: int, turn: int) -> int:
    """Return how many of ``total`` belong to a turn."""
    return total * (turn + 1) // turns - total * turn // turns


REFERENCE_SIDE = 256
"""Side of the pictures that the full-size architecture was made for, whatever the compared model's."""


def open_reference(bundle: Bundle, device: str, photo: Image) -> Reference:
    """Open the original networks.

    With the bundle's own weights if it is of that family, else of full size with random weights.
    """
    if bundle.kind != "fomm" and photo.shape[0] != REFERENCE_SIDE:
        photo = cv2.resize(photo, (REFERENCE_SIDE, REFERENCE_SIDE), interpolation=cv2.INTER_AREA).astype(
            np.uint8
        )
    if bundle.kind == "fomm":
        return Reference(
            FommConfig.from_dict(bundle.config), photo, device, bundle.file("weights.safetensors")
        )
    return Reference(reference_config(REFERENCE_CONFIG), photo, device)


def reference_config(path: Path) -> FommConfig:
    return FommConfig.from_original(read_yaml(path))


def torch_device(device: str) -> str:
    """Return PyTorch's name for an engine's device."""
    return device if device.startswith("cuda") else "cpu"


def use_threads(count: int) -> None:
    """Set the threads of all libraries; engines on processors have their own number."""
    set_threads(count)
    cv2.setNumThreads(count)
