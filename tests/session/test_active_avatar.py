"""Slow loading beside the running picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avatar_app.engines import Engine
from avatar_app.errors import DeviceError
from avatar_app.session.active_avatar import ActiveAvatar
from avatar_app.session.controls import Controls
from avatar_app.session.stage import Notices
from avatar_app.text import Text
from avatar_app.types import Avatar, Crop, Face, Image
from tests.session.live import Bench, FaultyEngine, wait_for, write_photo
from tests.session.stand_ins import DiscDetector


class HeldDetector(DiscDetector):
    """Finds nothing until it is released, and counts the waiting threads."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.entered = threading.Event(), threading.Event()
        self.inside = self.most = self.finds = 0

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.set()
        self.free.wait(20)
        self.inside -= 1
        self.finds += 1
        return super().find(image)


def test_closing_leaves_a_photo_that_loads_to_itself(tmp_path: Path) -> None:
    """The next photo, which follows a fault, does not wait for the detector."""
    detector = HeldDetector()
    cast = ActiveAvatar(Bench().open_engine, lambda: detector, Notices())
    controls = Controls(avatar=write_photo(tmp_path), model="drawing")
    cast.adapt(controls)
    assert detector.entered.wait(20)
    cast.close()
    assert detector.finds == 0, "closing has waited"
    cast.adapt(controls)
    wait_for(lambda: cast.loading)
    detector.free.set()

    def shown() -> bool:
        cast.adapt(controls)
        return cast.avatar is not None

    wait_for(shown)
    assert (detector.finds, detector.most) == (2, 1)
    cast.close()


class Trying(FaultyEngine):
    """Renders while something better is tried, until the test decides the result."""

    tries = 0

    def __init__(self, bench: Bench, outcome: list[Engine | Exception | None]) -> None:
        super().__init__(bench)
        self.outcome, self.free = outcome, threading.Event()

    def improved(self) -> Engine | None:
        self.tries += 1
        self.free.wait(20)
        found = self.outcome.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


class NoCard(FaultyEngine):
    """Fails with the first photo."""

    def encode(self, crop: Crop) -> Avatar:
        raise DeviceError(Text("The graphics card has failed."), Text("Use --device cpu."))


class Rehearsal:
    """An active avatar with a provisional engine."""

    def __init__(self, folder: Path, *outcome: Engine | Exception | None) -> None:
        self.bench, self.notices = Bench(), Notices()
        self.opened: list[FaultyEngine] = []
        self.outcome = list(outcome)
        self.cast = ActiveAvatar(self._open, DiscDetector, self.notices)
        self.controls = Controls(avatar=write_photo(folder), model="drawing")
        self.until(lambda: self.cast.avatar is not None)

    def _open(self, model: str, device: str) -> Engine:
        made = Trying(self.bench, self.outcome) if device == "auto" else FaultyEngine(self.bench)
        self.opened.append(made)
        return made

    def until(self, condition: Callable[[], object]) -> None:
        def there() -> object:
            self.cast.adapt(self.controls)
            return condition()

        wait_for(there)

    def first(self) -> Trying:
        assert isinstance(self.opened[0], Trying)
        return self.opened[0]


def test_a_better_device_takes_over_when_it_was_tried(tmp_path: Path) -> None:
    better = FaultyEngine(bench := Bench())
    stage = Rehearsal(tmp_path, better)
    before = stage.cast.avatar
    stage.until(lambda: stage.first().tries)
    assert stage.cast.engine is stage.first(), "the processor renders meanwhile"
    assert not stage.cast.loading
    stage.first().free.set()
    stage.until(lambda: stage.cast.engine is better)
    assert stage.cast.avatar is not None and stage.cast.avatar is not before
    assert (stage.bench.engines, bench.engines) == (0, 1), "the processor's engine is closed"
    stage.cast.close()
    assert bench.engines == 0


@pytest.mark.parametrize("outcome", [None, RuntimeError("a bug")])
def test_without_a_better_device_nothing_changes(
    tmp_path: Path, outcome: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Rehearsal(tmp_path, outcome, None)
    stage.first().free.set()
    stage.until(lambda: not stage.outcome[1:])
    stage.until(lambda: not any(thread.name == "device trial" for thread in threading.enumerate()))
    stage.until(lambda: True)
    assert stage.cast.engine is stage.first() and stage.first().tries == 1
    assert stage.notices.all() == ()
    assert bool(outcome) == ("no better device could be tried" in caplog.text)
    stage.cast.retry_soon()
    stage.until(lambda: stage.first().tries == 2)
    stage.cast.close()


def test_what_was_tried_for_another_model_is_given_back(tmp_path: Path) -> None:
    better, bench = FaultyEngine(Bench()), Bench()
    better._bench = bench
    bench.engines = 1
    stage = Rehearsal(tmp_path, better, None)
    stage.until(lambda: stage.first().tries)
    stage.controls = replace(stage.controls, model="other")
    stage.until(lambda: len(stage.opened) == 2 and stage.cast.engine is stage.opened[1])
    stage.first().free.set()
    stage.until(lambda: bench.engines == 0)
    second = stage.opened[1]
    assert isinstance(second, Trying)
    stage.until(lambda: second.tries)  # it has its own turn
    second.free.set()
    assert stage.cast.engine is second
    stage.cast.close()


def test_one_that_fails_with_the_photo_leaves_the_processor(tmp_path: Path) -> None:
    """The engine in use goes on; the user is told, and may try again."""
    stage = Rehearsal(tmp_path, NoCard(lost := Bench()), None)
    stage.first().free.set()
    stage.until(lambda: stage.notices.about("engine"))
    notice = stage.notices.about("engine")
    assert notice is not None and "as before" in notice.hint and "retry" in notice.actions
    assert stage.cast.engine is stage.first() and len(stage.opened) == 1 and lost.engines == 0
    stage.cast.retry_soon()
    stage.until(lambda: stage.first().tries == 2)
    assert stage.notices.about("engine") is None
    stage.cast.close()
    assert stage.bench.engines == 0


class Encoding(FaultyEngine):
    """Encodes for as long as the test wants, and notes the threads."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.free, self.entered = threading.Event(), threading.Event()
        self.threads: list[str] = []

    def encode(self, crop: Crop) -> Avatar:
        self.threads.append(threading.current_thread().name)
        self.entered.set()
        assert self.free.wait(20)
        return super().encode(crop)


def test_a_photo_chosen_during_the_trial_is_encoded_before_the_takeover(tmp_path: Path) -> None:
    better = Encoding(Bench())
    stage = Rehearsal(tmp_path, better)
    stage.first().free.set()
    stage.until(better.entered.is_set)
    stage.controls = replace(stage.controls, avatar=(chosen := write_photo(tmp_path, "2.png", 36)))
    stage.until(lambda: stage.cast.portrait and stage.cast.portrait.path == chosen)
    assert stage.cast.engine is stage.first()
    better.free.set()
    stage.until(lambda: stage.cast.engine is better)
    assert better.threads == ["device trial"] * 2
    assert stage.cast.portrait and stage.cast.crop and stage.cast.avatar
    expected = stage.cast.portrait.crop(better.size)
    assert (stage.cast.crop.image == expected.image).all()
    assert (stage.cast.avatar.key_points.value == better.detect(expected).value).all()
    stage.cast.close()
