"""Another computer in the device list: pasting its pairing line, and its state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QInputDialog
from pytestqt.qtbot import QtBot

from avatar_app.gui.panels.choosers import ELSEWHERE
from avatar_app.gui.panels.model_chooser import ModelChooser
from avatar_app.remote.traffic import Traffic
from avatar_app.session.controls import Controls
from tests.gui.stand_in import LIVE, StandIn
from tests.gui.windows import Opened, open_window

SECRET = "s3cr3t" * 8
LINE = f"avatar://192.0.2.7:7447#token={SECRET}&pin=abc"
ADDRESS = "192.0.2.7:7447"


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    return open_window(qtbot, tmp_path)


def choose(opened: Opened, value: object) -> ModelChooser:
    """As a user does."""
    chooser = opened.window.view.panel.model
    chooser.device.setCurrentIndex(chooser.device.row_of(value))
    chooser.device.activated.emit(chooser.device.currentIndex())
    return chooser


def texts(chooser: ModelChooser) -> str:
    device = chooser.device
    entries = [device.itemText(row) + str(device.itemData(row, 3)) for row in range(device.count())]
    return "\n".join([*entries, chooser.other.text(), chooser.note.text()])


def pasting(monkeypatch: pytest.MonkeyPatch, *lines: str | None) -> list[str]:
    """The user pastes these lines one after the other (None: cancels); returns the prompts."""
    left, asked = list(lines), []

    def ask(parent: object, title: str, label: str, text: str = "") -> tuple[str, bool]:
        asked.append(label)
        line = left.pop(0)
        return line or "", line is not None

    monkeypatch.setattr(QInputDialog, "getText", ask)
    return asked


def test_a_pasted_line_is_used_and_its_secret_never_shown(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pasting(monkeypatch, f"  {LINE}\n")
    chooser = choose(opened, ELSEWHERE)
    assert opened.live.controls.device == LINE
    assert len(asked) == 1
    assert chooser.device.currentData() == LINE
    assert ADDRESS in chooser.device.currentText()
    assert SECRET not in texts(chooser)


def test_a_wrong_line_is_asked_for_again_with_the_reason(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pasting(monkeypatch, "http://192.0.2.7", LINE)
    choose(opened, ELSEWHERE)
    assert "This is not a pairing line." not in asked[0]
    assert "This is not a pairing line." in asked[1]
    assert opened.live.controls.device == LINE


def test_who_changes_their_mind_keeps_the_device(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    pasting(monkeypatch, None)
    chooser = choose(opened, ELSEWHERE)
    assert opened.live.controls.device == "auto"
    assert chooser.device.currentData() == "auto"


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        (Traffic(ADDRESS, True, 23.4, 30, 1.96e6, "h264"), ("connected", "23 ms", "2.0 Mbit/s")),
        (Traffic(ADDRESS, True), ("connected",)),
        (Traffic(ADDRESS, False), ("not connected", "this computer")),
    ],
)
def test_how_the_other_computer_does_is_said(
    qtbot: QtBot, tmp_path: Path, traffic: Traffic, words: tuple[str, ...]
) -> None:
    live = StandIn(Controls(device=LINE), replace(LIVE, other=traffic))
    opened = open_window(qtbot, tmp_path, live=live)
    opened.window.presenter.refresh()
    other = opened.window.view.panel.model.other
    assert not other.isHidden()
    assert all(word in other.text() for word in (ADDRESS, *words))
    live.status_now = LIVE
    opened.window.presenter.refresh()
    assert other.isHidden()
