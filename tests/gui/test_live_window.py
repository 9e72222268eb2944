"""The real window around a real session with camera, engine and output that fail on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from avatar_app.gui.language.texts import hint
from avatar_app.gui.main_window import MainWindow
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from tests.gui.windows import show_window
from tests.session.live import Bench, write_photo

PATIENCE = 20_000
"""Milliseconds that a test waits for something quick, on however busy a machine."""


class Call:
    """A window, its session, and the parts that can fail."""

    def __init__(self, qtbot: QtBot, bench: Bench, window: MainWindow, session: Session) -> None:
        self.qtbot, self.bench, self.window, self.session = qtbot, bench, window, session

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE)

    def shows(self, what: str, reason: str = "") -> None:
        self.until(lambda: (self.window.status.shows, self.window.status.reason) == (what, reason))

    def press(self, key: Qt.Key) -> None:
        self.qtbot.keyClick(self.window, key)  # type: ignore[no-untyped-call]

    def banner(self, about: str) -> bool:
        return about in self.window.notices.banners

    def button(self, about: str) -> QPushButton:
        """The first button of a banner."""
        return self.window.notices.banners[about].findChildren(QPushButton)[0]


@pytest.fixture
def call(qtbot: QtBot, tmp_path: Path) -> Iterator[Call]:
    bench = Bench()
    controls = Controls(
        avatar=write_photo(tmp_path), output="virtual-camera", fps=60, size=(640, 480), model="drawing"
    )
    with bench.session(controls) as session:
        window, _, _ = show_window(qtbot, tmp_path, session)
        call = Call(qtbot, bench, window, session)
        call.until(lambda: window.status.face)
        call.press(Qt.Key.Key_X)
        call.shows("avatar")
        yield call
        window.close()
    assert bench.leaks == 0, "a frame of the camera was sent"


def test_an_unplugged_camera(call: Call) -> None:
    call.bench.plugged = False
    call.shows("card", "no-camera")
    call.until(lambda: call.banner("camera"))
    call.bench.plugged = True
    call.button("camera").click()
    call.shows("avatar")
    call.until(lambda: not call.banner("camera"))


def test_nobody_is_told_to_hold_still_before_an_unplugged_camera(call: Call) -> None:
    call.bench.plugged = False
    call.shows("card", "no-camera")
    call.press(Qt.Key.Key_X)
    call.until(lambda: call.session.controls.calibrations == 2)
    call.until(lambda: call.window.view.area.calibration.hint.text() == hint("no-camera"))
    call.bench.plugged = True
    call.button("camera").click()
    call.shows("avatar")


def test_a_killed_engine(call: Call) -> None:
    call.bench.engine_fault = True
    call.until(lambda: call.window.status.shows == "card")
    call.until(lambda: call.banner("engine"))
    call.bench.engine_fault = False
    call.button("engine").click()
    call.shows("avatar")
    call.until(lambda: not call.banner("engine"))


def test_a_pulled_output(call: Call) -> None:
    call.bench.output_there = False
    call.until(lambda: call.banner("output"))
    before = call.session.shown()
    call.until(lambda: call.session.shown() is not before)  # the preview continues
    call.bench.output_there = True
    call.button("output").click()
    call.until(lambda: call.window.status.output == "kept")
    call.until(lambda: not call.banner("output"))


def test_keys_while_the_call_runs(call: Call) -> None:
    call.press(Qt.Key.Key_P)
    call.shows("card", "paused")
    call.press(Qt.Key.Key_P)
    call.shows("avatar")
    call.press(Qt.Key.Key_X)
    call.until(lambda: call.window.status.calibrating is None and call.window.status.calibrated)
    call.shows("avatar")
