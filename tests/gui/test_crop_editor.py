"""The square on a photo: fitted, moved, resized, and checked."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from avatar_app.errors import BundleError
from avatar_app.faces.crop import square_box
from avatar_app.gui.dialogs.crop_check import crop_fault, crop_warning
from avatar_app.gui.dialogs.crop_editor import CropEditor
from avatar_app.gui.dialogs.crop_view import LEAST, CropView
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.media.photo import read_portrait
from avatar_app.paths import model_folders, shipped_avatars
from avatar_app.text import Text
from avatar_app.types import Array, Box, Face, Image
from tests.support.heads import make_head

PHOTO: Image = np.full((600, 800, 3), 120, np.uint8)
ANNA = shipped_avatars() / "anna.jpg"
needs_faces = pytest.mark.skipif(
    not (model_folders()[0] / "faces" / "finder.onnx").is_file(), reason="the face networks are not there"
)


def face_at(x: float, y: float, half: float = 130) -> Face:
    points: Array = np.asarray(make_head() * half + np.array([x, y, 0]), np.float32)
    return Face(points, 0.9)


class Finds:
    """Replaces the face networks: finds the given faces once it is released."""

    def __init__(self, *faces: Face) -> None:
        self.found = list(faces)
        self.go = threading.Event()
        self.go.set()

    def faces(self, image: Image) -> list[Face]:
        assert self.go.wait(10)
        return self.found


@pytest.fixture
def opened(qtbot: QtBot) -> Callable[..., CropEditor]:
    def open_editor(finds: Finds | FaceFit, box: Box | None = None, image: Image = PHOTO) -> CropEditor:
        editor = CropEditor(image, box, finds)
        qtbot.addWidget(editor)
        editor.resize(760, 560)
        editor.show()
        return editor

    return open_editor


def said(editor: CropEditor) -> str:
    return editor._about.text()


def test_fits_to_the_face_at_the_start(opened: Callable[..., CropEditor], qtbot: QtBot) -> None:
    finds = Finds(face_at(300, 280))
    finds.go.clear()
    editor = opened(finds)
    assert "Looking" in said(editor) and not editor._fit.isEnabled()
    finds.go.set()
    qtbot.waitUntil(lambda: "fits well" in said(editor))
    assert editor.box() == square_box(finds.found[0])


def test_a_box_chosen_before_is_kept(opened: Callable[..., CropEditor], qtbot: QtBot) -> None:
    before = Box(310, 290, 500)
    editor = opened(Finds(face_at(300, 280)), before)
    qtbot.waitUntil(editor._fit.isEnabled)
    assert editor.box() == before
    QTest.mouseClick(editor._fit, Qt.MouseButton.LeftButton)
    assert editor.box() == square_box(face_at(300, 280))


def test_no_face_and_no_networks_are_said(opened: Callable[..., CropEditor], qtbot: QtBot) -> None:
    editor = opened(Finds())
    qtbot.waitUntil(lambda: "No face was found" in said(editor))
    assert not editor._fit.isEnabled()
    assert editor.box().size <= 600

    class Missing:
        def faces(self, image: Image) -> list[Face]:
            raise BundleError(Text("The face networks are incomplete."), Text("Install the app again."))

    broken = opened(Missing())
    qtbot.waitUntil(lambda: "Install the app again" in said(broken))
    broken.accept()
    assert broken.result() == QDialog.DialogCode.Accepted


def test_several_faces_can_be_stepped_through_and_clicked(
    opened: Callable[..., CropEditor], qtbot: QtBot
) -> None:
    left, right = face_at(220, 300, 125), face_at(600, 300, 110)
    editor = opened(Finds(left, right))
    qtbot.waitUntil(lambda: "2 faces" in said(editor))
    assert editor.box() == square_box(left)
    editor.fit()
    assert editor.box() == square_box(right)
    editor.fit()
    assert editor.box() == square_box(left)
    other = editor._view._on_screen(square_box(right)).center().toPoint()
    QTest.mouseClick(editor._view, Qt.MouseButton.LeftButton, pos=other)
    assert editor.box() == square_box(right)


def drag(qtbot: QtBot, view: CropView, start: QPointF, by: QPoint) -> None:
    first = start.toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=first)
    QTest.mouseMove(view, first + by / 2)
    QTest.mouseMove(view, first + by)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=first + by)


@pytest.fixture
def view(qtbot: QtBot) -> CropView:
    widget = CropView(PHOTO, Box(400, 300, 300))
    qtbot.addWidget(widget)
    widget.resize(640, 480)
    widget.show()
    return widget


def test_drag_moves_the_square(view: CropView, qtbot: QtBot) -> None:
    scale, _ = view._scale()
    drag(qtbot, view, view.square().center(), QPoint(30, -20))
    assert view.box.size == 300
    assert view.box.center_x == pytest.approx(400 + 30 / scale, abs=2)
    assert view.box.center_y == pytest.approx(300 - 20 / scale, abs=2)


def test_drag_of_a_corner_keeps_the_opposite_one(view: CropView, qtbot: QtBot) -> None:
    fixed = view.square().topLeft()
    drag(qtbot, view, view.square().bottomRight(), QPoint(40, 40))
    assert view.box.size > 330
    assert (view.square().topLeft() - fixed).manhattanLength() < 2
    drag(qtbot, view, view.square().bottomRight(), QPoint(-4000, -4000))
    assert view.box.size == LEAST


def test_keyboard_moves_and_resizes(view: CropView, qtbot: QtBot) -> None:
    told: list[Box] = []
    view.moved.connect(told.append)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.box.center_x == pytest.approx(409)
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert view.box.center_y == 299
    QTest.keyClick(view, Qt.Key.Key_Minus)
    assert view.box.size == pytest.approx(282)
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.box.size > 290
    assert told[-1] == view.box and len(told) == 4


def test_square_stays_sensible(view: CropView) -> None:
    view.set_box(Box(-500, 9000, 1e6))
    assert view.box == Box(0, 599, 1600)
    assert view.rect().contains(view.square().toRect()), "all of it is seen"
    view.grab()


@pytest.mark.parametrize(
    ("faces", "box", "fault"),
    [
        ([face_at(300, 300)], square_box(face_at(300, 300)), ""),
        ([], Box(300, 300, 300), "none"),
        ([face_at(300, 300)], Box(700, 300, 120), "elsewhere"),
        ([face_at(300, 300)], Box(400, 300, 260), "cut"),
        ([face_at(300, 40)], square_box(face_at(300, 40)), "cut by photo"),
        ([face_at(300, 300, 40)], square_box(face_at(300, 300, 40)), "few pixels"),
        ([face_at(400, 300)], Box(400, 300, 900), "small"),
        ([face_at(400, 300, 200)], Box(400, 300, 280), "large"),
        ([face_at(330, 300), face_at(470, 300)], Box(400, 300, 380), "several"),
    ],
)
def test_faults_of_a_crop(faces: list[Face], box: Box, fault: str) -> None:
    assert crop_fault(faces, box, PHOTO) == fault
    warning = crop_warning(faces, box, PHOTO)
    assert bool(warning) == bool(fault) and "{" not in warning


@needs_faces
def test_real_photo_is_fitted_by_the_real_networks(opened: Callable[..., CropEditor], qtbot: QtBot) -> None:
    photo = read_portrait(ANNA)
    editor = opened(FaceFit(), None, photo)
    qtbot.waitUntil(lambda: "fits well" in said(editor), timeout=20_000)
    assert editor.box().center_x == pytest.approx(256, abs=20)
    assert 400 < editor.box().size < 560


class FindsUpright(Finds):
    """Finds the face only in a picture that is taller than wide."""

    def faces(self, image: Image) -> list[Face]:
        return super().faces(image) if image.shape[0] > image.shape[1] else []


def test_the_button_turns_the_photo_and_fits_the_square(
    opened: Callable[..., CropEditor], qtbot: QtBot
) -> None:
    lying: Image = np.zeros((600, 800, 3), np.uint8)
    lying[:, :400] = 120
    editor = opened(FindsUpright(face_at(300, 280)), None, lying)
    qtbot.waitUntil(lambda: "No face was found" in said(editor))
    QTest.mouseClick(editor._turn, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: editor.box() == square_box(face_at(300, 280)))
    assert editor.turn == 1
    assert editor._image.shape == (800, 600, 3) and editor._image[:400].min() == 120, (
        "clockwise: the left side is on top"
    )
    for _ in range(3):
        QTest.mouseClick(editor._turn, Qt.MouseButton.LeftButton)
    assert editor.turn == 0 and np.array_equal(editor._image, lying)
    qtbot.waitUntil(lambda: "No face was found" in said(editor))


def test_what_will_show_in_the_avatar_is_said() -> None:
    face = face_at(300, 300)
    face.points[[37, 38, 43, 44]] = face.points[[41, 40, 47, 46]]
    assert crop_fault([face], square_box(face), PHOTO) == ""
    assert "The eyes are shut" in crop_warning([face], square_box(face), PHOTO)
