"""The window downloads PyTorch for an NVIDIA card, shows the progress, and removes it again."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from avatar_app.cuda import folder
from avatar_app.cuda.fetch import Progress
from avatar_app.errors import EngineError
from avatar_app.gui.dialogs import cuda
from avatar_app.gui.dialogs.cuda import CudaDialog
from avatar_app.paths import user_pytorch
from avatar_app.text import Text
from tests.cuda.test_fetch import VERSION
from tests.gui.windows import FOUND, open_window


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.paths.user_data", lambda: tmp_path / "user")
    monkeypatch.setattr(sys, "path", [*sys.path])


class Fetching:
    """Replaces the download: waits until it is released or stopped."""

    def __init__(self, error: EngineError | None = None) -> None:
        self.error = error
        self.go_on = threading.Event()

    def __call__(self, backend: str, show: Any, stop: threading.Event) -> str:
        progress = Progress({"torch": 3e9, "parts": 1e9}, {"parts"}, 1_200_000_000)
        show(progress)
        while not self.go_on.wait(0.01):
            if stop.is_set():
                return ""
        if self.error:
            raise self.error
        (user_pytorch() / folder.PACKAGES).mkdir(parents=True)
        folder.describe(user_pytorch(), VERSION)
        return VERSION


def opened(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, work: Fetching, device: str = "auto") -> CudaDialog:
    monkeypatch.setattr(cuda, "fetch", work)
    dialog = CudaDialog(device=device)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_fetched_used_and_removed(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    work = Fetching()
    dialog = opened(qtbot, monkeypatch, work)
    assert str(user_pytorch()) in dialog.says.text()
    assert not dialog.undo.isVisible()
    dialog.begin.click()
    qtbot.waitUntil(lambda: dialog.bar.value() == 250)
    assert dialog.how_far.text() == "4.0 GB to download; 1.2 GB are unpacked so far."
    assert not dialog.begin.isEnabled()
    with qtbot.waitSignal(dialog.changed):
        work.go_on.set()
    soon = "The app will switch to the card in a moment."
    assert dialog.says.text() == f"Done: PyTorch {VERSION} works on your card. {soon}"
    assert not dialog.use.isVisible()
    assert str(user_pytorch() / folder.PACKAGES) in sys.path
    assert dialog.undo.isVisible() and not dialog.begin.isVisible()
    with qtbot.waitSignal(dialog.changed):
        dialog.undo.click()
    assert not user_pytorch().exists()
    assert dialog.begin.isVisible() and not dialog.undo.isVisible()


def test_where_another_pytorch_is_in_use_the_app_has_to_start_again(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys.modules["json"])
    work = Fetching()
    work.go_on.set()
    dialog = opened(qtbot, monkeypatch, work)
    dialog.begin.click()
    qtbot.waitUntil(lambda: "Start the app again" in dialog.says.text())


@pytest.mark.parametrize(
    ("device", "other"), [("cpu", True), ("webgpu", True), ("avatar://x", True), ("cuda:1", False)]
)
def test_another_chosen_device_is_said_and_one_button_uses_the_card(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, device: str, other: bool
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    work = Fetching()
    work.go_on.set()
    dialog = opened(qtbot, monkeypatch, work, device)
    dialog.begin.click()
    qtbot.waitUntil(lambda: "Done" in dialog.says.text())
    assert ("set to use another device" in dialog.says.text()) == other
    assert ("in a moment" in dialog.says.text()) != other
    assert dialog.use.isVisible() == other
    again = opened(qtbot, monkeypatch, work, device)
    assert ("set to use another device" in again.says.text()) == other
    assert again.use.isVisible() == other
    if other:
        with qtbot.waitSignals([again.chosen, again.changed]):
            again.use.click()
        assert again.says.text() == "The app will switch to the card in a moment."
        assert not again.use.isVisible()


def test_the_button_sets_the_device_of_the_window_to_auto(qtbot: QtBot, tmp_path: Path) -> None:
    (user_pytorch() / folder.PACKAGES).mkdir(parents=True)
    folder.describe(user_pytorch(), VERSION)
    window = open_window(qtbot, tmp_path, found=replace(FOUND, fetchable=True)).window
    window.live.change(device="cpu")
    window.view.panel.model.cuda.click()
    dialog = window.findChild(CudaDialog)
    assert isinstance(dialog, CudaDialog) and dialog.use.isVisible()
    dialog.use.click()
    assert window.live.controls.device == "auto"
    qtbot.waitUntil(lambda: window.view.panel.model.device.currentData() == "auto")
    dialog.reject()


def test_stopped(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog = opened(qtbot, monkeypatch, Fetching())
    dialog.begin.click()
    qtbot.waitUntil(lambda: dialog.bar.value() == 250)
    assert dialog.leave.text() == "Stop"
    dialog.leave.click()
    qtbot.waitUntil(lambda: dialog.says.text() == "Stopped. Nothing was kept.")
    assert dialog.isVisible() and dialog.begin.isEnabled()
    dialog.leave.click()
    assert not dialog.isVisible()


def test_what_fails_is_said_and_can_be_tried_again(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Fetching(EngineError(Text("No NVIDIA driver was found."), Text("Install it.")))
    work.go_on.set()
    dialog = opened(qtbot, monkeypatch, work)
    dialog.begin.click()
    qtbot.waitUntil(lambda: dialog.says.text() == "No NVIDIA driver was found. Install it.")
    assert dialog.begin.isEnabled()


def test_the_button_is_there_where_it_helps(qtbot: QtBot, tmp_path: Path) -> None:
    button = open_window(qtbot, tmp_path).window.view.panel.model.cuda
    assert button.isHidden()
    window = open_window(qtbot, tmp_path, found=replace(FOUND, fetchable=True)).window
    assert not window.view.panel.model.cuda.isHidden()
    window.view.panel.model.cuda.click()
    dialog = window.findChild(CudaDialog)
    assert isinstance(dialog, CudaDialog)
    dialog.reject()
