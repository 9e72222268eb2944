"""When another computer that failed is tried again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from avatar_app.engines import Engine
from avatar_app.errors import DeviceError
from avatar_app.session import fallback
from avatar_app.session.active_avatar import ActiveAvatar
from avatar_app.session.controls import Controls
from avatar_app.session.fallback import AGAIN, STEADY, Fallback
from avatar_app.session.stage import Notices
from avatar_app.text import Text
from tests.session.live import Bench, FaultyEngine, wait_for, write_photo
from tests.session.stand_ins import DiscDetector

FAR = "avatar://127.0.0.1:9#token=" + "t" * 43
SILENT = DeviceError(Text("The other computer does not answer."))


@dataclass
class Clock:
    now: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fallback, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def pause(held: Fallback, clock: Clock) -> float:
    """Let the other computer fail; return the seconds until it is opened again."""
    assert held.fail(SILENT, FAR)
    began = clock.now
    while held.device(FAR) == "cpu":
        clock.now += 0.5
    held.opened(FAR)
    return clock.now - began


def test_another_computer_that_keeps_failing_is_tried_less_and_less(clock: Clock) -> None:
    held = Fallback(Notices())
    pauses = []
    for _ in range(6):
        pauses.append(pause(held, clock))
        clock.now += 5
    assert pauses == [3, 6, 12, 24, 30, 30]


def test_one_that_lasted_is_tried_again_soon(clock: Clock) -> None:
    held = Fallback(Notices())
    for _ in range(4):
        pause(held, clock)
    clock.now += STEADY + 1
    assert pause(held, clock) == AGAIN[0]


def test_one_that_is_not_reached_is_tried_again_without_longer_pauses(clock: Clock) -> None:
    held = Fallback(Notices())
    held.fail(SILENT, FAR)
    for _ in range(5):
        clock.now += AGAIN[0]
        assert held.device(FAR) == FAR
        held.wait()
        assert held.device(FAR) == "cpu"


def test_a_processor_that_loads_slowly_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise its engine would be dropped for the next try, and the call would have none."""
    monkeypatch.setattr(fallback, "AGAIN", (0.5, 0.5))
    free, opened = threading.Event(), []

    def open_engine(model: str, device: str) -> Engine:
        opened.append(device)
        if device != "cpu":
            raise SILENT
        free.wait(20)
        return FaultyEngine(Bench())

    cast = ActiveAvatar(open_engine, DiscDetector, Notices())
    controls = Controls(avatar=write_photo(tmp_path), model="drawing", device=FAR)

    def adapted() -> bool:
        cast.adapt(controls)
        return cast.engine is not None

    wait_for(lambda: adapted() or "cpu" in opened)
    until = time.monotonic() + 1
    while time.monotonic() < until:  # the pause ends meanwhile
        cast.adapt(controls)
    free.set()
    wait_for(adapted)
    assert opened[:2] == [FAR, "cpu"]
    assert opened.count("cpu") == 1
    cast.close()
