"""Where eyes, lids and brows are, and where the skin around them comes from. For arrays of numpy and tensors of PyTorch alike.

Each eye has a frame of its own: u from -1 at the corner that is seen on the left to 1 at the other one, v down from the line between
them, both in half widths of the eye. What is seen in a pose is told in the frames of the *photo*, in which it lies where it came from
unless lids, brows or eyeballs have moved.

Positions x, y are in [-1, 1] of the picture. Every array is (..., 2, h, w): both eyes, the right one first, and rows and columns of
pixels; for landmarks (..., 2, 1, 16), `MARKS`; for single numbers (..., 2, 1, 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Numbers = Any
"""An array of numpy or a tensor."""

MARKS = (
    (36, 39, 37, 38, 41, 40, 17, 18, 19, 20, 21, 68, 69, 70, 71, 72),
    (42, 45, 43, 44, 47, 46, 22, 23, 24, 25, 26, 73, 74, 75, 76, 77),
)
"""Landmarks of each eye: its corners, two of its upper lid, two of its lower lid, five of its brow, its iris and four at its rim."""

ASIDE, ABOVE, BELOW = 1.4, 2.3, 1.0
"""So far around the middle of an eye skin moves with lids and brow."""

OVER_BROW, UNDER_LID = 0.7, 0.45
"""So far above the line through a brow, which is an arch, and below the lower lid it does."""

SOFT = 0.4
"""Over this distance that ends."""

BROW, NEAREST_BROW = 0.35, 0.25
"""Height of a brow, whose upper edge is marked, as a share of the way to the lid: it is moved, not stretched. The least of this way."""

FROM_FAR = 0.25
"""Over this share of the way from a brow or a cheek to the lid its motion becomes that of a lid that shuts."""

AT_CORNERS = 0.9, 1.3
"""Between these distances from the middle of the eye it becomes the networks' again."""

CLEAN = 0.05
"""So far from the edges of the photo's lids there is no more white of the eye, which lids that are nearly shut must not show."""

ALONG = -0.8, -0.4, 0.0, 0.4, 0.8
"""Places u along a lid's edge at which misses are looked for."""


def _fit() -> tuple[tuple[float, ...], ...]:
    u = np.array(ALONG)
    swell = 1 - u * u
    # Least squares of (1 - u^2) (bow + slant u + bend u^2), which is 0 at the corners whatever these are.
    return tuple(
        tuple(row) for row in np.linalg.pinv(np.stack([swell, swell * u, swell * u * u], 1)).tolist()
    )


FIT = _fit()
"""Bow, slant and bend of the edge nearest to five numbers at these places."""

DOUBT = 0.06, 0.18
"""Misses up to the first are rather the landmarks' own, and from the second on they are the networks'; in eyes that shut all are."""

SHUTS = (0.75, 0.25), (0.5, 0.25), (1.6 / 6, 0.1)
"""Gaps between the lids, in the photo's, from which on and up to which all misses are the networks' own, lids take their skin from lids
alone, and nothing is painted on them."""

FARTHEST_MISS = 0.8
"""The most that lids and brows are put right."""

BULGE = 0.35
"""The most that a turned eye bulges to the side."""

FARTHEST_LOOK = 0.6
"""So far to the side the middle of the iris goes."""

FARTHEST_LID = 0.7
"""Landmarks of lids count as no nearer to a corner than this."""


class Frame(NamedTuple):
    """Middle, direction from corner to corner (of length 1) and half width of both eyes."""

    middle_x: Numbers
    middle_y: Numbers
    along_x: Numbers
    along_y: Numbers
    half: Numbers

    def place(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """u and v of positions."""
        x, y = (x - self.middle_x) / self.half, (y - self.middle_y) / self.half
        return x * self.along_x + y * self.along_y, y * self.along_x - x * self.along_y

    def back(self, u: Numbers, v: Numbers) -> tuple[Numbers, Numbers]:
        """The inverse of `place`."""
        u, v = u * self.half, v * self.half
        return (
            self.middle_x + u * self.along_x - v * self.along_y,
            self.middle_y + u * self.along_y + v * self.along_x,
        )


def frame_of(x: Numbers, y: Numbers) -> Frame:
    """Of `MARKS`."""
    across, down = x[..., 1:2] - x[..., :1], y[..., 1:2] - y[..., :1]
    width = ((across * across + down * down) ** 0.5).clip(2e-3)
    return Frame(
        (x[..., 1:2] + x[..., :1]) / 2,
        (y[..., 1:2] + y[..., :1]) / 2,
        across / width,
        down / width,
        width / 2,
    )


class Lid(NamedTuple):
    """An edge through the corners: v = (1 - u^2) (bow + slant u + bend u^2), and 0 beyond them."""

    bow: Numbers
    slant: Numbers
    bend: Numbers | float = 0.0

    def at(self, u: Numbers, swell: Numbers) -> Numbers:
        return swell * (self.bow + u * (self.slant + self.bend * u))


def swell_at(u: Numbers) -> Numbers:
    """1 in the middle of an eye, 0 at its corners and beyond."""
    return (1 - u * u).clip(0)


class Line(NamedTuple):
    """v = height + slope u, within an eye's surroundings."""

    height: Numbers
    slope: Numbers

    def at(self, u: Numbers) -> Numbers:
        return self.height + self.slope * u.clip(-ASIDE, ASIDE)


class Eye(NamedTuple):
    """What moves in an eye: lids, and the iris, whose middle is at (``look_u``, ``look_v``)."""

    upper: Lid
    lower: Lid
    look_u: Numbers
    look_v: Numbers
    radius: Numbers


SHUT = 0.15, 0.3
"""Between these gaps of the lids a photo begins to tell how its eyeballs look."""


def how_open(eye: Eye) -> Numbers:
    """How much of its eyeballs a photo tells, 0 to 1."""
    return ((eye.lower.bow - eye.upper.bow - SHUT[0]) / (SHUT[1] - SHUT[0])).clip(0, 1)


def eye_of(u: Numbers, v: Numbers) -> Eye:
    """Of `MARKS` in a frame."""
    look_u, look_v = u[..., 11:12], v[..., 11:12]
    rim_u, rim_v = u[..., 12:16] - look_u, v[..., 12:16] - look_v
    radius = ((rim_u * rim_u + rim_v * rim_v) ** 0.5).mean(-1)[..., None]
    upper, lower = (_lid(u[..., part], v[..., part]) for part in (slice(2, 4), slice(4, 6)))
    return Eye(upper, lower, look_u, look_v, radius)


def _lid(u: Numbers, v: Numbers) -> Lid:
    """Through two points."""
    u = u.clip(-FARTHEST_LID, FARTHEST_LID)
    bow = v / (1 - u * u)
    slant = (bow[..., 1:] - bow[..., :1]) / (u[..., 1:] - u[..., :1]).clip(0.2)
    return Lid(bow[..., :1] - slant * u[..., :1], slant)


def _line(u: Numbers, v: Numbers) -> Line:
    """Nearest to points (least squares)."""
    middle, height = u.mean(-1)[..., None], v.mean(-1)[..., None]
    away = u - middle
    slope = (away * (v - height)).mean(-1)[..., None] / (away * away).mean(-1)[..., None].clip(0.1)
    return Line(height - slope * middle, slope)


class Turn(NamedTuple):
    """From a pose into the photo's frames.

    Attributes:
        here: the frame in the pose.
        slant, tall: what one v of the pose is in u and v of the photo, as the head has turned.
        bulge: how far a turned eye bulges to the side between its corners.
    """

    here: Frame
    slant: Numbers
    tall: Numbers
    bulge: Numbers

    def in_photo(self, u: Numbers, v: Numbers) -> tuple[Numbers, Numbers]:
        """From the pose's frame into the photo's."""
        u, v = u + self.slant * v, self.tall * v
        return u - self.bulge * swell_at(u), v

    def in_pose(self, u: Numbers, v: Numbers) -> tuple[Numbers, Numbers]:
        """The inverse of `in_photo`."""
        v = v / self.tall
        bulged = u
        for _ in range(3):
            bulged = u + self.bulge * swell_at(bulged)
        return bulged - self.slant * v, v


class Pose(NamedTuple):
    """Both eyes in a pose, told in the photo's frames: what moves in them, u of `MARKS`, and the line along the upper edge of the brow."""

    turn: Turn
    eye: Eye
    marks_u: Numbers
    brow: Line


class Still(NamedTuple):
    """Both eyes of a photo, in their frames; ``lids_u`` is the mean u of the lids' landmarks, ``marks_v`` of all `MARKS`, ``brow`` the line
    along the brow's upper edge."""

    frame: Frame
    eye: Eye
    lids_u: Numbers
    marks_v: Numbers
    brow: Line


def still_of(x: Numbers, y: Numbers) -> Still:
    """Of a photo's `MARKS`."""
    frame = frame_of(x, y)
    u, v = frame.place(x, y)
    return Still(frame, eye_of(u, v), _middle_of_lids(u), v, _line(u[..., 6:11], v[..., 6:11]))


def pose_of(
    x: Numbers, y: Numbers, linear: tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]], still: Still
) -> Pose:
    """Of the pose's `MARKS`.

    Args:
        linear: rows of the linear part of where the head comes from, pose -> photo.
    """
    here, there = frame_of(x, y), still.frame
    size = here.half / there.half
    down_x, down_y = (size * (row[1] * here.along_x - row[0] * here.along_y) for row in linear)
    slant = down_x * there.along_x + down_y * there.along_y
    tall = (down_y * there.along_x - down_x * there.along_y).clip(0.4, 2.5)
    u, v = here.place(x, y)
    bulge = (_middle_of_lids(u + slant * v) - still.lids_u).clip(-BULGE, BULGE)
    turn = Turn(here, slant, tall, bulge)
    u, v = turn.in_photo(u, v)
    eye = eye_of(u, v)
    eye = eye._replace(look_u=eye.look_u.clip(-FARTHEST_LOOK, FARTHEST_LOOK))
    return Pose(turn, eye, u, _line(u[..., 6:11], v[..., 6:11]))


def _middle_of_lids(u: Numbers) -> Numbers:
    return u[..., 2:6].mean(-1)[..., None]


class Misses(NamedTuple):
    """By how much the networks' motion misses lids and brows: v of the photo that is wanted at their edges less v that comes. How
    surely each eye shuts, and is quite shut, 0 to 1."""

    upper: Lid
    lower: Lid
    brow: Line
    shutting: Numbers
    quite_shut: Numbers


def looked_at(xp: Any, pose: Pose, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """x and y in the pose of what `misses_of` asks for: five places of the upper lid's edge, five of the lower one's, five of the brow.

    Args:
        xp: numpy, or torch.
        x, y: of the pose's `MARKS`.
    """
    zero = 0 * x[..., :1]
    u = xp.concat([zero + place for place in ALONG], -1)
    swell = swell_at(u)
    edges = [pose.turn.in_pose(u, lid.at(u, swell)) for lid in (pose.eye.upper, pose.eye.lower)]
    at = [pose.turn.here.back(*edge) for edge in edges]
    return xp.concat([at[0][0], at[1][0], x[..., 6:11]], -1), xp.concat(
        [at[0][1], at[1][1], y[..., 6:11]], -1
    )


def misses_of(still: Still, pose: Pose, x: Numbers, y: Numbers) -> Misses:
    """Args: x, y: of the photo, from where the networks take what `looked_at` says."""
    u, v = still.frame.place(x, y)
    ratio = (pose.eye.lower.bow - pose.eye.upper.bow) / (still.eye.lower.bow - still.eye.upper.bow).clip(0.1)
    shut, shutting, quite_shut = (((none - ratio) / (none - whole)).clip(0, 1) for none, whole in SHUTS)
    lids = list[Lid]()
    for lid, part in ((still.eye.upper, slice(0, 5)), (still.eye.lower, slice(5, 10))):
        missed = _believed(lid.at(u[..., part], swell_at(u[..., part])) - v[..., part], shut)
        lids.append(
            Lid(
                *(sum(weight * missed[..., i : i + 1] for i, weight in enumerate(weights)) for weights in FIT)
            )
        )
    brow = _line(pose.marks_u[..., 6:11], _believed(still.marks_v[..., 6:11] - v[..., 10:], shut))
    return Misses(lids[0], lids[1], brow, shutting, quite_shut)


def _believed(missed: Numbers, shut: Numbers) -> Numbers:
    missed = missed.clip(-FARTHEST_MISS, FARTHEST_MISS)
    sure = ((abs(missed) - DOUBT[0]) / (DOUBT[1] - DOUBT[0])).clip(0, 1)
    return missed * (sure + shut * (1 - sure))


class Seen(NamedTuple):
    """What pixels show, in the photo's frames.

    Attributes:
        u, v: where they would come from if nothing but the head had moved.
        under, over: how far they are below the upper lid's edge and above the lower lid's.
        brow: by how much more v they come as skin of brow or upper lid than the networks say, which is all above the eye.
        cheek: the same for skin of lower lid or cheek, which is all below; between the lids, their edge.
        upper, lower: v of the photo from which skin between brow and upper lid, and of lower lid and cheek, comes where an eye shuts.
        shutting_above, shutting_below: how surely it does. In so far the networks' motion does not count: it leaves the iris where it was,
            which would then be seen through the lid.
        weight: how surely they belong to the eye's surroundings, 0 to 1.
        lid: how surely they are lids, which are moved and never painted.
    """

    u: Numbers
    v: Numbers
    under: Numbers
    over: Numbers
    brow: Numbers
    cheek: Numbers
    upper: Numbers
    lower: Numbers
    shutting_above: Numbers
    shutting_below: Numbers
    weight: Numbers
    lid: Numbers

    def above(self, v: Numbers) -> Numbers:
        """By how much more v than the networks' ``v`` pixels come as skin above the eye."""
        return self.brow + self.shutting_above * (self.upper - v - self.brow)

    def below(self, v: Numbers) -> Numbers:
        """The same below it."""
        return self.cheek + self.shutting_below * (self.lower - v - self.cheek)


def seen(xp: Any, still: Still, shown: Numbers, pose: Pose, misses: Misses, x: Numbers, y: Numbers) -> Seen:
    """Of pixels at x, y.

    Args:
        xp: numpy, or torch.
        shown: how much of its eyeballs a photo tells; where that is nothing they move with the lids.
    """
    own_u, own_v = pose.turn.here.place(x, y)
    u, v = pose.turn.in_photo(own_u, own_v)
    swell = swell_at(u)
    now_lower = pose.eye.lower.at(u, swell)
    now_upper = xp.minimum(pose.eye.upper.at(u, swell), now_lower)  # lids meet and never cross
    gap = now_lower - now_upper
    # Where lids come together, the last of the eyeball at the photo's edges is left out.
    lower_edge, upper_edge = still.eye.lower.at(u, swell), still.eye.upper.at(u, swell)
    closing = CLEAN * (1 - 2 * gap / (lower_edge - upper_edge).clip(1e-3)).clip(0, 1)
    upper, lower, brow = (
        misses.upper.at(u, swell) - closing,
        misses.lower.at(u, swell) + closing,
        misses.brow.at(u),
    )
    # A brow moves as a whole; from there to the lid's edge skin is stretched or squeezed.
    top = xp.minimum(pose.brow.at(u), now_upper - NEAREST_BROW)
    to_lid = (1 - (now_upper - v) / ((1 - BROW) * (now_upper - top))).clip(0, 1)
    own_top = xp.minimum(still.brow.at(u), upper_edge - NEAREST_BROW)
    own_brow = own_top + BROW * (upper_edge - own_top)
    upper_skin = own_brow + to_lid * (upper_edge - closing - own_brow) + (v - now_upper).clip(0)
    bottom = xp.maximum(lower_edge, now_lower) + UNDER_LID
    between = ((v - now_upper) / gap.clip(1e-3)).clip(0, 1)
    beside, above = ASIDE - abs(own_u), xp.minimum(v - top + OVER_BROW, own_v + ABOVE)
    to_end = xp.minimum(xp.minimum(beside, above), xp.minimum(bottom - v, BELOW - own_v))
    weight, to_cheek = (to_end * (1 / SOFT)).clip(0, 1), ((bottom - v) / (bottom - now_lower)).clip(0, 1)
    own_lower = lower_edge + closing
    lower_skin = bottom + to_cheek * (own_lower - bottom) - (now_lower - v).clip(0)
    shutting = misses.shutting * ((AT_CORNERS[1] - abs(u)) / (AT_CORNERS[1] - AT_CORNERS[0])).clip(0, 1)
    return Seen(
        u,
        v,
        under=v - now_upper,
        over=now_lower - v,
        brow=brow + to_lid * (upper - brow),
        cheek=(lower + (1 - shown) * (1 - between) * (upper - lower)) * to_cheek,
        upper=upper_skin,
        lower=lower_skin,
        shutting_above=shutting * (to_lid / FROM_FAR).clip(0, 1),
        shutting_below=shutting * (to_cheek / FROM_FAR).clip(0, 1),
        weight=weight,
        lid=weight * xp.minimum(((1 + misses.quite_shut) * to_lid).clip(0, 1), to_cheek),
    )


UPPER_SHADOW, LOWER_SHADOW = (0.5, 0.3), (0.15, 0.15)
"""How dark the shadow of each lid is on the eyeball, and how far it falls."""


def shade(under: Numbers, over: Numbers) -> Numbers:
    """Light on the eyeball, 0 to 1, at these distances from the lids."""
    (dark, reach), (lower_dark, lower_reach) = UPPER_SHADOW, LOWER_SHADOW
    near, lower_near = 1 - (under / reach).clip(0, 1), 1 - (over / lower_reach).clip(0, 1)
    return (1 - dark * near * near) * (1 - lower_dark * lower_near * lower_near)
