"""Teeth stay with the skull, whatever the lips do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.compositing import teeth as mouth
from avatar_app.compositing.teeth import Teeth, jaw_map, opening, show_teeth, skull_map
from avatar_app.landmarks import MEAN_FACE
from avatar_app.motion.head import rotation_of
from avatar_app.networks.anchored import teeth
from avatar_app.networks.graphs import to_bytes
from tests.support.heads import make_head

SIDE = 256
SKIN, TOOTH = (180, 120, 100), (250, 240, 230)

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def landmarks(mouth: float) -> Floats:
    return make_head(mouth=mouth)[:, :2].astype(np.float32)


WIDE, SMILING, CLOSED = landmarks(0.3), landmarks(0.08), landmarks(0.002)


def places() -> tuple[Floats, Floats]:
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def between_lips(points: Floats, margin: float = 0.0, reach: float = 1.0) -> Mask:
    """(SIDE, SIDE), of the mouth's width as far as ``reach``."""
    gap = opening(points)
    u, v = gap.place(*places())
    return np.asarray(
        (abs(u) < reach) & (v > gap.upper.below(u) + margin) & (v < gap.lower.below(u) - margin)
    )


def skin() -> Bytes:
    return np.full((SIDE, SIDE, 3), SKIN, np.uint8)


def photo_with_teeth() -> Bytes:
    picture = skin()
    picture[between_lips(SMILING)] = TOOTH
    return picture


def as_batch(picture: Bytes) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 255


def teeth_of(photo: Bytes, still: Floats) -> Teeth:
    image, points = as_batch(photo), torch.from_numpy(still)[None]
    layer, cavity = (
        to_bytes(part(image, points))[0].numpy() for part in (teeth.teeth_layer, teeth.cavity_colour)
    )
    return mouth.teeth_of(np.ascontiguousarray(layer), cavity[0, 0].astype(np.float32), still)


def shown(photo: Bytes, still: Floats, pose: Floats, before: Bytes | None = None) -> Bytes:
    picture = (skin() if before is None else before).copy()
    show_teeth(picture, teeth_of(photo, still), pose)
    return picture


def is_tooth(picture: Bytes) -> Mask:
    return np.asarray(picture.astype(int).min(2) > 125)


@pytest.mark.parametrize("still", [SMILING, CLOSED], ids=["smiling", "closed"])
def test_at_rest_nothing_changes(still: Floats) -> None:
    photo = photo_with_teeth()
    assert np.array_equal(shown(photo, still, still, photo), photo)


def test_own_teeth_stay_and_it_is_dark_below_them() -> None:
    picture, inside, (x, y) = (
        shown(photo_with_teeth(), SMILING, WIDE),
        between_lips(WIDE, 0.02, 0.6),
        places(),
    )
    own = between_lips(SMILING, 0.02, 0.6) & inside & (abs(x) < 0.04)
    assert is_tooth(picture)[own].mean() > 0.9
    lower = inside & (y > 0.27 + 0.1)
    assert lower.sum() > 30
    assert picture[lower].max() < 110
    assert (picture == skin())[~between_lips(landmarks(0.36))].mean() > 0.99


def test_a_photo_with_closed_lips_gets_drawn_teeth_as_light_as_its_skin() -> None:
    found = []
    for light in (1.0, 0.4):
        photo = (skin() * light).astype(np.uint8)
        picture = shown(photo, CLOSED, WIDE, photo)
        rows = np.s_[int((0.27 - 0.04 + 1) * 128) : int((0.27 + 0.02 + 1) * 128), 118:138]
        found.append(float(np.percentile(picture[rows].min(2), 90)))
        assert found[-1] > photo[0, 0].min() + 20
    assert (
        found[0] > 1.2 * found[1]
    )  # of 65 people the lightest by skin have teeth 1.4 times as light as the darkest


def test_a_black_and_white_photo_stays_so() -> None:
    grey = np.full((SIDE, SIDE, 3), 130, np.uint8)
    picture = shown(grey, CLOSED, WIDE, grey).astype(int)
    assert (picture != 130).any()
    assert (picture.max(2) - picture.min(2)).max() <= 2


@pytest.mark.parametrize("still", [SMILING, CLOSED], ids=["own", "drawn"])
def test_closing_lips_cover_teeth(still: Floats) -> None:
    assert not is_tooth(shown(photo_with_teeth(), still, landmarks(0.0))).any()


def test_teeth_move_with_the_head() -> None:
    turn = np.array([[0.95, -0.2], [0.2, 0.95]], np.float32)

    def turned(points: Floats) -> Floats:
        return np.asarray(points @ turn.T * 0.9 + (0.1, -0.2), np.float32)

    for way in (skull_map, jaw_map):
        there = way(SMILING, turned(SMILING))
        assert np.allclose(turned(SMILING) @ there[:, :2].T + there[:, 2], SMILING, atol=1e-3)
    pose = turned(landmarks(0.12))
    picture = shown(photo_with_teeth(), SMILING, pose)
    assert is_tooth(picture)[between_lips(turned(SMILING), 0.015, 0.6)].mean() > 0.9


def test_teeth_of_a_nodding_head_stay_behind_its_lips() -> None:
    def seen(points: npt.NDArray[np.float64], pitch: float, yaw: float) -> Floats:
        return np.asarray(0.25 * (points @ rotation_of(yaw, pitch, 0).T)[..., :2], np.float32)

    lips = np.array([0.0, 1.16, -0.45])
    for pitch, yaw in ((20, 0), (-20, 0), (10, 25)):
        still, pose = np.zeros((2, 88, 2), np.float32)
        still[list(MEAN_FACE)] = seen(np.array([*MEAN_FACE.values()]), 0, 0)
        pose[list(MEAN_FACE)] = seen(np.array([*MEAN_FACE.values()]), pitch, yaw)
        misses = [
            np.linalg.norm(way(still, pose) @ [*seen(lips, pitch, yaw), 1] - seen(lips, 0, 0))
            for way in (jaw_map, skull_map)
        ]
        assert misses[0] < 0.005
        assert misses[1] > 0.01


def smile(gap: float, wider: float) -> Floats:
    """Corners of the mouth drawn aside, and up by half as much."""
    points = landmarks(gap)
    for lips in (slice(48, 60), slice(60, 68)):
        aside = points[lips, 0] / abs(points[lips, 0]).max()
        points[lips, 0] += wider * aside
        points[lips, 1] -= wider * aside**2 / 2
    return points


def test_a_smile_shows_more_of_drawn_teeth_and_rounded_lips_fewer() -> None:
    def reach(still: Floats, pose: Floats) -> float:
        """How far below the middle of closed lips the first teeth end, in sides of the picture."""
        photo = photo_with_teeth() if still is SMILING else skin()
        teeth = is_tooth(shown(photo, still, pose, np.zeros((SIDE, SIDE, 3), np.uint8)))
        first = abs(places()[0]) < 0.05
        return float(places()[1][teeth & first].max()) - 0.27

    assert reach(CLOSED, smile(0.3, 0.06)) > 1.5 * reach(CLOSED, landmarks(0.3)) > 0
    assert reach(CLOSED, smile(0.3, -0.04)) < 0.7 * reach(CLOSED, landmarks(0.3))
    # Where a photo shows teeth, they are all it has.
    assert reach(SMILING, smile(0.3, 0.06)) == pytest.approx(reach(SMILING, landmarks(0.3)), abs=0.015)


def test_drawn_teeth_have_rounded_corners_and_gaps_and_are_darker_aside() -> None:
    side = 1024
    photo = torch.tensor(SKIN)[None, :, None, None].expand(1, 3, side, side) / 255
    layer = teeth.teeth_layer(photo, torch.from_numpy(CLOSED)[None])[0]
    half = opening(CLOSED).half * (side - 1) / 2
    first, second = (tooth.width for tooth in teeth.TEETH[:2])

    def column(at: float) -> torch.Tensor:
        """From its last tooth's edge upwards: light and, where it ends, the row."""
        place = layer[:, :, round((side - 1) / 2 + at * half)]
        return torch.cat([place[:3].mean(0), (place[3] > 0.5).sum()[None]])

    middle, gap, outer = column(first / 2), column(first - 0.5 / half), column(first + second + 0.1)
    assert middle[-1] > gap[-1] + 0.02 * half  # more than the row's own arch
    row = int(gap[-1]) - 2
    assert gap[row] < 0.9 * middle[row]
    assert outer[row - round(0.1 * half)] < 0.9 * middle[row - round(0.1 * half)]


@pytest.mark.parametrize("away", [0.0, 0.9, 5.0, 1e30, np.nan, np.inf])
def test_mouths_beyond_the_picture_or_nowhere_do_no_harm(away: float) -> None:
    assert shown(photo_with_teeth(), SMILING, WIDE + np.float32(away)).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("still", [SMILING, landmarks(0.02), CLOSED], ids=["own", "both", "drawn"])
def test_a_batch_on_any_device_gives_the_same_pictures(still: Floats) -> None:
    few = np.random.default_rng(0).integers(0, 256, (SIDE // 16, SIDE // 16, 3))
    photo = np.asarray(
        np.kron(few, np.ones((16, 16, 1))), np.uint8
    )  # coarse, so that rounded places matter little
    turn = np.array([[0.95, -0.2], [0.2, 0.95]], np.float32)
    poses = [
        smile(0.1, 0.03),
        smile(0.2, 0.06),
        smile(0.2, -0.04),
        WIDE,
        landmarks(0.12),
        landmarks(0.0),
        still,
    ]
    poses += [WIDE @ turn.T + np.float32(0.1), np.float32(1.2) * SMILING]
    image, source = as_batch(photo), torch.from_numpy(still)[None]
    layer, cavity = teeth.teeth_layer(image, source), teeth.cavity_colour(image, source)
    for pose in poses:
        found = teeth.show_teeth(as_batch(skin()), layer, cavity, source, torch.from_numpy(pose)[None])
        difference = np.abs(
            (found[0].permute(1, 2, 0).numpy() * 255).round() - shown(photo, still, pose).astype(int)
        )
        assert difference.mean() < 0.1
        assert np.percentile(difference[between_lips(pose)], 90) <= 8 if between_lips(pose).any() else True
