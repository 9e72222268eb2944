"""Which face of a photo is taken, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avatar_app.errors import PortraitError
from avatar_app.faces.detector import square_box
from avatar_app.faces.portrait import find_portrait
from avatar_app.types import Box, Face, Image
from tests.session.stand_ins import DiscDetector
from tests.support.heads import make_head

PHOTO = np.zeros((400, 800, 3), np.uint8)


class Group(DiscDetector):
    """Finds a small face on the left and a large one on the right."""

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        places = ((150.0, 20.0), (600.0, 90.0))
        return [Face((make_head() * radius + [x, 200, 0]).astype(np.float32), 1.0) for x, radius in places]


def test_the_largest_face_is_taken() -> None:
    portrait = find_portrait(PHOTO, Group(), path=Path("photos/us.jpg"))
    assert portrait.box == square_box(portrait.face)
    assert portrait.box.center_x > 400
    assert portrait.notes == ["There are 2 faces in us.jpg; one of them was taken."]
    assert portrait.crop(64).image.shape == (64, 64, 3)


def test_a_square_chooses_the_face_nearest_to_it() -> None:
    box = Box(200, 180, 60)
    portrait = find_portrait(PHOTO, Group(), box)
    assert portrait.box is box
    assert square_box(portrait.face).center_x < 400
    assert (
        portrait.notes[1]
        == "The face in the photo is small (its crop is 60 pixels a side); the picture will be soft."
    )
    assert len(replace(portrait, box=Box(200, 180, 160), faces=1).notes) == 0


def test_a_photo_without_a_face_is_refused() -> None:
    class Nobody(DiscDetector):
        def find(self, image: Image, levels: int = 3) -> list[Face]:
            return []

    with pytest.raises(PortraitError, match=r"No face was found in the photo\."):
        find_portrait(PHOTO, Nobody())
    with pytest.raises(PortraitError, match=r"No face was found in us\.jpg\."):
        find_portrait(PHOTO, Nobody(), path=Path("photos/us.jpg"))
