"""A person in a frame: no seam, no bar, nothing cut off, whatever is behind."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_app.compositing.compositor import PhotoLayers
from avatar_app.compositing.layer import compose_layer
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.placement import AS_IT_COMES, moving_area, place
from avatar_app.types import Framing, Image, Layer, Picture, Scene
from tests.support.scenes import SKIN, Drawn, draw

SIDE = 256
SIZES = ((640, 480), (1280, 720), (480, 640))
FRAMINGS = (AS_IT_COMES, Framing(1.4, 0.1, 0.05), Framing(0.7, -0.1, 0.0))
SHOTS = {
    "square": draw(),
    "wide": draw((900, 480), x=500),
    "tall": draw((420, 900), x=210),
    "cut": draw((300, 380), x=150, top=40),
}


@cache
def layers_of(shot: str) -> PhotoLayers:
    return SHOTS[shot].photo_layers(SIDE)


@cache
def scene_of(shot: str) -> Scene:
    return SHOTS[shot].scene(SIDE)


def moved(
    shot: str,
    size: tuple[int, int],
    framing: Framing = AS_IT_COMES,
    right: float = 0.0,
    mirror: bool = False,
    fixed: bool = True,
) -> Picture:
    """The person moved to the right; with ``fixed``, less towards the feet."""
    scene = scene_of(shot)
    column, row = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    share = np.clip((SIDE - 1 - row) / (SIDE - scene.head[1]), 0, 1) if fixed else np.ones_like(row)
    places = np.stack([column - right * share, row])
    pose = SHOTS[shot].crop(SIDE).landmarks
    assert pose is not None
    nothing, keep = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE), 255, np.uint8)
    area = moving_area(scene, size, framing, mirror)
    return compose_layer(layers_of(shot), nothing, keep, places, pose[:, :2], area).on(scene, 0.0, "drawn")


def shown(
    shot: str, size: tuple[int, int], background: str, framing: Framing = AS_IT_COMES, right: float = 0.0
) -> Image:
    picture = moved(shot, size, framing, right)
    return Canvas(size, background, framing=framing).compose(picture).rgb()


def is_person(frame: Image) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(frame.astype(int) - SKIN).max(2) < 40)


@pytest.mark.parametrize("shot", SHOTS)
@pytest.mark.parametrize("size", SIZES)
def test_no_seam_is_seen_where_the_square_was(shot: str, size: tuple[int, int]) -> None:
    for framing in FRAMINGS:
        for right in (0.0, 12.0):
            frame = shown(shot, size, "photo", framing, right)
            person = cv2.dilate(is_person(frame).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
            for axis in (0, 1):
                steps = np.abs(np.diff(frame.astype(int), axis=axis)).max(2)
                free = ~(person[1:] if axis == 0 else person[:, 1:])
                assert steps[free].max() <= 6, (framing, right, axis)


@pytest.mark.parametrize("shot", SHOTS)
@pytest.mark.parametrize("size", SIZES)
def test_colour_is_everywhere_behind_the_person(shot: str, size: tuple[int, int]) -> None:
    for framing in FRAMINGS:
        frame = shown(shot, size, "#00ff00", framing, 8.0)
        person = cv2.dilate(is_person(frame).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        other = np.abs(frame[~person].astype(int) - (0, 255, 0)).max(1) > 8
        assert other.mean() < 1e-3  # where the frame's lower edge leaves almost nothing of a shoulder
        assert 0.1 < person.mean() < 0.95
        # There is no third colour between green and skin: nothing of the old wall is left at the outline.
        outline = frame[person & ~is_person(frame)].astype(float)
        share = (outline[:, 0] / SKIN[0]).clip(0, 1)[:, None]
        mixed = share * np.array(SKIN) + (1 - share) * (0, 255, 0)
        assert np.abs(outline - mixed).mean() < 12


@pytest.mark.parametrize("shot", ["square", "wide", "cut"])
@pytest.mark.parametrize("size", SIZES)
def test_body_reaches_the_lower_edge(shot: str, size: tuple[int, int]) -> None:
    for framing in FRAMINGS:
        frame = shown(shot, size, "#00ff00", framing)
        assert is_person(frame)[-3].sum() > 0.15 * size[0]


@pytest.mark.parametrize("shot", SHOTS)
@pytest.mark.parametrize("size", SIZES)
def test_head_is_never_cut_while_there_is_room(shot: str, size: tuple[int, int]) -> None:
    scene = scene_of(shot)
    hair, chin = scene.head
    for zoom in (0.5, 0.8, 1.0, 1.5, 2.0):
        for down in (-1.0, -0.3, 0.0, 0.3):
            frame = place(scene, size, Framing(zoom, 0.0, down))
            if scene.ends[0] is None and frame.height > 1.1 * (chin - hair) + 0.05 * SIDE:
                assert frame.top < hair
            assert frame.top + frame.height > chin - 0.25 * SIDE


@pytest.mark.parametrize("size", SIZES)
def test_a_head_that_rises_a_little_stays_in_the_frame(size: tuple[int, int]) -> None:
    """While there is room below the chin."""
    scene = scene_of("square")
    hair, chin = scene.head
    for zoom in (1.0, 1.3, 2.0):
        frame = place(scene, size, Framing(zoom, 0.0, -1.0))
        if frame.top + frame.height > chin + 0.06 * SIDE:
            assert hair - frame.top > 0.07 * frame.height


def test_body_goes_on_below_the_square_without_a_step() -> None:
    size, framing = (480, 640), Framing(0.8)
    picture = moved("tall", size, framing, 14.0, fixed=False)
    alpha = Canvas(size, "photo", framing=framing).cut_out(picture)[..., 3]
    scene = scene_of("tall")
    frame = place(scene, size, framing)
    last = round((SIDE - frame.top) / frame.height * size[1])
    assert 0 < last < size[1] - 20
    rows = alpha[last - 15 : last + 15] > 127
    for side in (rows.argmax(1), rows[:, ::-1].argmax(1)):
        assert np.abs(np.diff(side.astype(int))).max() <= 4


def test_shoulders_slope_on_beyond_the_photo_and_end() -> None:
    scene = scene_of("cut")
    alpha, photo = scene.person[..., 3], scene.photo.moved(*scene.corner)
    assert (alpha[:, photo.left + 5] > 127).any()
    first = [int((alpha[:, column] > 127).argmax()) for column in range(photo.left + 5, photo.left - 40, -5)]
    assert all(0 <= after - before < 40 for before, after in itertools.pairwise(first))
    assert not alpha[: photo.bottom, 0].any()
    assert not alpha[: photo.bottom, -1].any()


def test_nobody_is_beyond_a_photo_that_cuts_nobody() -> None:
    drawn = draw((700, 900), x=350, top=200, face=120)
    alpha, background = drawn.alpha.copy(), drawn.wall
    alpha[700:] = 0
    scene = Drawn(drawn.photo, alpha, background, drawn.portrait).scene(SIDE)
    inside = scene.photo.moved(*scene.corner)
    outside = np.ones(scene.person.shape[:2], bool)
    outside[inside.slices] = False
    assert not scene.person[outside, 3].any()


def test_mirror_turns_person_and_wall_but_not_a_picture() -> None:
    size = (640, 480)
    framing = Framing(1.2, 0.1, 0.0)
    for background in ("photo", "#203040"):
        straight = Canvas(size, background, framing=Framing(1.2, -0.1, 0.0))
        mirrored = Canvas(size, background, mirror=True, framing=framing)
        first = straight.compose(moved("square", size, Framing(1.2, -0.1, 0.0))).rgb()
        second = mirrored.compose(moved("square", size, framing, mirror=True)).rgb()
        assert np.abs(first[:, ::-1].astype(int) - second).mean() < 1


def test_moving_area_stays_within_what_engines_draw() -> None:
    scene = replace(scene_of("square"), head=(-30.0, 190.0))
    for size in (*SIZES, (1920, 1080), (720, 1280), (100, 1000)):
        for zoom in np.linspace(0.5, 2, 16):
            for pan in (-0.5, -0.13, 0.0, 0.21):
                area = moving_area(scene, size, Framing(float(zoom), pan, pan))
                rows, columns = area.shape
                assert (rows % 4, columns % 2) == (0, 0)
                assert min(rows, columns) > 0
                assert area.left >= -(SIDE // 16)
                assert area.right <= SIDE + SIDE // 16
                assert area.top >= -(SIDE // 3)
                assert area.bottom <= SIDE + SIDE // 3


def test_frame_of_before_a_move_is_still_shown() -> None:
    size = (640, 480)
    late = moved("square", size, AS_IT_COMES)
    frame = Canvas(size, "#00ff00", framing=Framing(1.5, 0.3, 0.2)).compose(late).rgb()
    assert is_person(frame).mean() > 0.05


def test_cut_out_is_the_person_alone() -> None:
    size = (640, 480)
    for mirror in (False, True):
        canvas = Canvas(size, "photo", mirror=mirror)
        cut = canvas.cut_out(moved("wide", size, AS_IT_COMES, mirror=mirror))
        assert cut.shape == (480, 640, 4)
        share = cut[..., 3:].astype(float) / 255
        green = Canvas(size, "#00ff00", mirror=mirror)
        frame = green.compose(moved("wide", size, AS_IT_COMES, mirror=mirror)).rgb()
        assert np.abs(cut[..., :3] * share + (1 - share) * (0, 255, 0) - frame).mean() < 1.5
    with pytest.raises(ValueError, match="opaque"):
        canvas.cut_out(Picture(np.zeros((64, 64, 3), np.uint8), 0.0))


def test_whole_photo_is_the_photo_while_nobody_moves() -> None:
    drawn = draw((1000, 640), x=400, top=120, face=160)
    scene, size, framing = drawn.scene(SIDE, whole=True), (1000, 640), Framing(whole=True)
    area = moving_area(scene, size, framing)
    x, y = scene.corner
    still = scene.person[area.moved(x, y).slices]
    layer = Layer(still[..., :3].copy(), still[..., 3].copy(), (area.left, area.top))
    frame = Canvas(size, "photo", framing=framing).compose(layer.on(scene, 0.0)).rgb()
    assert np.abs(frame.astype(int) - drawn.photo).mean() < 2.5
