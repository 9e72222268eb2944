"""Train one method for its minutes and export it, unless that was done before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from avatar_app.bundles.bundle import Bundle, open_bundle
from avatar_app.evaluation.comparison.recipes import Terms, recipe
from avatar_app.training.config import RunConfig, TrainingStage
from avatar_app.training.data import FrameStore
from avatar_app.training.export import export
from avatar_app.training.objective import Objective
from avatar_app.training.train import Run, open_objective, train

FACTS = "training.json"
NEVER = 10**9
"""Minutes or steps that are never reached, for files that are not needed here."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle, with the steps and the seconds of computing that its training took."""

    bundle: Bundle
    steps: int
    seconds: float


class TimedRun(Run):
    """A run whose learning rate and end depend on computing time, not on steps.

    Args:
        seconds: limit of computing time.
        clock: returns the computing time of the process in seconds.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        store: FrameStore,
        device: torch.device,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(config, objective, store, device)
        self._seconds, self._clock, self._began = seconds, clock, clock()

    @property
    def used(self) -> float:
        """Seconds of computing so far."""
        return self._clock() - self._began

    @property
    def total(self) -> None:
        """Unknown: the run stops by the clock."""

    @property
    def finished(self) -> bool:
        return self.used >= self._seconds

    def at(self) -> tuple[TrainingStage, float]:
        return self.config.stages[0], min(1.0, self.used / self._seconds)


def computing_clock(device: torch.device) -> Callable[[], float]:
    """Return the clock that counts: on processors the threads' mean CPU time.

    Other programs on the same cores then favour no method.
    """
    if device.type != "cpu":
        return time.monotonic
    threads = torch.get_num_threads()
    return lambda: time.process_time() / threads


def train_method(
    method: str, terms: Terms, store: FrameStore, folder: Path, features: Path | None, device: torch.device
) -> Trained:
    """Train one method; all its files are in ``folder``.

    Raises:
        ConfigError: a loss became infinite, or a feature network is missing.
        BundleError: the bundle cannot be written.
    """
    asked = {"method": method, "device": device.type, "frames": len(store.frames), **asdict(terms)}
    known = _known(folder, asked)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    config = recipe(method, terms)
    torch.manual_seed(config.seed)
    objective = open_objective(config, features, device)
    run = TimedRun(config, objective, store, device, 60 * terms.minutes, computing_clock(device))
    train(run, folder, None, NEVER, NEVER, 0)
    seconds = round(run.used, 1)
    _write_configuration(folder / "config.yaml", config)
    bundle = export(
        folder / "checkpoint.pt", folder / "config.yaml", folder / "bundle", None, "trained here", True
    )
    facts = {"asked": asked, "steps": run.position, "seconds": seconds}
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return Trained(bundle, run.position, seconds)


def _known(folder: Path, asked: dict[str, Any]) -> Trained | None:
    path = folder / FACTS
    if not path.exists():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    if facts["asked"] != asked:
        return None
    return Trained(open_bundle(folder / "bundle"), facts["steps"], facts["seconds"])


def _write_configuration(path: Path, config: RunConfig) -> None:
    plain = json.loads(json.dumps(asdict(config)))  # tuples become lists
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
