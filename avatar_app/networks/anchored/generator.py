"""First-order motion with key points anchored to face landmarks: the network of the default model.

The original method learns where key points and their Jacobians are. Here the key points are landmarks that a separate,
supervised network finds, and each Jacobian is *estimated* from how the landmarks around it moved. What is left to learn is
which anchor moves which pixel, what is hidden, and how to paint it; that needs far less data and time.

Shapes: B batch, P landmarks (88), K anchors, H = W the picture's side (a multiple of 32), grids in [-1, 1] with
``align_corners=True`` throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.errors import ConfigError
from avatar_app.networks.anchored.matte import CHIN, TOP, PersonMatte, background, head_places, matte
from avatar_app.networks.anchored.skull import skull_size, turned_skull
from avatar_app.networks.blocks import conv
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.painters import FacePainter, FaceRegions, look_at, paste

LANDMARKS = 88

# Anchors: every landmark that moves on its own; of dense curves (jaw, brows, irises) every other point is enough.
DEFAULT_ANCHORS = (
    *(0, 2, 4, 6, 8, 10, 12, 14, 16),
    *(17, 19, 21, 22, 24, 26),
    *(27, 30, 31, 33, 35),
    *range(36, 48),
    *(48, 50, 51, 52, 54, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 67),
    *(68, 73),
    *range(78, 88),
)

PARTED = 0.1
"""Gap between the lips, over the length of the nose, from which a photo shows the inside of the mouth."""

LIP_EDGE = 0.02
"""Over this distance the inside of an opened mouth becomes lip, in half sides of the picture."""

BODY_BLUR = 6 / 64
"""Standard deviation, in sides of the picture, over which the motion of the body is smoothed."""

FACE_ENDS = 0.85, 1.0
"""Between these distances, in half axes of the ellipse around the landmarks, painting fades out."""

HAIR_BEGINS = 1.0, 1.15
"""Between these distances from the face the motion of long hair becomes that of its surroundings."""

HAIR_BLUR = 2 / 64
"""Standard deviation, in sides of the picture, of these surroundings."""

FARTHEST = 1.2
"""Nothing moves farther than the landmarks that move farthest, times this."""

# Landmarks drawn together into one channel of the sketch that tells the network what the face should look like.
SKETCH_GROUPS = (
    tuple(range(0, 17)),  # jaw
    tuple(range(17, 22)),  # right brow
    tuple(range(22, 27)),  # left brow
    tuple(range(27, 36)),  # nose
    (36, 39, 42, 45),  # eye corners
    (37, 38),  # right upper lid
    (40, 41),  # right lower lid
    (43, 44),  # left upper lid
    (46, 47),  # left lower lid
    (68, 73),  # irises
    tuple(range(48, 55)),  # outer upper lip
    (54, 55, 56, 57, 58, 59, 48),  # outer lower lip
    (60, 61, 62, 63, 64),  # inner upper lip
    (64, 65, 66, 67, 60),  # inner lower lip
)


@dataclass(frozen=True, slots=True)
class AnchoredConfig:
    """Sizes of the anchored network.

    Attributes:
        size: side of the pictures at run time, pixels.
        anchors: the landmarks that serve as key points.
        channels: encoder widths at 1/2, 1/4 and 1/8 of the side.
        blocks: residual blocks at 1/8.
        motion_channels: widths of the dense-motion U-Net at 1/8, 1/16 and 1/32.
        photo_channels: photo features shown to the dense-motion network.
        matte: whether the model knows person from background, which then stands still (`matte`).
        detail: photo and result have so many times the side: what is only moved keeps the photo's own sharpness.
        regions: whether the model has painters of mouth and eyes (`networks.painters`), which take expression codes.
    """

    size: int = 256
    anchors: tuple[int, ...] = DEFAULT_ANCHORS
    channels: tuple[int, int, int] = (24, 48, 96)
    blocks: int = 3
    motion_channels: tuple[int, int, int] = (48, 96, 128)
    photo_channels: int = 16
    matte: bool = False
    detail: int = 1
    regions: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AnchoredConfig:
        """Strict: raises ConfigError on an unknown key."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            message = f"Unknown key in the network configuration: {', '.join(unknown)}."
            raise ConfigError(message, f"Known keys: {', '.join(sorted(known))}.")
        checked: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**checked)


class Features(NamedTuple):
    """Everything that depends on the photo alone, computed once per photo.

    Attributes:
        image: (B, 3, H, W) the photo, `detail` times as large as the networks' pictures.
        half: learned features at half the networks' side, and the photo itself.
        person: (B, 1, H, W) share of person in each pixel, all 1 without a matte.
        background: (B, 3, H, W) the photo without the person.
        body: (B, 1, h, w) the share of person at the size of the flow.
        skull: (B, 2) of `skull_size`.
        mouth_half to eyes_eighth: of `painters.FaceRegions`; of one number each without painters.
    """

    image: Tensor
    half: Tensor
    quarter: Tensor
    eighth: Tensor
    motion: Tensor
    points: Tensor
    person: Tensor
    background: Tensor
    body: Tensor
    skull: Tensor
    mouth_half: Tensor
    mouth_quarter: Tensor
    mouth_eighth: Tensor
    eyes_half: Tensor
    eyes_quarter: Tensor
    eyes_eighth: Tensor

    @property
    def regions(self) -> FaceRegions:
        return FaceRegions(*self[-len(FaceRegions._fields) :])


class Rendered(NamedTuple):
    """A picture and the parts it was made of: for losses, and ``colours`` of the person and ``places`` for `layer.moved_layer`."""

    image: Tensor
    warped: Tensor
    alpha: Tensor
    flow: Tensor
    offset: Tensor
    painted: Tensor
    colours: Tensor
    places: Tensor


def draw_sketch(points: Tensor, size: int) -> Tensor:
    """Landmarks (B, P, 2) as soft dots one cell wide, one channel a group: (B, len(SKETCH_GROUPS), size, size)."""
    cell = 2 / (size - 1)
    line = torch.linspace(-1, 1, size, device=points.device, dtype=points.dtype)
    across = torch.exp(-0.5 * ((line - points[..., 0:1]) / cell) ** 2)
    down = torch.exp(-0.5 * ((line - points[..., 1:2]) / cell) ** 2)
    dots = down[..., :, None] * across[..., None, :]
    return torch.stack([dots[:, list(group)].amax(1) for group in SKETCH_GROUPS], dim=1)


def inverse_2x2(m: Tensor) -> Tensor:
    """Inverse of (..., 2, 2) matrices in closed form (it exports to ONNX, unlike ``torch.linalg.inv``)."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def face_scale(points: Tensor) -> Tensor:
    """(B, 1, 1) root mean square distance of the points (B, K, 2) from their centre."""
    centred = points - points.mean(1, keepdim=True)
    return (centred**2).sum(-1, keepdim=True).mean(1, keepdim=True).sqrt()


def estimate_jacobians(source: Tensor, driving: Tensor) -> Tensor:
    """Local affine maps from driving to source offsets around each anchor, (B, K, 2, 2).

    Weighted least squares over the anchors near each one (nearness measured in the photo), with a ridge towards the
    face's global affine map: stands for J_k = J^S_k (J^D_k)^-1 of FOMM equation 4.
    """
    scale = face_scale(source)
    eye = torch.eye(2, device=source.device, dtype=source.dtype)
    centred_source = source - source.mean(1, keepdim=True)
    centred_driving = driving - driving.mean(1, keepdim=True)
    spread = (centred_driving.transpose(1, 2) @ centred_driving) / source.shape[1]
    joint = (centred_source.transpose(1, 2) @ centred_driving) / source.shape[1]
    common = joint @ inverse_2x2(spread + 1e-4 * eye)

    from_source = source[:, None] - source[:, :, None]
    from_driving = driving[:, None] - driving[:, :, None]
    near = torch.exp(-0.5 * (from_source**2).sum(-1) / (0.3 * scale) ** 2)
    near = near / near.sum(2, keepdim=True)
    ridge = (0.12 * scale[..., None]) ** 2
    spread = (near[..., None] * from_driving).transpose(2, 3) @ from_driving + ridge * eye
    joint = (near[..., None] * from_source).transpose(2, 3) @ from_driving + ridge * common[:, None]
    return joint @ inverse_2x2(spread)


def resize(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=True)


def enlarge(x: Tensor, times: int) -> Tensor:
    """Larger pictures, each pixel's middle where it was."""
    return (
        x if times == 1 else F.interpolate(x, scale_factor=float(times), mode="bilinear", align_corners=False)
    )


def blur(x: Tensor) -> Tensor:
    """The mean over 3 x 3 pixels with the binomial weights 1 2 1: what is left of the pattern that `F.pixel_shuffle` begins with goes."""
    kernel = torch.tensor([0.25, 0.5, 0.25], device=x.device, dtype=x.dtype)
    channels = x.shape[1]
    weight = (kernel[:, None] * kernel).expand(channels, 1, 3, 3)
    blurred: Tensor = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, groups=channels)
    return blurred


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def warp(x: Tensor, flow: Tensor, beyond: str = "border") -> Tensor:
    """Backward warp of (B, C, h, w) by a flow (B, 2, h', w') of source coordinates, resized to h x w.

    Args:
        beyond: what is outside: the nearest pixel ("border"), or the picture mirrored ("reflection").
    """
    if flow.shape[-1] != x.shape[-1]:
        flow = resize(flow, x.shape[-1])
    moved: Tensor = F.grid_sample(
        x, flow.permute(0, 2, 3, 1), mode="bilinear", padding_mode=beyond, align_corners=True
    )
    return moved


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(self.first(x))
        return x + changed


class DenseMotion(nn.Module):
    """From two sets of anchors to one backward flow, occlusion maps and a context for the decoder (FOMM section 3.2).

    The softmax over anchors starts from a prior: a pixel follows the anchors near it and stays still far from all of them.
    """

    def __init__(self, config: AnchoredConfig) -> None:
        super().__init__()
        groups, photo, widths = len(SKETCH_GROUPS), config.photo_channels, config.motion_channels
        self.anchors = list(config.anchors)
        self.log_reach = nn.Parameter(torch.full((len(config.anchors),), -1.3))
        self.rest = nn.Parameter(torch.tensor(3.0))
        self.stem = conv(2 * (photo + 3) + 2 * groups + 3, widths[0], 3, 2)
        self.down1 = conv(widths[0], widths[1], 3, 2)
        self.down2 = conv(widths[1], widths[2], 3, 2)
        self.middle = conv(widths[2], widths[2])
        self.up1 = conv(widths[2], widths[1])
        self.merge1 = conv(2 * widths[1], widths[1])
        self.up0 = conv(widths[1], widths[0])
        self.merge0 = conv(2 * widths[0], widths[0])
        self.mask = nn.Conv2d(widths[0], len(config.anchors) + 1, 3, padding=1)
        self.fine = nn.Conv2d(widths[0], 5, 3, padding=1)
        # All zero: training starts from the prior alone, with no free offset.
        for parameter in (*self.mask.parameters(), *self.fine.parameters()):
            nn.init.zeros_(parameter)

    def prior(self, driving: Tensor, size: int) -> Tensor:
        """(B, K+1, size, size) logits before learning; channel 0 is the still background."""
        reach = self.log_reach.exp()[None, :, None] * face_scale(driving)
        line = torch.linspace(-1, 1, size, device=driving.device, dtype=driving.dtype)
        across = -0.5 * ((line - driving[..., 0:1]) / reach) ** 2
        down = -0.5 * ((line - driving[..., 1:2]) / reach) ** 2
        near = down[..., :, None] + across[..., None, :]
        return torch.cat([(-self.rest).expand_as(near[:, :1]), near], 1)

    @staticmethod
    def mix(weights: Tensor, affine: Tensor) -> Tensor:
        """Sum over k of weight_k (A_k z + b_k): weights (B, K+1, h, w), affine (B, K+1, 6) -> flow (B, 2, h, w).

        The sum of affine maps is itself an affine map at each pixel, so the K + 1 candidate flows are never stored.
        """
        maps = torch.einsum("bkp,bkhw->bphw", affine, weights)
        z = coordinate_grid(weights.shape[2], weights.shape[3], weights.device).permute(2, 0, 1)
        x = maps[:, 0] * z[0] + maps[:, 1] * z[1] + maps[:, 4]
        y = maps[:, 2] * z[0] + maps[:, 3] * z[1] + maps[:, 5]
        return torch.stack([x, y], 1)

    def candidates(self, source: Tensor, driving: Tensor) -> Tensor:
        """(B, K+1, 6) affine maps z -> J_k (z - d_k) + s_k as (J row-major, offset); the first is the identity."""
        jacobians = estimate_jacobians(source, driving)
        offsets = source - (jacobians @ driving[..., None])[..., 0]
        moved = torch.cat([jacobians.flatten(2), offsets], 2)
        still = torch.tensor(
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], device=moved.device, dtype=moved.dtype
        ).expand_as(moved[:, :1])
        return torch.cat([still, moved], 1)

    def forward(self, features: Features, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Returns flow (B, 2, H/4, H/4), its free offset, occlusion (B, 3, H/4, H/4), context at H/8, the driving sketch."""
        source, driving = features.points[:, self.anchors], points[:, self.anchors]
        size = features.motion.shape[-1]
        affine = self.candidates(source, driving)
        prior = self.prior(driving, size)
        weights = prior.softmax(1)
        coarse = self.mix(weights, affine)
        sketch = draw_sketch(points, size)
        still = coordinate_grid(size, size, points.device).permute(2, 0, 1)
        seen = torch.cat(
            [
                features.motion,
                warp(features.motion, coarse),
                draw_sketch(features.points, size),
                sketch,
                coarse - still,
                weights[:, :1],
            ],
            1,
        )
        x0 = self.stem(seen)
        x1 = self.down1(x0)
        x2 = self.middle(self.down2(x1))
        x1 = self.merge1(torch.cat([self.up1(double(x2)), x1], 1))
        context = self.merge0(torch.cat([self.up0(double(x1)), x0], 1))
        weights = (prior + resize(self.mask(context), size)).softmax(1)
        fine = resize(self.fine(context), size)
        offset = 0.1 * fine[:, :2]
        return self.mix(weights, affine) + offset, offset, torch.sigmoid(fine[:, 2:] + 2), context, sketch


def whole_head(flow: Tensor, body: Tensor, skull: Tensor, points: Tensor, still: Tensor) -> Tensor:
    """The flow (B, 2, s, s) where no landmark is, put right: shoulders, long hair, the upper head.

    Args:
        body, skull: as in `Features`.
        points, still: (B, P, 2), of the pose and of the photo.
    """
    side = flow.shape[-1]
    flow = whole_hair(calm_body(bounded(flow, points, still), body, points), body, points, still)
    return turned_skull(flow, skull, points, still, face_distance(points, side), head_places(points, side)[1])


def bounded(flow: Tensor, points: Tensor, still: Tensor) -> Tensor:
    """The flow (B, 2, s, s) that moves nothing much further than any landmark moves.

    Far from all of them the motion of the nearest goes on and on: squeezed behind a turned head's outline, what is a little farther out
    would come from the other end of the photo.

    Args:
        points, still: (B, P, 2), of the pose and of the photo.
    """
    grid = coordinate_grid(flow.shape[-1], flow.shape[-1], flow.device).permute(2, 0, 1)[None]
    farthest = FARTHEST * (still - points)
    low, high = farthest.amin(1).clamp_max(0), farthest.amax(1).clamp_min(0)
    limited: Tensor = grid + torch.maximum(
        torch.minimum(flow - grid, high[..., None, None]), low[..., None, None]
    )
    return limited


def calm_body(flow: Tensor, body: Tensor, points: Tensor) -> Tensor:
    """The flow (B, 2, s, s) with hair over the forehead, neck and shoulders moved smoothly, and less and less towards the lower edge.

    Few clips show how shoulders move, and no landmark is on them: what is learned there is as restless as clothes are. Without the
    fading, the photo's lowest row would be stretched into streaks whenever the head rises.

    Args:
        body: (B, 1, s, s) share of person in the photo.
        points: (B, P, 2), of the pose.
    """
    side = flow.shape[-1]
    grid = coordinate_grid(side, side, flow.device).permute(2, 0, 1)[None]
    beside, above = head_places(points, side)
    # Under the chin, or under the ears and farther out than they are: a shoulder beside a bowed head.
    under = ((-above - 0.05) / 0.25).clamp(0, 1)
    outside = ((beside - 0.6) / 0.2).clamp(0, 1) * ((0.5 - above) / 0.2).clamp(0, 1)
    # Over the forehead hair ends where the background begins: pulled between the two, its tips would become streaks.
    over = ((above - 1.1) / 0.2).clamp(0, 1)
    restless = torch.maximum(torch.maximum(under, outside), over)
    fade = ((1 - grid[:, 1:]) / (1 - points[:, CHIN, 1:, None, None]).clamp_min(0.15)).clamp(0, 1)
    moved, here = flow - grid, warp(body, flow) + 1e-3
    spread = gaussian_matrix(side, BODY_BLUR * side, flow)
    sums = spread @ torch.cat([moved * here, here], 1) @ spread.t()
    calm: Tensor = flow + restless * (fade * sums[:, :2] / sums[:, 2:] - moved)
    return calm


def whole_hair(flow: Tensor, body: Tensor, points: Tensor, still: Tensor) -> Tensor:
    """The flow (B, 2, s, s) with long hair beside the face moved as what is around it, so that no turn of the head tears it.

    With short hair there is nothing to tear, and the ear that a turn should hide would be drawn out from behind the cheek.

    Args:
        body: (B, 1, s, s) share of person in the photo.
        points, still: (B, P, 2), of the pose and of the photo.
    """
    side = flow.shape[-1]
    grid = coordinate_grid(side, side, flow.device).permute(2, 0, 1)[None]
    distance, above = face_distance(still, side), head_places(still, side)[1]
    beside = ((distance > 1.15) & (distance < 1.5) & (above > 0.2) & (above < 0.7)).to(flow.dtype)
    share = (beside * body).sum((2, 3), keepdim=True) / beside.sum((2, 3), keepdim=True).clamp_min(1)
    long = ((share - 0.4) / 0.3).clamp(0, 1)
    moved, here = flow - grid, warp(body, flow) + 1e-2
    spread = gaussian_matrix(side, HAIR_BLUR * side, flow)
    sums = spread @ torch.cat([moved * here, here], 1) @ spread.t()
    at_hair = ((face_distance(points, side) - HAIR_BEGINS[0]) / (HAIR_BEGINS[1] - HAIR_BEGINS[0])).clamp(0, 1)
    whole: Tensor = flow + long * at_hair * (sums[:, :2] / sums[:, 2:] - moved)
    return whole


def opened_mouth(source: Tensor, driving: Tensor, places: Tensor) -> Tensor:
    """(B, N) how surely a place is inside a mouth of which the photo shows nothing: there one must paint, for moved lips are no teeth.

    Args:
        source, driving: (B, P, 2), of the photo and the pose.
        places: (2, N) in [-1, 1], x first.
    """
    nose = (source[:, 27] - source[:, 33]).norm(dim=1, keepdim=True).clamp_min(1e-3)
    apart = (source[:, 61:64] - source[:, 65:68].flip(1)).norm(dim=2).mean(1, keepdim=True) / nose
    closed = (1 - apart / PARTED).clamp(0, 1)
    along = driving[:, 64] - driving[:, 60]
    width = along.norm(dim=1, keepdim=True).clamp_min(1e-3)
    along = along / width
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    upper, lower = driving[:, 61:64], driving[:, 65:68].flip(1)
    height = ((lower - upper) * across[:, None]).sum(2).mean(1, keepdim=True).clamp_min(1e-3)
    away = places[None] - driving[:, 60:68].mean(1)[:, :, None]
    x = (away * along[:, :, None]).sum(1) / (0.5 * width)
    y = (away * across[:, :, None]).sum(1) / (0.55 * height)
    inside: Tensor = closed * ((1 - (x * x + y * y + 1e-6).sqrt()) * height / LIP_EDGE).clamp(0, 1)
    return inside


def beyond_face(points: Tensor, side: int) -> Tensor:
    """(B, 1, side, side) how surely a pixel lies outside the face; there the photo is moved and nothing painted.

    Hair that a turning head uncovers is painted as a mixture of hair and background, since it may have been either. Once the person
    is cut out of the photo the background needs no painter, and hair that is stretched still looks like hair.

    Args:
        points: (B, P, 2), of the pose.
    """
    beyond: Tensor = ((face_distance(points, side) - FACE_ENDS[0]) / (FACE_ENDS[1] - FACE_ENDS[0])).clamp(
        0, 1
    )
    return beyond


def face_distance(points: Tensor, side: int) -> Tensor:
    """(B, 1, side, side) how far every pixel is from the middle of the landmarks, in half axes of the ellipse around them."""
    up = points[:, TOP] - points[:, CHIN]
    up = up / up.norm(dim=1, keepdim=True).clamp_min(1e-3)
    line = torch.linspace(-1, 1, side, device=points.device, dtype=points.dtype)
    squares = []
    for axis in (torch.stack([-up[:, 1], up[:, 0]], 1), up):
        face = (points * axis[:, None]).sum(2)
        low, high = face.amin(1, keepdim=True), face.amax(1, keepdim=True)
        # Column and row of a pixel each add their part, so nothing but their sum is as large as the picture.
        scaled = 2 * axis / (high - low).clamp_min(1e-3)
        middle = (low + high) / (high - low).clamp_min(1e-3)
        across = scaled[:, :1] * line
        down = scaled[:, 1:] * line - middle
        squares.append((across[:, None] + down[:, :, None]).square())
    return (squares[0] + squares[1]).sqrt()[:, None]


def gaussian_matrix(side: int, sigma: float, like: Tensor) -> Tensor:
    """(side, side): a product with it blurs columns; what lies outside does not count."""
    line = torch.arange(side, device=like.device, dtype=like.dtype)
    # Smaller numbers than these have products below the normal ones, with which a processor takes ten times as long.
    weights = torch.exp((-0.5 * ((line[:, None] - line) / sigma) ** 2).clamp_min(-30))
    return weights / weights.sum(1, keepdim=True)


class AnchoredGenerator(nn.Module):
    """``encode`` a photo once, then ``decode`` it for every pose."""

    def __init__(self, config: AnchoredConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.channels
        groups = len(SKETCH_GROUPS)
        self.config = config
        self.encode_half = conv(3, half, 5, 2)
        self.encode_quarter = nn.Sequential(conv(half, quarter, 3, 2), conv(quarter, quarter))
        self.encode_eighth = nn.Sequential(conv(quarter + groups, eighth, 3, 2), conv(eighth, eighth))
        self.encode_motion = conv(quarter, config.photo_channels, 1)
        self.dense_motion = DenseMotion(config)
        self.bottleneck = nn.Sequential(
            conv(eighth + config.motion_channels[0], eighth),
            *[ResidualBlock(eighth) for _ in range(config.blocks)],
        )
        self.up_quarter = conv(eighth, quarter)
        self.merge_quarter = conv(2 * quarter + groups, quarter)
        self.up_half = conv(quarter, half)
        self.merge_half = conv(2 * half + 3, half)
        self.paint = nn.Conv2d(half, 16, 3, padding=1)
        self.matte = PersonMatte() if config.matte else None
        self.regions = FacePainter() if config.regions else None

    def encode(self, image: Tensor, points: Tensor) -> Features:
        """Photo (B, 3, H, W) in [0, 1] and its landmarks (B, P, 2)."""
        detail = self.config.detail
        small = F.avg_pool2d(image, detail) if detail > 1 else image
        half = self.encode_half(small)
        quarter = self.encode_quarter(half)
        half = torch.cat([half, F.avg_pool2d(small, 2)], 1)
        sketch = draw_sketch(points, quarter.shape[-1])
        eighth = self.encode_eighth(torch.cat([quarter, sketch], 1))
        thumbnail = F.avg_pool2d(small, 4)
        person = torch.ones_like(image[:, :1]) if self.matte is None else matte(self.matte, image, points)
        behind = image if self.matte is None else background(image, person)
        motion = torch.cat([thumbnail, self.encode_motion(quarter)], 1)
        body = F.avg_pool2d(person, image.shape[-1] // motion.shape[-1])
        nothing = image[:, :1, :1, :1]
        regions = (
            [nothing] * len(FaceRegions._fields)
            if self.regions is None
            else self.regions.photo(image, points)
        )
        skull = skull_size(body, points)
        return Features(image, half, quarter, eighth, motion, points, person, behind, body, skull, *regions)

    def decode(self, features: Features, points: Tensor, code: Tensor | None = None) -> Rendered:
        """The photo moved to the landmarks (B, P, 2), with the expression of the codes (B, 24) if there are painters."""
        flow, offset, occlusion, context, sketch = self.dense_motion(features, points)
        if self.matte is not None:
            flow = whole_head(flow, features.body, features.skull, points, features.points)
        half = warp(features.half, flow)

        x = warp(features.eighth, flow) * resize(occlusion[:, 0:1], features.eighth.shape[-1])
        x = self.bottleneck(torch.cat([x, context], 1))
        x = self.up_quarter(double(x))
        x = self.merge_quarter(torch.cat([x, warp(features.quarter, flow) * occlusion[:, 1:2], sketch], 1))
        x = self.up_half(double(x))
        kept = half[:, :-3] * resize(occlusion[:, 2:3], half.shape[-1])
        x = self.merge_half(torch.cat([x, kept, half[:, -3:]], 1))
        layers = F.pixel_shuffle(self.paint(x), 2)
        side = layers.shape[-1]
        places = coordinate_grid(side, side, points.device).permute(2, 0, 1).flatten(1)
        share = torch.sigmoid(layers[:, 3:] + 1)
        if self.regions is None:
            share = share * (1 - opened_mouth(features.points, points, places).reshape(-1, 1, side, side))
        if self.matte is not None:
            share = torch.maximum(share, resize(beyond_face(points, flow.shape[-1]), side))
        layers = enlarge(blur(torch.cat([torch.sigmoid(layers[:, :3]), share], 1)), self.config.detail)
        painted, alpha = layers[:, :3], layers[:, 3:]
        places = resize(flow, features.image.shape[-1])
        # Beyond the photo's sides its mirror image: hair goes on as hair, not as stripes; but above it no head stands upside down.
        below_top = torch.cat([places[:, :1], places[:, 1:].clamp_min(-1)], 1)
        moved = warp(torch.cat([features.image, features.person], 1), below_top, beyond="reflection")
        warped, person = moved[:, :3], moved[:, 3:]
        image = alpha * warped + (1 - alpha) * painted
        if self.regions is not None and code is not None:
            image = paste(image, self.regions(features.regions, look_at(features.image), flow, points, code))
        colours = image
        if self.matte is not None:
            image = person * colours + (1 - person) * features.background
        return Rendered(image, warped, alpha, flow, offset, painted, colours, places)

    def forward(self, image: Tensor, source_points: Tensor, driving_points: Tensor) -> Rendered:
        return self.decode(self.encode(image, source_points), driving_points)
