"""The guide: four steps from the first start to a call."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from avatar_app.errors import OutputError
from avatar_app.gui.device_lists import Found
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.guide import join_page
from avatar_app.gui.guide.guide import Guide
from avatar_app.gui.main_window import MainWindow
from avatar_app.gui.style.theme import apply_theme
from avatar_app.session.controls import Status
from avatar_app.text import Text
from avatar_app.types import Box
from tests.gui.stand_in import LIVE, StandIn
from tests.gui.test_main_window import a_file, a_photo
from tests.gui.windows import Opened, drop_on, open_window


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    return open_window(qtbot, tmp_path, live=StandIn(status=Status(camera="Webcam", reason="no-avatar")))


def guide_of(window: MainWindow) -> Guide:
    window.dialogs.open_guide()
    guide = window.findChild(Guide)
    assert isinstance(guide, Guide)
    return guide


def test_four_clicks_lead_to_a_live_avatar(opened: Opened, qtbot: QtBot) -> None:
    """With one camera and one virtual camera there is nothing to choose."""
    opened.live.change(output="virtual-camera")
    guide = guide_of(opened.window)
    clicks = [guide.forward, guide.forward, guide.calibrate.panel.calibrate, guide.forward]
    guide.calibrate.panel.countdown.setInterval(1)
    clicks[0].click()
    assert opened.live.controls.avatar is not None, "the first avatar is taken"
    opened.live.report(shows="card", reason="uncalibrated")
    clicks[1].click()
    guide.poll()
    clicks[2].click()
    qtbot.waitUntil(lambda: opened.live.controls.calibrations == 1)
    opened.live.status_now = LIVE
    guide.poll()
    assert guide.calibrate.output.image is not None, "the avatar moves beside the user"
    clicks[3].click()
    guide.poll()
    assert "Avatar Camera" in guide.join.state.text()
    assert guide.forward.text() == "&Done"
    guide.forward.click()
    assert opened.preferences.now.first_run_done


def test_the_guide_draws_its_icons_only_when_they_change(opened: Opened, qapp: QApplication) -> None:
    guide = guide_of(opened.window)
    guide.show_step(2)
    guide.poll()
    calibrate = guide.calibrate.panel.calibrate
    drawn = calibrate.icon().cacheKey()
    guide.poll()
    assert calibrate.icon().cacheKey() == drawn
    apply_theme(qapp, "light")
    assert calibrate.icon().cacheKey() != drawn
    apply_theme(qapp, "dark")
    guide.show_step(guide.LAST)
    guide.poll()
    mark = guide.join.mark.pixmap().cacheKey()
    guide.poll()
    assert guide.join.mark.pixmap().cacheKey() == mark
    guide.reject()


def test_the_last_step_can_be_opened_alone(opened: Opened) -> None:
    opened.window.actions_.do("join")
    guide = opened.window.findChild(Guide)
    assert isinstance(guide, Guide)
    assert guide.pages.currentWidget() is guide.join
    guide.reject()


def test_without_a_virtual_camera_the_last_step_offers_one(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("avatar_app.outputs.virtual_cameras.setup_script", lambda: "modprobe it")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/pkexec")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(join_page, "run_as_root", asked.append)
    nothing = Found(
        virtual_problem=Text("There is no virtual camera on this computer.\nRun `it`."),
        pipewire_problem=Text("no"),
    )
    opened = open_window(qtbot, tmp_path, found=nothing)
    guide = guide_of(opened.window)
    guide.show_step(guide.LAST)
    guide.poll()
    assert "no virtual camera" in guide.join.state.text()
    assert guide.join.copy.isVisible()
    guide.join.copy.click()
    assert QGuiApplication.clipboard().text() == "modprobe it"
    guide.join.set_up.click()
    qtbot.waitUntil(lambda: opened.live.controls.output == "virtual-camera")
    assert asked == ["modprobe it"]
    guide.reject()


@pytest.mark.parametrize(("code", "says"), [(126, "not allowed"), (1, "no such module")])
def test_a_setup_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    program = tmp_path / "pkexec"
    program.write_text(f"#!/bin/sh\necho 'no such module' >&2\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(OutputError, match=says):
        join_page.run_as_root("modprobe it")


def test_the_guide_takes_photos_anywhere_and_says_what_is_none(
    opened: Opened, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFit, "face", lambda *_: (0, Box(48, 48, 60)))
    guide = guide_of(opened.window)
    mime = QMimeData()
    mime.setText("hello")
    assert drop_on(guide.camera.view, mime)
    assert guide.pages.currentIndex() == 1
    assert "isn't a picture" in guide.avatar.problem.text()
    with qtbot.waitSignal(guide.chosen):
        assert drop_on(guide.forward, a_file(a_photo(tmp_path / "friend.png", 7)))
    assert guide.avatar.problem.isHidden()
    QGuiApplication.clipboard().setImage(QImage(str(a_photo(tmp_path / "copied.png", 8))))
    with qtbot.waitSignal(guide.chosen):
        QTest.keySequence(guide, QKeySequence(QKeySequence.StandardKey.Paste))
    guide.reject()


def test_the_guide_can_be_skipped(opened: Opened) -> None:
    guide_of(opened.window).skip.click()
    assert opened.preferences.now.first_run_done
    assert opened.live.controls.calibrations == 0
