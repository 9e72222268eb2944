"""The picture area: which picture is large, and the mouse actions on both."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.panels.calibration import Countdown
from avatar_app.gui.panels.picture_area import PictureArea
from avatar_app.motion.match import Match
from tests.gui.windows import Opened, open_window

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    opened = open_window(qtbot, tmp_path)
    opened.window.poll_pictures()
    opened.window.refresh()
    return opened


def area_of(opened: Opened) -> PictureArea:
    return opened.window.view.area


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
    area = area_of(opened)
    assert area.large is area.output
    assert area.inset.caption == "You"
    assert area.picture_place().width() > 3 * area.inset.width()


def test_a_click_on_the_inset_swaps_the_pictures(opened: Opened) -> None:
    area = area_of(opened)
    QTest.mouseClick(area.camera, LEFT)
    assert (area.large, area.inset.caption) == (area.camera, "Others see")
    QTest.mouseClick(area.output, LEFT)
    assert area.inset is area.camera


def test_the_inset_is_dragged_into_another_corner(opened: Opened) -> None:
    area = area_of(opened)
    drag(area.inset, QPoint(-area.width(), -area.height()))
    assert area.large is area.output, "a drag is no click"
    assert area.inset.geometry().center().x() < area.width() / 2
    assert area.inset.geometry().center().y() < area.height() / 2


def test_dragging_moves_the_avatar_the_way_it_is_seen(opened: Opened) -> None:
    area = area_of(opened)
    width = area.picture_place().width()
    drag(area.output, QPoint(round(width * 0.1), 0))
    moved = opened.live.controls.pan_x
    assert -0.12 < moved < -0.08, "the picture on this screen is a mirror"
    opened.preferences.change(mirror_preview=False)
    opened.window.refresh()
    drag(area.output, QPoint(round(width * 0.1), 0))
    assert abs(opened.live.controls.pan_x) < 0.02


def test_the_wheel_zooms(opened: Opened) -> None:
    turn_wheel(area_of(opened).output, 2)
    assert opened.live.controls.zoom == 1.1
    turn_wheel(area_of(opened).output, -200)
    assert opened.live.controls.zoom == 0.5


def test_a_double_click_fills_the_screen_and_escape_leaves_it(opened: Opened) -> None:
    window, area = opened.window, area_of(opened)
    QTest.mouseDClick(area.output, LEFT)
    states: list[bool] = [window.isFullScreen()]
    hidden = [window.view.header.isHidden(), window.view.gallery_panel.isHidden()]
    assert hidden == [True, True]
    assert area.geometry() == window.view.rect()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    states.append(window.isFullScreen())
    assert states == [True, False]
    assert not window.view.header.isHidden()


def test_the_camera_is_large_until_it_is_calibrated(opened: Opened) -> None:
    area = area_of(opened)
    opened.live.report(shows="card", reason="uncalibrated", calibrated=False, match=Match(0.5, 0.3, 0.5, 0.9))
    opened.window.refresh()
    assert area.large is area.camera
    assert area.calibration.isVisible() and not area.chip.isVisible()
    assert area.camera.shown.ghost > 0
    opened.live.report(shows="avatar", reason="", calibrated=True)
    opened.window.refresh()
    assert area.inset is area.camera
    assert area.chip.isVisible() and not area.calibration.isVisible()
    assert area.camera.shown.ghost == 0, "it has done its work"


def test_a_borrowed_pose_is_offered_to_be_refined(opened: Opened) -> None:
    opened.live.report(borrowed=True)
    opened.window.refresh()
    assert "Refine" in area_of(opened).chip.text()


def test_the_chip_counts_down_and_calibrates(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = area_of(opened)
    area.calibration.countdown.setInterval(1)
    counted: list[int] = []
    area.calibration.countdown.changed.connect(counted.append)
    QTest.mouseClick(area.chip, LEFT)
    assert area.camera.countdown == Countdown.SECONDS
    qtbot.waitUntil(lambda: opened.live.controls.calibrations == 1)
    assert counted == [3, 2, 1, 0]
    assert area.camera.countdown == 0


def test_a_second_press_does_not_wait(opened: Opened) -> None:
    opened.live.report(shows="card", reason="uncalibrated", calibrated=False)
    opened.window.refresh()
    button = area_of(opened).calibration.calibrate
    button.click()
    assert opened.live.controls.calibrations == 0
    button.click()
    assert opened.live.controls.calibrations == 1
