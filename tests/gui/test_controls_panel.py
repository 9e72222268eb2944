"""The settings panel.

Available choices, unavailable ones with the reason, and that the panel follows the controls.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from avatar_app.gui import device_lists
from avatar_app.gui.device_lists import DeviceLists, Found, Outlet, nothing_found
from avatar_app.gui.guide.guide import Guide
from avatar_app.gui.start import first_output
from avatar_app.gui.style.widgets import ChoiceBox
from avatar_app.session.controls import Controls, Status
from avatar_app.text import Text
from tests.gui.stand_in import StandIn
from tests.gui.windows import FOUND, Opened, open_window


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    return open_window(qtbot, tmp_path)


def pick(choice: ChoiceBox, value: object) -> None:
    """As a user does."""
    choice.setCurrentIndex(choice.row_of(value))
    choice.activated.emit(choice.currentIndex())


def test_outputs_that_cannot_be_used_say_why(opened: Opened) -> None:
    output = opened.window.view.panel.output
    assert output.choice.is_enabled("virtual-camera")
    assert not output.choice.is_enabled("pipewire")
    row = output.choice.row_of("pipewire")
    assert output.choice.itemData(row, Qt.ItemDataRole.ToolTipRole) == FOUND.pipewire_problem
    assert FOUND.pipewire_problem in output.note.text()
    assert not output.note.isHidden()


def test_a_missing_virtual_camera_leads_to_the_setup(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, found=Found(virtual_problem=Text("There is no virtual camera.")))
    opened.window.view.panel.output.fix.click()
    guide = opened.window.findChild(Guide)
    assert isinstance(guide, Guide)
    assert guide.pages.currentWidget() is guide.join
    assert guide.join.output.fix.isHidden()
    guide.reject()
    works = open_window(qtbot, tmp_path)
    assert works.window.view.panel.output.fix.isHidden()


def test_nothing_is_said_where_all_outputs_work(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, found=Found(virtual_cameras=FOUND.virtual_cameras))
    assert opened.window.view.panel.output.note.isHidden()


def test_choices_change_the_controls(opened: Opened) -> None:
    panel = opened.window.view.panel
    pick(panel.source.choice, "Integrated Camera")
    pick(panel.output.choice, "virtual-camera")
    pick(panel.output.device, "/dev/video9")
    pick(panel.choices["size"], (640, 480))
    pick(panel.choices["fps"], 25)
    pick(panel.choices["rotation"], 90)
    pick(panel.model.choice, "vox")
    pick(panel.model.device, "cpu")
    pick(panel.choices["smoothing"], "strong")
    pick(panel.background.choice, "#00b140")
    panel.switches["label"].click()
    panel.switches["relative"].click()
    panel.sliders["head"].slider.setValue(120)
    expected = Controls(
        source="Integrated Camera",
        output="virtual-camera",
        output_device="/dev/video9",
        size=(640, 480),
        fps=25,
        rotation=90,
        model="vox",
        device="cpu",
        smoothing="strong",
        background="#00b140",
        label=True,
        relative=False,
        head=1.2,
    )
    assert opened.live.controls == expected


def test_the_panel_follows_controls_that_others_change(opened: Opened) -> None:
    panel = opened.window.view.panel
    opened.live.change(
        source="http://10.0.0.2/video",
        zoom=1.5,
        mirror_input=True,
        output="virtual-camera",
        background="#123456",
        fps=24,
        model="gone",
    )
    opened.window.refresh()
    assert panel.source.choice.currentData() == "http://10.0.0.2/video"
    assert panel.sliders["zoom"].value() == 1.5
    assert panel.switches["mirror_input"].isChecked()
    assert not panel.output.device.isHidden()
    assert panel.background.choice.currentData() == "#123456"
    assert panel.choices["fps"].currentData() == 24
    assert panel.model.choice.currentData() == "gone"


def test_a_camera_that_is_not_there_now_stays_chosen(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, live=StandIn(Controls(source="Unplugged Cam")))
    assert opened.window.view.panel.source.choice.currentData() == "Unplugged Cam"
    opened.devices.changed.emit()
    assert opened.live.controls.source == "Unplugged Cam"


def test_devices_are_listed_in_another_thread(qtbot: QtBot) -> None:
    threads: list[str] = []
    go = threading.Event()

    def slow() -> Found:
        threads.append(threading.current_thread().name)
        go.wait(5)
        return FOUND

    devices = DeviceLists(slow)
    devices.refresh()
    devices.refresh()  # while one runs
    found = [devices.found]
    with qtbot.waitSignal(devices.changed):
        go.set()
    assert [*found, devices.found] == [None, FOUND]
    assert not devices.busy
    assert threads == ["device lists"]


def test_a_list_that_fails_is_an_empty_one(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Found:
        raise RuntimeError("driver")

    devices = DeviceLists(broken)
    with qtbot.waitSignal(devices.changed):
        devices.refresh()
    assert devices.found == nothing_found()
    assert "could not be listed" in caplog.text


@pytest.mark.parametrize(
    "broken", ["_cameras", "_virtual_cameras", "_pipewire_problem", "_models", "_graphics_card"]
)
def test_each_list_fails_alone_and_says_so(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {
        "_cameras": (("Webcam",), ""),
        "_virtual_cameras": ((Outlet("v", "v"),), ""),
        "_pipewire_problem": "",
        "_models": (Outlet("lite", "lite"),),
        "_graphics_card": ("cuda", None),
    }

    def fail() -> object:
        raise AttributeError("module 'os' has no attribute 'uname'")

    for name, result in whole.items():
        monkeypatch.setattr(device_lists, name, fail if name == broken else lambda result=result: result)
    found = device_lists.look()
    problems = {
        "_cameras": found.camera_problem,
        "_virtual_cameras": found.virtual_problem,
        "_pipewire_problem": found.pipewire_problem,
        "_models": found.models[0].problem,
        "_graphics_card": found.card_problem or "",
    }
    assert {name for name, problem in problems.items() if problem} == {broken}
    assert "uname" in caplog.text


def test_what_could_not_be_looked_for_is_never_the_first_choice() -> None:
    assert first_output(nothing_found()) == "none"


def test_without_a_camera_the_panel_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    nothing = Found(models=(Outlet("lite", "lite", Text("damaged")),))
    opened = open_window(qtbot, tmp_path, live=StandIn(status=Status()), found=nothing)
    panel = opened.window.view.panel
    assert "No camera was found" in panel.source.note.text()
    assert not panel.source.note.isHidden()
    assert not panel.model.choice.is_enabled("lite")


def test_nothing_is_missing_under_a_camera_that_works(qtbot: QtBot, tmp_path: Path) -> None:
    """No list contains a network camera."""
    live = StandIn(Controls(source="http://10.0.0.2/video"))
    opened = open_window(qtbot, tmp_path, live=live, found=Found())
    assert opened.window.view.panel.source.note.isHidden()


@pytest.mark.parametrize("source", ["http://10.0.0.2/video", "clip.mp4"])
def test_nothing_is_said_of_cameras_where_another_source_is_chosen(
    source: str, qtbot: QtBot, tmp_path: Path
) -> None:
    opened = open_window(qtbot, tmp_path, live=StandIn(status=Status()), found=Found())
    assert not opened.window.view.panel.source.note.isHidden()
    opened.live.change(source=source)
    opened.window.refresh()
    assert opened.window.view.panel.source.note.isHidden()


def test_the_password_of_a_camera_is_not_on_the_screen(opened: Opened) -> None:
    opened.live.change(source="rtsp://me:s3cret@10.0.0.2/live")
    opened.window.refresh()
    choice = opened.window.view.panel.source.choice
    assert choice.currentText() == "rtsp://10.0.0.2/live"
    assert choice.currentData() == "rtsp://me:s3cret@10.0.0.2/live"
