"""The session may rest while the window is not visible."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from avatar_app.gui.headline import headline
from avatar_app.gui.settings import Settings
from avatar_app.session.controls import Controls
from tests.gui.stand_in import LIVE
from tests.gui.windows import Opened, open_window


def may_rest(opened: Opened) -> bool:
    """The window's state at its next poll."""
    opened.window.refresh()
    return opened.live.controls.may_rest


@pytest.mark.parametrize("away", ["hide", "showMinimized"])
def test_it_may_rest_while_the_window_is_out_of_sight(qtbot: QtBot, tmp_path: Path, away: str) -> None:
    opened = open_window(qtbot, tmp_path)
    window, presenter = opened.window, opened.window.presenter
    assert not may_rest(opened)
    often = presenter._pictures.interval()
    getattr(window, away)()
    assert may_rest(opened)
    assert presenter._pictures.interval() > 10 * often
    window.showNormal()
    assert not may_rest(opened)
    assert presenter._pictures.interval() == often


def test_it_can_be_switched_off(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, Settings(ask_before_quit=False, rest=False))
    opened.window.hide()
    assert not may_rest(opened)
    opened.preferences.change(rest=True)
    assert may_rest(opened)


def test_a_hidden_window_draws_nothing_anew_during_a_rest(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    window, live = opened.window, opened.live
    window.hide()
    live.status_now = dataclasses.replace(LIVE, resting=True)
    window.refresh()
    assert "camera off" in window.windowTitle()
    live.status_now = dataclasses.replace(live.status_now, output="another")
    window.refresh()
    assert window.status.output == LIVE.output
    live.status_now = dataclasses.replace(live.status_now, resting=False)
    window.refresh()
    assert window.status.output == "another"


def test_the_tray_says_that_the_camera_is_off() -> None:
    resting = dataclasses.replace(LIVE, resting=True)
    said = headline(resting, Controls(output="virtual-camera"))
    assert "camera off" in said.text
    assert said.kind == "info"
    assert headline(resting, Controls(paused=True)).text == "Paused"
