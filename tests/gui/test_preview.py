"""Pictures on the screen: copied, fitted, mirrored, drawn over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from avatar_app.gui.panels.camera_view import CameraView
from avatar_app.gui.panels.output_view import OutputView
from avatar_app.gui.panels.preview import PictureView, fit, sent_to_screen, to_screen
from avatar_app.session.controls import SeenFrame
from avatar_app.types import Box, Frame, Image
from tests.gui.stand_in import plain
from tests.support.media import outgoing, picture


def colour_at(view: PictureView, x: int, y: int) -> QColor:
    return view.grab().toImage().pixelColor(x, y)


def test_a_picture_is_copied(qtbot: QtBot) -> None:
    view = OutputView()
    qtbot.addWidget(view)
    view.resize(320, 180)
    image = plain(320, 180, (10, 200, 30))  # of the widget's own size, where scaling would not copy it anyway
    sent = outgoing(image)
    view.show_picture(sent, "avatar")
    sent.planes[:] = 0
    assert colour_at(view, 160, 90).green() in (199, 200, 201), "but for the rounding of planes"


@pytest.mark.parametrize("shows", ["card", "avatar"])
def test_a_card_is_readable_whatever_the_status_says(qtbot: QtBot, shows: str) -> None:
    view = OutputView()
    qtbot.addWidget(view)
    view.resize(320, 180)
    view.mirrored = True
    image = plain(320, 180, (10, 10, 10))
    image[:, :100] = 250
    view.show_picture(dataclasses.replace(outgoing(image), is_card=True), shows)
    assert colour_at(view, 50, 90).red() > 200 > colour_at(view, 270, 90).red()


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(1280, 720, QRect(0, 60, 320, 180)), (100, 200, QRect(85, 0, 150, 300))]
)
def test_pictures_keep_their_proportions(width: int, height: int, expected: QRect) -> None:
    assert fit(width, height, QRect(0, 0, 320, 300)) == expected


def test_smaller_pictures_are_averaged() -> None:
    fine = np.zeros((480, 640, 3), np.uint8)
    fine[:, ::2] = 255
    small = to_screen(fine, 161, 120)
    levels = [small.pixelColor(x, y).red() for x in range(0, 161, 7) for y in range(0, 120, 7)]
    assert max(levels) - min(levels) < 40
    assert 120 < np.mean(levels) < 135


def test_colours_stay_what_they_are() -> None:
    drawn = to_screen(plain(9, 7, (10, 200, 30)), 9, 7)
    assert drawn.pixelColor(8, 6).getRgb() == (10, 200, 30, 255)


def pixels(image: QImage) -> Image:
    return (
        np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., :3].copy()
    )


@pytest.mark.parametrize(("width", "height"), [(640, 360), (300, 169), (161, 90), (161, 91), (1000, 563)])
def test_what_is_sent_is_drawn_as_its_rgb_would_be(width: int, height: int) -> None:
    sent = outgoing(picture(640, 360, 90))
    drawn, expected = (
        pixels(sent_to_screen(sent, width, height)),
        pixels(to_screen(sent.rgb(), width, height)),
    )
    difference = np.abs(drawn.astype(int) - expected)
    assert difference.mean() < 2, "colours are of two by two pixels, and odd sides are cut off from even ones"
    assert difference.max() <= 12


def test_the_smallest_preview_has_a_pixel() -> None:
    drawn = sent_to_screen(outgoing(plain(640, 360, (10, 200, 30))), 1, 1)
    assert (drawn.width(), drawn.height()) == (1, 1)
    assert abs(drawn.pixelColor(0, 0).green() - 200) <= 2


def test_there_is_a_text_without_a_picture(qtbot: QtBot) -> None:
    view = PictureView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    empty = view.grab().toImage()
    view.set_text("The camera is in use by another program.")
    assert view.grab().toImage() != empty
    view.set_picture(plain(30, 20, (9, 9, 9)))
    assert colour_at(view, 150, 100).red() == 9
    view.set_picture(None)
    assert view.image is None


def frame_with_dot(x: int, y: int) -> Frame:
    image = plain(640, 480, (40, 40, 40))
    image[y - 4 : y + 5, x - 4 : x + 5] = 255
    return Frame(image, 0.0, 1)


@pytest.mark.parametrize("mirrored", [True, False])
def test_landmarks_lie_on_the_face_mirrored_or_not(qtbot: QtBot, mirrored: bool) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.shown.mirrored, view.shown.box = mirrored, False
    points = np.full((88, 2), (100, 200), np.float32)
    seen = SeenFrame(frame_with_dot(100, 200), points, None)
    view.show_seen(seen)
    x = 539 if mirrored else 100
    assert colour_at(view, x, 200).red() == 255
    view.shown.landmarks = True
    view.update()
    assert colour_at(view, x, 200).red() < 200
    assert points[0, 0] == 100  # the session's own pictures are unchanged


def test_the_ghost_is_drawn_into_the_box_and_as_strong_as_asked(qtbot: QtBot) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.shown.mirrored, view.shown.box = False, False
    view.show_portrait(plain(64, 64, (240, 40, 40)))
    view.show_seen(SeenFrame(Frame(plain(640, 480, (40, 40, 40)), 0.0, 1), None, Box(400, 240, 200)))
    assert colour_at(view, 400, 240).red() == 40
    view.shown.ghost = 0.5
    view.update()
    assert 130 <= colour_at(view, 400, 240).red() <= 150
    assert colour_at(view, 250, 240).red() == 40


def test_switching_the_mirror_shows_at_once(qtbot: QtBot) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.shown.box = False
    seen = SeenFrame(frame_with_dot(100, 200))
    view.show_seen(seen)
    assert colour_at(view, 539, 200).red() == 255
    view.shown.mirrored = False
    view.show_seen(seen)
    assert colour_at(view, 100, 200).red() == 255


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_click_names_the_point_of_the_frame(qtbot: QtBot, mirrored: bool) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.resize(640, 560)  # strips of 40 pixels above and below the picture
    view.shown.mirrored = mirrored
    asked: list[tuple[float, float]] = []
    view.face_asked.connect(lambda x, y: asked.append((x, y)))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(480, 160))  # no picture yet
    view.show_seen(SeenFrame(frame_with_dot(100, 200)))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(480, 160))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(480, 20))  # beside the picture
    assert asked == [(pytest.approx(0.25 if mirrored else 0.75), pytest.approx(0.25))]


def test_other_faces_are_marked(qtbot: QtBot) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.shown.mirrored = False
    frame = Frame(plain(640, 480, (40, 40, 40)), 0.0, 1)
    view.show_seen(SeenFrame(frame, None, Box(100, 100, 50)))
    assert view.cursor().shape() == Qt.CursorShape.ArrowCursor
    before = view.grab().toImage()
    other = np.array([(400, 300), (500, 420)], np.float32)
    view.show_seen(SeenFrame(Frame(frame.image, 0.1, 2), None, Box(100, 100, 50), (other,)))
    assert view.grab().toImage() != before
    assert view.cursor().shape() == Qt.CursorShape.PointingHandCursor
