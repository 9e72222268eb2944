"""Teeth are part of the skull: lips move over them.

Moved as the lips are, teeth would be stretched and squeezed with every word, and a mouth that opens has none if the photo's is closed.
So each photo gets a layer of teeth, once: its own where it shows them, drawn ones where it does not. In a pose they are moved as the upper
half of the face is, and seen between the lips; below them it is dark.
`avatar_app.compositing.teeth` does the second half in bytes, for processors.

Shapes: B batch, S the picture's side, P landmarks (B, P, 2) in [-1, 1], x first; single numbers are (B, 1, 1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.compositing import teeth as mouth
from avatar_app.compositing.teeth import EDGE
from avatar_app.landmarks import CAMERA, MEAN_FACE
from avatar_app.networks.grid import coordinate_grid


class Tooth(NamedTuple):
    """Of an upper tooth, as seen from the front, in halves of the mouth's width.

    Attributes:
        shorter: so much higher than the first one's its edge ends, in its middle.
        rounded: so much higher still at its sides.
        power: how this sets in: 1 for a point, more for an edge that is straight.
        tone: how light it is.
    """

    width: float
    shorter: float
    rounded: float
    power: float
    tone: float


TEETH = (
    Tooth(0.335, 0.0, 0.035, 5.0, 1.0),
    Tooth(0.25, 0.022, 0.05, 3.5, 0.97),
    Tooth(0.235, 0.004, 0.065, 1.7, 0.93),
    Tooth(0.18, 0.035, 0.05, 2.5, 0.9),
)
"""From the middle to the side."""

SHOW, ARCH = 0.15, 0.14
"""How far the first teeth reach below closed lips, and how much higher the row is at the corners of the mouth."""

GAP_WIDTH, GAP, GAP_AT_EDGE, GAP_REACH = 0.012, 0.09, 0.3, 0.05
"""Half the width of a gap between teeth; how dark it is, how much darker where they end, and how far up that goes."""

ROUND, TO_SIDE = 0.1, 0.33
"""How much darker a tooth's sides are, and the row at its ends."""

CLEAR, CLEAR_REACH, TO_GUM, LENGTH = 0.1, 0.035, 0.16, 0.4
"""How much darker, for clear, a tooth is at its edge, and how far up; how much darker towards the gum, a tooth's length further up."""

GLEAM, GLEAM_AT, GLEAM_SIZE = 0.05, (0.42, 0.14), (0.16, 0.05)
"""A tooth is lighter by so much at a spot: in its width from its inner side, in halves of the mouth above its edge; the spot's size."""

BRIGHTNESS = 0.52, 0.6, 0.55, 0.97
"""Of teeth: at no light on the nose, more with its brightness; least and most. Seen on 65 people, in the lip's shadow: 0.47, 0.55."""

TINT = 0.36, 0.2, 0.41
"""So much of the nose's colour do teeth have: its skin's, and the light's."""

COLOURFUL = 0.1
"""Skin with so little between its strongest and its weakest colour is of a black and white photo."""


class Lip(NamedTuple):
    """As `mouth.Lip`."""

    bow: Tensor
    power: Tensor

    def below(self, u: Tensor) -> Tensor:
        return self.bow * (1 - u * u).clamp_min(1e-4) ** self.power


class Opening(NamedTuple):
    """As `mouth.Opening`: middle, along (B, 2), half (B, 1, 1)."""

    middle: Tensor
    along: Tensor
    half: Tensor
    upper: Lip
    lower: Lip

    def place(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return _place(x, y, self.middle, self.along, self.half)

    def height(self) -> Tensor:
        return self.lower.bow - self.upper.bow


def _numbers(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2) -> two (B, 1, 1)."""
    return pairs[:, :1, None], pairs[:, 1:, None]


def _place(x: Tensor, y: Tensor, middle: Tensor, along: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    (middle_x, middle_y), (along_x, along_y) = _numbers(middle), _numbers(along)
    x, y = x - middle_x, y - middle_y
    return (x * along_x + y * along_y) / half, y * along_x - x * along_y


def opening(points: Tensor) -> Opening:
    """Of landmarks (B, P, 2)."""
    right, left = points[:, 60], points[:, 64]
    half = ((left - right).norm(dim=1) / 2).clamp_min(1e-3)[:, None]
    middle, along = (left + right) / 2, (left - right) / (2 * half)
    lips = []
    for lip in (points[:, None, 61:64], points[:, None, 65:68]):
        u, below = _place(lip[..., 0], lip[..., 1], middle, along, half[:, None])
        bow = below[..., 1:2]
        aside = (u[..., ::2] ** 2).mean(-1, keepdim=True).clamp(0.1, 0.8)
        even = bow.abs() <= 1e-4
        one = torch.ones_like(bow)
        share = torch.where(even, one, below[..., ::2].mean(-1, keepdim=True) / torch.where(even, one, bow))
        lips.append(Lip(bow, (share.clamp_min(0.1).log() / (1 - aside).log()).clamp(0.4, 1.5)))
    return Opening(middle, along, half[:, None], *lips)


def shows_teeth(points: Tensor) -> Tensor:
    """(B, 1, 1) how surely photos with these landmarks do, 0 to 1."""
    apart = (points[:, 61:64] - points[:, 65:68].flip(1)).norm(dim=2).mean(1)[:, None, None] / _nose(points)
    shown: Tensor = ((apart - mouth.SHOWN[0]) / (mouth.SHOWN[1] - mouth.SHOWN[0])).clamp(0, 1)
    return shown


def _nose(points: Tensor) -> Tensor:
    """Its length, (B, 1, 1)."""
    length: Tensor = (points[:, 27] - points[:, 33]).norm(dim=1).clamp_min(1e-3)
    return length[:, None, None]


def teeth_layer(photo: Tensor, points: Tensor) -> Tensor:
    """(B, 4, S, S) in [0, 1]: colours of teeth and, last, where they are, for photos (B, 3, S, S) with landmarks (B, P, 2)."""
    side = photo.shape[-1]
    grid = coordinate_grid(side, side, photo.device)
    here = opening(points)
    u, v = here.place(grid[None, ..., 0], grid[None, ..., 1])
    shown = shows_teeth(points)[:, None]
    own, drawn = _own(photo, grid, here, u, v), _drawn(photo, points, here, u, v)
    return shown * own + (1 - shown) * drawn


def _own(photo: Tensor, grid: Tensor, here: Opening, u: Tensor, v: Tensor) -> Tensor:
    """What is between the photo's lips; further up its uppermost row goes on."""
    cover = ((here.lower.below(u) - EDGE - v) / EDGE + 0.5).clamp(0, 1)
    raised = (here.upper.below(u) + EDGE - v).clamp_min(0)
    along_x, along_y = _numbers(here.along)
    places = torch.stack([grid[None, ..., 0] - raised * along_y, grid[None, ..., 1] + raised * along_x], -1)
    return torch.cat([_sample(photo, places), cover[:, None]], 1)


def _drawn(photo: Tensor, points: Tensor, here: Opening, u: Tensor, v: Tensor) -> Tensor:
    """Upper teeth behind the photo's lips, as light as its nose."""
    away, v = u.abs(), v / here.half
    rest = (here.upper.bow + here.lower.bow) / (2 * here.half)
    end, form, begin = rest + SHOW - ARCH * u * u, 1 - TO_SIDE * away.clamp_max(1) ** 2, 0.0
    shorter, light = torch.zeros_like(away), torch.ones_like(away)
    for tooth in TEETH:
        along = (away - begin) / tooth.width  # 0 at its inner side, 1 at its outer one
        within = ((along >= 0) & (along < 1)).to(photo.dtype)
        across = (2 * along - 1).abs().clamp_max(1)
        shorter = shorter + within * (tooth.shorter + tooth.rounded * across**tooth.power)
        light = light + within * (_tooth_light(tooth, along, across, end - tooth.shorter - v) - 1)
        begin += tooth.width
    cover = ((end - shorter - v) / (EDGE / here.half) + 0.5).clamp(0, 1)
    return torch.cat(
        [(_tooth_colour(photo, points) * (light * form)[:, None]).clamp(0, 1), cover[:, None]], 1
    )


def _tooth_light(tooth: Tooth, along: Tensor, across: Tensor, above: Tensor) -> Tensor:
    """How light a tooth is: ``along`` its width, ``across`` from its middle to its sides, and so far ``above`` its edge."""
    above = above.clamp(0, 1)
    gap = torch.exp(-(((1 - across) * tooth.width / 2 / GAP_WIDTH) ** 2).clamp_max(30))
    gap = gap * (GAP + GAP_AT_EDGE * torch.exp(-above / GAP_REACH))
    spot = ((along - GLEAM_AT[0]) / GLEAM_SIZE[0]) ** 2 + ((above - GLEAM_AT[1]) / GLEAM_SIZE[1]) ** 2
    down = 1 - CLEAR * torch.exp(-above / CLEAR_REACH) - TO_GUM * (above / LENGTH).clamp_max(1) ** 2
    return tooth.tone * down * (1 - ROUND * across**3) * (1 - gap) + GLEAM * torch.exp(-spot.clamp_max(30))


def _tooth_colour(photo: Tensor, points: Tensor) -> Tensor:
    """(B, 3, 1, 1)."""
    nose = _skin(photo, points)
    base, gain, least, most = BRIGHTNESS
    light = nose.mean(1, keepdim=True)
    return (base + gain * light).clamp(least, most) * (
        1 + torch.tensor(TINT, device=nose.device)[:, None, None] * (nose / light.clamp_min(1e-2) - 1)
    )


def _skin(photo: Tensor, points: Tensor) -> Tensor:
    """(B, 3, 1, 1) mean colour along the nose."""
    return _sample(photo, points[:, None, 27:36]).mean(3, keepdim=True)


def cavity_colour(photo: Tensor, points: Tensor) -> Tensor:
    """(B, 3, 1, 1) of the inside of the mouth, told by the middle of the lower lip."""
    outer, inner = (points[:, part].mean(1) for part in mouth.LOWER_LIP)
    lip, nose = _sample(photo, ((outer + inner) / 2)[:, None, None]), _skin(photo, points)
    colourful = ((nose.amax(1, keepdim=True) - nose.amin(1, keepdim=True)) / COLOURFUL).clamp(0, 1)
    grey = sum(mouth.DARKNESS) / 3
    return torch.cat(
        [lip[:, i : i + 1] * (grey + colourful * (left - grey)) for i, left in enumerate(mouth.DARKNESS)], 1
    )


def skull_map(still: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """The linear part (B, 2, 2) and the offset (B, 2, 1) of where the upper half of the face comes from: pose -> photo."""
    base_here, base_there = (points[:, mouth.NOSE_BASE].mean(1, keepdim=True) for points in (pose, still))
    here, there = (
        torch.cat([points[:, part] for part in mouth.RIGID], 1) - base
        for points, base in ((pose, base_here), (still, base_there))
    )
    own = here.transpose(1, 2) @ here
    a, b, d = own[:, 0, 0] + 1e-6, own[:, 0, 1], own[:, 1, 1] + 1e-6
    inverse = torch.stack([d, -b, -b, a], 1).reshape(-1, 2, 2) / (a * d - b * b)[:, None, None]
    linear = (inverse @ here.transpose(1, 2) @ there).transpose(1, 2)
    return linear, base_there.transpose(1, 2) - linear @ base_here.transpose(1, 2)


def jaw_map(still: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """As `mouth.jaw_map`, in the form of `skull_map`."""
    fit = torch.tensor(CAMERA, device=pose.device, dtype=pose.dtype)
    way = torch.tensor([*mouth.TO_TEETH, 0.0], device=pose.device, dtype=pose.dtype)
    here, there = (points[:, list(MEAN_FACE)].transpose(1, 2) @ fit for points in (pose, still))
    base_here, base_there = (
        points[:, mouth.NOSE_BASE].mean(1)[..., None] + (camera * way).sum(2, keepdim=True)
        for points, camera in ((pose, here), (still, there))
    )
    a, b, c, d = here[:, 0, 0], here[:, 0, 1], here[:, 1, 0], here[:, 1, 1]
    inverse = (
        torch.stack([d, -b, -c, a], 1).reshape(-1, 2, 2)
        / (a * d - b * c).clamp_min(mouth.FLAT)[:, None, None]
    )
    linear = there[:, :, :2] @ inverse
    return linear, base_there - linear @ base_here


def show_teeth(picture: Tensor, layer: Tensor, cavity: Tensor, still: Tensor, pose: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) with the photos' teeth in their mouths.

    Args:
        layer: (B, 4, S, S) of `teeth_layer`.
        cavity: (B, 3, 1, 1) of `cavity_colour`.
        still, pose: (B, P, 2), of photos and poses.
    """
    side = picture.shape[-1]
    grid = coordinate_grid(side, side, picture.device)
    x, y = grid[None, ..., 0], grid[None, ..., 1]
    here, there, (linear, offset) = opening(pose), opening(still), jaw_map(still, pose)
    scale = (
        (linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]).abs().sqrt()[:, None, None]
    )
    moved = [
        scale * a - b
        for a, b in (
            (here.half, there.half),
            (here.upper.bow, there.upper.bow),
            (here.lower.bow, there.lower.bow),
        )
    ]
    amount = ((moved[0].abs() + moved[1].abs() + moved[2].abs()) / EDGE - 0.5).clamp(0, 1)
    dark = ((moved[2] - moved[1]) / mouth.WIDE).clamp(0, 1) * (
        mouth.DARK[0] + shows_teeth(still) * (mouth.DARK[1] - mouth.DARK[0])
    )
    u, v = here.place(x, y)
    under, over = v - here.upper.below(u), here.lower.below(u) - v
    inside = amount * (u.abs() < 1) * (under / EDGE).clamp(0, 1) * (over / (1.5 * EDGE)).clamp(0, 1)

    smile = (1 - shows_teeth(still)) * _smile(still, moved[0])
    down = (
        mouth.DROP * smile * there.half * torch.stack([-there.along[:, 1], there.along[:, 0]], 1)[:, :, None]
    )
    offset = offset - down
    places = torch.stack(
        [
            linear[:, i, 0, None, None] * x + linear[:, i, 1, None, None] * y + offset[:, i, :, None]
            for i in (0, 1)
        ],
        -1,
    )
    teeth = _sample(layer, places)
    shade = (
        1
        - mouth.LIP_SHADOW * (1 - (under / mouth.SHADE).clamp(0, 1))
        - mouth.CORNER_SHADOW * u.clamp(-1, 1) ** 4
    )
    deep = 1 - (over / here.height().clamp_min(1e-3)).clamp(0, 1)
    filling = picture + dark[:, None] * (
        cavity * (mouth.DEPTH[0] + mouth.DEPTH[1] * deep * deep)[:, None] - picture
    )
    filling = filling + teeth[:, 3:] * (teeth[:, :3] * shade[:, None] - filling)
    return picture + inside[:, None] * (filling - picture)


def _smile(still: Tensor, wider: Tensor) -> Tensor:
    """(B, 1, 1), as `mouth._smile`."""
    first, last = mouth.WIDER
    smile: Tensor = wider.sign() * ((wider.abs() / _nose(still) - first) / (last - first)).clamp(0, 1)
    return smile


def _sample(photo: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(photo, places, mode="bilinear", padding_mode="border", align_corners=True)
