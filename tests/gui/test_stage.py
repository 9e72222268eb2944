"""The stage: which picture is large, and the mouse actions on both."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.panels.calibration import Countdown
from avatar_app.gui.panels.stage import Stage
from avatar_app.motion.match import Match
from tests.gui.windows import Opened, open_window

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    opened = open_window(qtbot, tmp_path)
    opened.window.poll_pictures()
    opened.window.refresh()
    return opened


def stage_of(opened: Opened) -> Stage:
    return opened.window.view.stage


def drag(widget: QWidget, by: QPoint) -> None:
    """In steps, as by hand."""
    start = widget.rect().center()
    QTest.mousePress(widget, LEFT, pos=start)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(widget, start + by * share)
    QTest.mouseRelease(widget, LEFT, pos=start + by)


def turn_wheel(widget: QWidget, steps: int) -> None:
    place = QPointF(widget.rect().center())
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        place,
        widget.mapToGlobal(place),
        QPoint(),
        QPoint(0, 120 * steps),
        none,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_what_others_see_is_large_and_the_camera_small(opened: Opened) -> None:
    stage = stage_of(opened)
    assert stage.large is stage.output
    assert stage.inset.caption == "You"
    assert stage.picture_place().width() > 3 * stage.inset.width()


def test_a_click_on_the_inset_swaps_the_pictures(opened: Opened) -> None:
    stage = stage_of(opened)
    QTest.mouseClick(stage.camera, LEFT)
    assert (stage.large, stage.inset.caption) == (stage.camera, "Others see")
    QTest.mouseClick(stage.output, LEFT)
    assert stage.inset is stage.camera


def test_the_inset_is_dragged_into_another_corner(opened: Opened) -> None:
    stage = stage_of(opened)
    drag(stage.inset, QPoint(-stage.width(), -stage.height()))
    assert stage.large is stage.output, "a drag is no click"
    assert stage.inset.geometry().center().x() < stage.width() / 2
    assert stage.inset.geometry().center().y() < stage.height() / 2


def test_dragging_moves_the_avatar_the_way_it_is_seen(opened: Opened) -> None:
    stage = stage_of(opened)
    width = stage.picture_place().width()
    drag(stage.output, QPoint(round(width * 0.1), 0))
    moved = opened.live.controls.pan_x
    assert -0.12 < moved < -0.08, "the picture on this screen is a mirror"
    opened.preferences.change(mirror_preview=False)
    opened.window.refresh()
    drag(stage.output, QPoint(round(width * 0.1), 0))
    assert abs(opened.live.controls.pan_x) < 0.02


def test_the_wheel_zooms(opened: Opened) -> None:
    turn_wheel(stage_of(opened).output, 2)
    assert opened.live.controls.zoom == 1.1
    turn_wheel(stage_of(opened).output, -200)
    assert opened.live.controls.zoom == 0.5


def test_a_double_click_fills_the_screen_and_escape_leaves_it(opened: Opened) -> None:
    window, stage = opened.window, stage_of(opened)
    QTest.mouseDClick(stage.output, LEFT)
    states: list[bool] = [window.isFullScreen()]
    hidden = [window.view.header.isHidden(), window.view.gallery_panel.isHidden()]
    assert hidden == [True, True]
    assert stage.geometry() == window.view.rect()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    states.append(window.isFullScreen())
    assert states == [True, False]
    assert not window.view.header.isHidden()


def test_the_camera_is_large_until_it_is_calibrated(opened: Opened) -> None:
    stage = stage_of(opened)
    opened.live.report(shows="card", reason="uncalibrated", calibrated=False, match=Match(0.5, 0.3, 0.5, 0.9))
    opened.window.refresh()
    assert stage.large is stage.camera
    assert stage.calibration.isVisible() and not stage.chip.isVisible()
    assert stage.camera.shown.ghost > 0
    opened.live.report(shows="avatar", reason="", calibrated=True)
    opened.window.refresh()
    assert stage.inset is stage.camera
    assert stage.chip.isVisible() and not stage.calibration.isVisible()
    assert stage.camera.shown.ghost == 0, "it has done its work"


def test_a_borrowed_pose_is_offered_to_be_refined(opened: Opened) -> None:
    opened.live.report(borrowed=True)
    opened.window.refresh()
    assert "Refine" in stage_of(opened).chip.text()


def test_the_chip_counts_down_and_calibrates(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of(opened)
    stage.calibration.countdown.setInterval(1)
    counted: list[int] = []
    stage.calibration.countdown.changed.connect(counted.append)
    QTest.mouseClick(stage.chip, LEFT)
    assert stage.camera.countdown == Countdown.SECONDS
    qtbot.waitUntil(lambda: opened.live.controls.calibrations == 1)
    assert counted == [3, 2, 1, 0]
    assert stage.camera.countdown == 0


def test_a_second_press_does_not_wait(opened: Opened) -> None:
    opened.live.report(shows="card", reason="uncalibrated", calibrated=False)
    opened.window.refresh()
    button = stage_of(opened).calibration.calibrate
    button.click()
    assert opened.live.controls.calibrations == 0
    button.click()
    assert opened.live.controls.calibrations == 1
