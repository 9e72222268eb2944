from __future__ import annotations

import numpy as np
import pytest

from avatar_app.evaluation.expression import ClipExpression, eyes_shut, inside
from avatar_app.types import Face, Image
from tests.support.heads import make_head

SIDE = 256


def face(mouth: float = 0.0, lids: float = 0.1, code: float | None = None) -> Face:
    points = make_head(mouth=mouth, lids=lids) * 80 + [SIDE / 2, SIDE / 2, 0]
    expression = None if code is None else np.full(24, code, np.float32)
    return Face(points.astype(np.float32), 1.0, expression)


def picture(value: int) -> Image:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def test_only_an_open_mouth_has_an_inside() -> None:
    assert inside(None, picture(0)) is None
    assert inside(face(mouth=0.0), picture(0)) is None
    opened, wide = (inside(face(mouth=gap), picture(0)) for gap in (0.2, 0.4))
    assert opened is not None
    assert wide is not None
    assert wide.sum() > opened.sum()


def test_lids_that_touch_are_shut() -> None:
    assert eyes_shut(face(lids=0.0))
    assert not eyes_shut(face(lids=0.1))
    assert not eyes_shut(None)


def test_one_colour_errs_by_what_the_brightness_varies() -> None:
    clip = ClipExpression()
    for value in (40, 100, 160):
        clip.add(picture(value), face(mouth=0.3), picture(value), face(mouth=0.3))
    figures = clip.figures()
    assert figures["inside_flat"] == pytest.approx(40 / 255, abs=1e-4)
    assert figures["inside_r"] == pytest.approx(1.0, abs=1e-4)
    assert figures["code_r"] is None


def test_pictures_that_darken_while_the_truth_brightens_do_not_follow_it() -> None:
    clip = ClipExpression()
    for value in (40, 100, 160):
        clip.add(picture(200 - value), face(mouth=0.3), picture(value), face(mouth=0.3))
    assert clip.figures()["inside_r"] == pytest.approx(-1.0, abs=1e-4)


def test_a_code_read_back_is_compared_number_by_number() -> None:
    clip = ClipExpression()
    for value in (-0.5, 0.0, 0.5):
        clip.add(picture(0), face(code=value / 2), picture(0), face(code=value))
    assert clip.figures()["code_r"] == pytest.approx(1.0, abs=1e-4)


def test_a_clip_of_closed_lips_has_no_figures() -> None:
    clip = ClipExpression()
    clip.add(picture(0), face(), picture(0), face())
    assert set(clip.figures().values()) == {None}
