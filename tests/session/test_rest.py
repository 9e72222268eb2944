"""A session rests while nobody watches, and a new viewer never sees the camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avatar_app.outputs.sinks import NoSink
from avatar_app.outputs.v4l2loopback import Audience
from avatar_app.session import rest
from avatar_app.session.controls import Controls
from avatar_app.session.rest import PATIENCE, WAKING, Rest
from avatar_app.v4l2 import CLIENT_USAGE, EVENT, SUBSCRIPTION
from tests.session.live import Bench, shows, wait_for, write_photo

AWAY = Controls(may_rest=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_rests_after_a_while_and_wakes_at_once(clock: Clock) -> None:
    tired = Rest(clock)
    assert not tired.follow(AWAY, False)
    clock.now += PATIENCE - 0.1
    assert not tired.follow(AWAY, False)
    clock.now += 0.2
    assert tired.follow(AWAY, False)
    waking = [tired.is_waking]
    assert not tired.follow(AWAY, True)
    waking.append(tired.is_waking)
    clock.now += WAKING
    waking.append(tired.is_waking)
    assert waking == [False, True, False]


@pytest.mark.parametrize(
    ("controls", "watched"),
    [
        (AWAY, True),
        (AWAY, None),
        (Controls(), False),
        (replace(AWAY, recording=Path("film.mp4")), False),
    ],
)
def test_it_does_not_rest_while_somebody_may_look(
    clock: Clock, controls: Controls, watched: bool | None
) -> None:
    busy = Rest(clock)
    for _ in range(5):
        assert not busy.follow(controls, watched)
        clock.now += PATIENCE
    assert not busy.is_waking


def test_a_command_wakes_it_for_a_while(clock: Clock) -> None:
    tired = Rest(clock)
    tired.follow(AWAY, False)
    clock.now += PATIENCE
    assert tired.follow(AWAY, False)
    asked = replace(AWAY, calibrations=1)
    assert not tired.follow(asked, False)
    clock.now += PATIENCE - 0.1
    assert not tired.follow(asked, False)
    clock.now += 0.2
    assert tired.follow(asked, False)


def test_hiding_the_user_is_no_command(clock: Clock) -> None:
    begun = []
    tired = Rest(clock)
    tired.begun = lambda: begun.append(1)
    shown = replace(AWAY, pass_through=True)
    tired.follow(shown, False)
    clock.now += PATIENCE
    assert tired.follow(shown, False)
    assert tired.follow(AWAY, False)
    assert begun == [1]


@pytest.fixture
def tired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session rests as soon as it may."""
    monkeypatch.setattr(rest, "PATIENCE", 0.0)


@pytest.fixture
def controls(tmp_path: Path) -> Controls:
    return Controls(
        avatar=write_photo(tmp_path), output="virtual-camera", fps=60, size=(640, 480), model="drawing"
    )


@pytest.mark.usefixtures("tired")
def test_camera_and_engine_rest_and_the_avatar_is_there_for_who_comes(controls: Controls) -> None:
    bench = Bench()
    bench.watched = True
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        session.change(may_rest=True)
        bench.watched = False
        wait_for(lambda: session.status().resting)
        wait_for(lambda: bench.opened == 0, "the camera to close")
        assert session.status().shows == "avatar"
        last, sent = bench.newest, bench.sent
        wait_for(lambda: bench.sent > sent + 1, "pictures for who comes")
        assert last is not None
        assert bench.newest is not None
        assert np.array_equal(bench.newest, last)
        bench.watched = True
        wait_for(lambda: not session.status().resting)
        wait_for(lambda: bench.opened == 1, "the camera to open")
        frames = bench.frames
        wait_for(lambda: bench.frames > frames and session.status().shows == "avatar")
    assert bench.leaks == 0


@pytest.mark.usefixtures("tired")
def test_who_comes_never_sees_the_camera_that_was_shown_before(controls: Controls) -> None:
    bench = Bench()
    bench.watched = True
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.change(pass_through=True)
        wait_for(shows(session, "self"))
        bench.watched = False
        session.change(may_rest=True)
        wait_for(lambda: session.status().resting)
        wait_for(lambda: not session.controls.pass_through)
        bench.sent = bench.leaks = 0
        wait_for(lambda: bench.sent > 1)
        bench.watched = True
        wait_for(lambda: not session.status().resting and bench.opened == 1)
        wait_for(lambda: bench.sent > 5)
        assert session.status().shows != "self"
    assert bench.leaks == 0


def test_nobody_watches_where_there_is_no_output() -> None:
    assert NoSink().watched() is False


def test_a_device_that_does_not_say_who_watches_is_not_asked_again(tmp_path: Path) -> None:
    for path in (tmp_path / "plain", tmp_path / "missing"):
        if path.name == "plain":
            path.write_bytes(b"")
        audience = Audience(path)
        assert audience.is_there() is None
        audience.close()
        audience.close()


def device_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, events: list[bytes], subscribed: Callable[[bytes], None]
) -> Path:
    """Return a device whose driver accepts a subscription and then has these events."""
    import fcntl

    def driver(handle: int, request: int, data: bytes) -> bytes:
        if request == 0x4020565A:
            subscribed(data)
            return data
        if not events:
            raise FileNotFoundError
        return events.pop(0)

    monkeypatch.setattr(fcntl, "ioctl", driver)
    device = tmp_path / "video"
    device.write_bytes(b"")
    return device


def test_what_the_driver_tells_is_read_as_the_kernel_lays_it_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """struct v4l2_event has 136 bytes: type, padding, 64 of payload, and more."""
    assert (EVENT.size, SUBSCRIPTION.size) == (136, 32)
    told = [EVENT.pack(CLIENT_USAGE, 1), EVENT.pack(7, 9), EVENT.pack(CLIENT_USAGE, 0)]

    def subscribed(data: bytes) -> None:
        assert data[:12] == SUBSCRIPTION.pack(CLIENT_USAGE, 0, 1)[:12]

    audience = Audience(device_of(monkeypatch, tmp_path, told, subscribed))
    first = told[:1]
    told[:], rest_of_it = first, told[1:]
    assert audience.is_there() is True
    assert audience.is_there() is True
    told.extend(rest_of_it)
    assert audience.is_there() is False
    audience.close()


def test_a_driver_that_loses_an_event_is_asked_from_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watching, waiting = [0], list[bytes]()

    def subscribed(data: bytes) -> None:
        waiting[:] = [EVENT.pack(CLIENT_USAGE, watching[0])]

    audience = Audience(device_of(monkeypatch, tmp_path, waiting, subscribed))
    assert audience.is_there() is False
    watching[0] = 1  # and no event reports it
    assert audience.is_there() is False
    monkeypatch.setattr("avatar_app.outputs.v4l2loopback.ASK_AGAIN", -1.0)
    assert audience.is_there() is True
    audience.close()
