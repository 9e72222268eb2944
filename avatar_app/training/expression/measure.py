"""How well painters do on people whom they never saw.

The inside of the mouth, shut eyes.

python -m avatar_app.training.expression.measure PAIRS RUN/mouth/checkpoint.pt RUN/eye/checkpoint.pt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from avatar_app.networks.expression import CodeReader
from avatar_app.networks.regions import sketch_of
from avatar_app.training.checkpoint import load_checkpoint
from avatar_app.training.expression.crops import CropStore, near_opening, to_read
from avatar_app.training.expression.loop import REGIONS, paint

OPEN = 0.03
"""Gap of the lips, in distances of the eyes' corners, from which a mouth has an inside to measure."""
SHUT = 0.5
"""Blink score from which eyes are shut."""


def load(checkpoint: Path, name: str) -> dict[str, nn.Module]:
    """The averaged reader and painter of one region."""
    region, make = REGIONS[name]
    networks: dict[str, nn.Module] = {"reader": CodeReader(region), "painter": make()}
    for key, network in networks.items():
        network.load_state_dict(load_checkpoint(checkpoint)["averaged"][key])
        network.eval()
    return networks


@torch.no_grad()
def results(
    store: CropStore, name: str, networks: dict[str, nn.Module], rows: npt.NDArray[np.int64], place: str
) -> dict[str, Tensor]:
    """Crops (N, 3, h, w).

    Moved, truth, painted with the driver's code, painted without; and where to measure (N, 1, h, w).
    """
    region, _ = REGIONS[name]
    batch = store.take(rows, place)
    code = networks["reader"](*to_read(batch.truth, batch.seen_points, region))
    _, around = near_opening(region, batch.points)
    lips = sketch_of(region, region.width, region.height).opening(batch.points)
    where = lips if name == "mouth" else around
    painted, unknown = (paint(networks, batch, given)[0] for given in (code, torch.zeros_like(code)))
    return {
        "moved": batch.moved,
        "truth": batch.truth,
        "painted": painted,
        "without code": unknown,
        "where": (where > 0.5).float(),
    }


def distance(picture: Tensor, truth: Tensor, where: Tensor) -> float:
    """Mean over samples of the L1 within a mask."""
    size = where.sum((1, 2, 3))
    apart = ((picture - truth).abs().mean(1, keepdim=True) * where).sum((1, 2, 3)) / size.clamp_min(1)
    return float(apart[size > 8].mean())


def brightness(picture: Tensor, where: Tensor) -> npt.NDArray[np.float32]:
    size = where.sum((1, 2, 3))
    mean = (picture.mean(1, keepdim=True) * where).sum((1, 2, 3)) / size.clamp_min(1)
    return np.asarray(mean[size > 8].numpy())


def table(store: CropStore, name: str, networks: dict[str, nn.Module]) -> list[list[float]]:
    """A row of figures a clip, printed as they come."""
    chosen = store.lips > OPEN if name == "mouth" else store.blinks > SHUT
    lines = []
    for clip in dict.fromkeys(store.clip[store.own]):
        rows = np.array([row for row in store.own if store.clip[row] == clip and chosen[row]], np.int64)
        if len(rows) < 5:
            continue
        found = results(store, name, networks, rows, store.places[0])
        where, truth = found["where"], found["truth"]
        pixels = truth.permute(0, 2, 3, 1)[where[:, 0] > 0.5]
        if not len(pixels):
            continue
        flat = pixels.median(0).values[None, :, None, None].expand_as(truth)
        line = [distance(found[key], truth, where) for key in ("painted", "without code", "moved")]
        line += [distance(flat, truth, where)]
        line += [np.corrcoef(brightness(found["painted"], where), brightness(truth, where))[0, 1]]
        lines.append(line)
        sys.stdout.write(f"{clip:20s} {len(rows):4d} " + " ".join(f"{value:8.3f}" for value in line) + "\n")
    mean = np.mean(lines, 0)
    sys.stdout.write(f"{'mean':25s} " + " ".join(f"{value:8.3f}" for value in mean) + "\n")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.expression.measure", description=__doc__
    )
    parser.add_argument("pairs", type=Path, help="what pairs.py wrote for --split val")
    parser.add_argument("mouth", type=Path)
    parser.add_argument("eye", type=Path)
    options = parser.parse_args(arguments)
    for name in REGIONS:
        sys.stdout.write(
            f"{name}: l1 painted, without code, moved photo, one flat colour; correlation of brightness\n"
        )
        table(CropStore(options.pairs, name), name, load(getattr(options, name), name))


if __name__ == "__main__":
    main()
