"""Try a graphics card before a call relies on it: is it correct, and is it faster?

Drivers of graphics cards can be wrong, slow, hang, or crash the program that uses them. A card is therefore
tried in a child process.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.bundles.bundle import Bundle, read_bundle
from avatar_app.ending import end_with_parent
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.onnx_render import WebGpuRender
from avatar_app.errors import AvatarError, EngineError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.onnx_runtime import Card, find_cards
from avatar_app.paths import shipped_avatars
from avatar_app.text import NOTHING, Text
from avatar_app.types import Avatar, Crop, KeyPoints

log = logging.getLogger(__name__)

LEVELS, PIXELS = 2.0, 0.1
"""Largest differences between card and processor: in bytes, and in pixels of the sampling grid."""

FASTER = 1.2
"""Speed relative to the processor from which a card is chosen automatically."""

POSES = 3
"""Number of pictures that are compared."""

ROUNDS, ENOUGH = 9, 3.0
"""Limits of the timing: number of pictures, and seconds."""

NICE = 10
"""How far a call goes before a trial beside it."""

PATIENCE = 180.0
"""Seconds that a trial may take: the first time, a driver compiles a hundred programs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of trying a card.

    Attributes:
        card: its name.
        problem: why it must not be used, a sentence; empty if its pictures are right.
        seconds, processor: time for one picture's parts on the card and on the processor.
    """

    card: str
    problem: Text = NOTHING
    seconds: float = 0.0
    processor: float = 0.0

    @property
    def times(self) -> float:
        """Speed relative to the processor."""
        return self.processor / self.seconds if self.seconds > 0 else 0.0

    @property
    def pays(self) -> bool:
        """Whether it is correct and worth using."""
        return not self.problem and self.times >= FASTER


def try_card(
    bundle: Bundle, card: str, threads: int, busy: bool = False, patience: float = PATIENCE
) -> Trial:
    """Try a card in a child process, which a driver may crash or block.

    Args:
        card: its name.
        threads: threads of the processor's computation.
        busy: the processor makes pictures meanwhile. Then its time is what it would be alone, if its threads
            shared the work evenly: never more than the truth, so that no card wins by the load.
        patience: seconds after which it counts as hanging.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    # A new process, not a fork, which would inherit the state of drivers and libraries.
    child = multiprocessing.get_context("spawn").Process(
        target=_child, args=(bundle.folder, card, threads, busy, theirs), daemon=True
    )
    child.start()
    theirs.close()
    try:
        if ours.poll(patience):
            said: Trial = ours.recv()
            return said
        problem = Text("The graphics card {} did not answer for {:.0f} seconds.", card, patience)
    except (EOFError, OSError):
        problem = Text("The driver of the graphics card {} ended the program that tried it.", card)
    finally:
        child.kill()
        child.join(2)  # one that is stuck in the kernel remains
        ours.close()
    return Trial(card, problem)


def _child(folder: Path, card: str, threads: int, busy: bool, parent: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # drivers' messages do not help the user
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the app, whose end also ends this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        bundle = read_bundle(folder)
        found = next((one for one in find_cards() if one.name == card), None)
        trial = (
            tried(bundle, found, threads, busy)
            if found
            else Trial(card, Text("The graphics card {} is gone.", card))
        )
    except AvatarError as error:
        log.exception("the graphics card fails")
        trial = Trial(card, Text("The graphics card {} fails: {}", card, error.message))
    except Exception as error:
        trial = Trial(card, Text("The graphics card {} fails: {}", card, type(error).__name__))
    parent.send(trial)


def tried(bundle: Bundle, card: Card, threads: int, busy: bool = False) -> Trial:
    """Try a card in this process.

    Raises EngineError if it fails.
    """
    crop = trial_crop(bundle.size)
    on_card = OnnxEngine(bundle, threads, WebGpuRender(bundle, threads, card))
    avatar = on_card.encode(crop)
    worst = compared(on_card, avatar, OnnxEngine(bundle, threads, WebGpuRender(bundle, threads, None)), crop)
    if worst > 1:
        return Trial(card.name, Text("The graphics card {} makes wrong pictures.", card.name))
    seconds = seconds_of(on_card, avatar)
    if busy and hasattr(os, "nice"):
        os.nice(NICE)  # what follows is measured by the processor's time
    processor = OnnxEngine(bundle, threads)
    alone = threads if busy else None
    return Trial(card.name, NOTHING, seconds, seconds_of(processor, processor.encode(crop), alone))


def compared(engine: OnnxEngine, avatar: Avatar, other: OnnxEngine, crop: Crop) -> float:
    """Return how far two engines' results differ; up to 1 they agree."""
    like = other.encode(crop)
    return max(
        difference(engine.outputs(avatar, pose), other.outputs(like, pose))
        for pose in poses(avatar.key_points)
    )


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """Return the largest difference, in units of `LEVELS` for bytes and `PIXELS`."""
    worst = 0.0
    for name, wanted in expected.items():
        made = found[name]
        if made.shape != wanted.shape or made.dtype != wanted.dtype:
            return math.inf
        apart = np.abs(made.astype(np.float32) - wanted.astype(np.float32)).max(initial=0)
        worst = max(worst, float(apart) / (LEVELS if wanted.dtype == np.uint8 else PIXELS))
        if not np.isfinite(made).all():
            return math.inf
    return worst


def poses(points: KeyPoints) -> Iterator[KeyPoints]:
    """Yield the photo's own pose and some near it."""
    for index in range(POSES):
        moved = (points.value * (1 - 0.04 * index) + 0.03 * index).astype(np.float32)
        code = None if points.code is None else (points.code + 0.05 * index).astype(np.float32)
        yield replace(points, value=moved, code=code)


def seconds_of(engine: OnnxEngine, avatar: Avatar, threads: int | None = None) -> float:
    """Return the median time over some poses for one picture's parts.

    Args:
        threads: that the engine computes with, if others compute too: see `try_card`.
    """
    durations: list[float] = []
    wanted = list(poses(avatar.key_points))
    engine.outputs(avatar, wanted[0])
    worked = time.process_time()  # of all rounds: Windows counts in steps of 16 ms
    while len(durations) < ROUNDS and sum(durations) < ENOUGH:
        began = time.perf_counter()
        engine.outputs(avatar, wanted[len(durations) % POSES])
        durations.append(time.perf_counter() - began)
    median = statistics.median(durations)
    if threads is None:
        return median
    return min(median, (time.process_time() - worked) / len(durations) / threads)


def trial_crop(size: int) -> Crop:
    """Return a face shipped with the app; raise AvatarError if it is missing."""
    for path in sorted(shipped_avatars().glob("*.jpg")):
        return find_portrait(read_portrait(path), FaceDetector.open()).crop(size)
    raise EngineError(Text("The photos that come with the app are missing."), Text("Install the app again."))
