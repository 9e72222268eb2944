"""Open a model on a graphics card if that is correct, safe and faster.

The result of trying a card is remembered while model, card, driver and libraries stay the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from avatar_app import __version__
from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import Engine
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.onnx_render import RENDER_FILE, WebGpuRender
from avatar_app.engines.webgpu_trial import Trial, try_card
from avatar_app.errors import EngineError, OutputError
from avatar_app.extras import install
from avatar_app.files import parse_json, read_small, write_json
from avatar_app.onnx_runtime import VERSION, WEBGPU_PACKAGE, Card, find_cards, has_webgpu_package
from avatar_app.paths import user_webgpu_trials
from avatar_app.processor import cpu_name
from avatar_app.text import Text, from_plain, to_plain

log = logging.getLogger(__name__)

WANTED = f"{WEBGPU_PACKAGE}==0.4.0"
"""The version that the app was tested with."""

REMEMBERED = 32
"""Results that are kept: of some models with some numbers of threads."""

CALLS = 3
"""Trials beside calls that a card loses by time before calls no longer try it.

The call may have slowed it down, so only a trial without one settles that the card is slow.
"""

TRYING = threading.Lock()

UNFINISHED = 2
"""Number of consecutive crashes while a card was in use after which it is no longer chosen automatically."""

DRIVERS = (
    Path("/usr/share/vulkan/icd.d"),
    Path("/etc/vulkan/icd.d"),
    Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "DriverStore" / "FileRepository",
)
"""Folders that change whenever a driver is installed."""


class WebGpuEngine(OnnxEngine):
    """A model on a graphics card; a file records that it is open.

    Args:
        better: as `Improvable.improved`; None: nothing else is wanted.
    """

    def __init__(
        self, bundle: Bundle, threads: int, card: Card, better: Callable[[], Engine | None] | None = None
    ) -> None:
        super().__init__(bundle, threads, WebGpuRender(bundle, threads, card))
        self._better = better
        _note_unfinished(1)

    def improved(self) -> Engine | None:
        return self._better() if self._better else None

    def close(self) -> None:
        super().close()
        _note_unfinished(0)


def open_webgpu(
    bundle: Bundle,
    threads: int,
    insist: bool,
    *,
    known: bool = False,
    busy: bool = False,
    better: Callable[[], Engine | None] | None = None,
) -> OnnxEngine:
    """Open a model on the first graphics card.

    Args:
        insist: use it even if the processor is as fast or the program crashed while using it.
        known: use it only if it was tried before.
        busy: as for `try_card`.
        better: as for `WebGpuEngine`.

    Raises:
        EngineError: why it is not used.
    """
    trial = trial_of(bundle, threads, known=known, busy=busy)
    if trial is None:
        raise EngineError(*missing())
    if trial.problem:
        raise EngineError(trial.problem, Text("Use --device cpu."))
    if not insist and not trial.pays:
        raise EngineError(Text("The processor is as fast as the graphics card {}, or nearly so.", trial.card))
    if not insist and _read().get("unfinished", 0) >= UNFINISHED:
        raise EngineError(
            Text("The app ended {} times while it used the graphics card {}.", UNFINISHED, trial.card),
            Text("Run `doctor` to try it again."),
        )
    card = next(card for card in find_cards() if card.name == trial.card)
    return WebGpuEngine(bundle, threads, card, better)


def missing() -> tuple[Text, Text]:
    """Return why there is no card to try, and what to do."""
    if not has_webgpu_package():
        return Text("The package {} is not installed.", WEBGPU_PACKAGE), install([WANTED])
    return Text("ONNX Runtime finds no graphics card."), Text("Install its driver, or use --device cpu.")


def trial_of(
    bundle: Bundle, threads: int, again: bool = False, *, known: bool = False, busy: bool = False
) -> Trial | None:
    """Return the result of trying the first card with a model; None without a card.

    Args:
        again: try now, whatever is remembered, and forget crashes.
        known: do not try.
        busy: as for `try_card`.

    Raises:
        EngineError: the provider cannot be loaded, the model has no files for cards, or the result is to be
            known and is not.
    """
    cards = find_cards()
    if not cards:
        return None
    if RENDER_FILE not in bundle.hashes:
        raise EngineError(
            Text("The model {} has no file for graphics cards.", bundle.name),
            Text("Import or fetch it again."),
        )
    card = cards[0].name
    key = _key(bundle, card, threads)
    calls = CALLS if known or busy else 0
    found = None if again else _remembered(key, calls)
    if found is None and known:
        raise EngineError(Text("It is not yet known whether the graphics card {} is faster.", card))
    if found is not None:
        return found
    with TRYING:  # a trial that was left behind goes on: its result is worth waiting for
        found = None if again else _remembered(key, calls)
        return found or _tried_now(bundle, card, threads, key, busy)


def _tried_now(bundle: Bundle, card: str, threads: int, key: str, busy: bool) -> Trial:
    trial = try_card(bundle, card, threads, busy)
    log.info("tried the graphics card %s with %s: %s", card, bundle.name, trial)
    trials = _trials()
    before = trials.pop(key, None)
    lost = _lost(before) + 1 if busy and not trial.problem and not trial.pays else 0
    trials[key] = asdict(trial) | {"problem": to_plain(trial.problem), "lost": lost}
    _write({"trials": dict([*trials.items()][-REMEMBERED:]), "unfinished": 0})
    return trial


def _remembered(key: str, calls: int) -> Trial | None:
    """Return a kept result, but none that is due to fewer lost trials beside calls.

    Args:
        calls: as many as settle it; 0: none do.
    """
    with suppress(KeyError, TypeError):
        trial = _trials()[key]
        if not _lost(trial) or 0 < calls <= _lost(trial):
            return Trial(trial["card"], from_plain(trial["problem"]), trial["seconds"], trial["processor"])
    return None


def _lost(kept: object) -> int:
    """Return how many trials beside calls in a row have led to a kept result."""
    lost = kept.get("lost", 0) if isinstance(kept, dict) else 0
    return lost if isinstance(lost, int) else 0


def _trials() -> dict[str, Any]:
    """All remembered results by key, the oldest first."""
    trials = _read().get("trials")
    return trials if isinstance(trials, dict) else {}


def _key(bundle: Bundle, card: str, threads: int) -> str:
    """Return everything that a trial's result depends on."""
    drivers = [folder.stat().st_mtime_ns for folder in DRIVERS if folder.is_dir()]
    system = (platform.release(), platform.version(), drivers, cpu_name())
    packages = (__version__, VERSION, metadata.version(WEBGPU_PACKAGE))
    facts = json.dumps([dict(bundle.hashes), card, threads, packages, system], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def _note_unfinished(count: int) -> None:
    """Add to the number of unfinished uses, or set it to 0."""
    kept = _read()
    before = kept.get("unfinished", 0)
    _write(kept | {"unfinished": (before if isinstance(before, int) else 0) + 1 if count else 0})


def _read() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept = parse_json(read_small(user_webgpu_trials()))
        if isinstance(kept, dict):
            return kept
    return {}


def _write(facts: dict[str, Any]) -> None:
    path = user_webgpu_trials()
    with suppress(OSError, OutputError):  # it is tried again the next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, facts)
