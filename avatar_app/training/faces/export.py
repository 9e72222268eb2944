"""Checkpoints of the face networks -> the bundle ``models/faces``.

python -m avatar_app.training.faces.export RUN --output models/faces
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from avatar_app.errors import AvatarError, BundleError
from avatar_app.landmarks import COUNT
from avatar_app.networks.faces import (
    FINDER_SIDE,
    FINDER_STRIDE,
    LANDMARK_SIDE,
    FaceFinder,
    LandmarkNet,
)
from avatar_app.onnx_export.sampling import deform_warps
from avatar_app.onnx_export.tuning import drop_unread_constants, gather_constants, replace_nodes
from avatar_app.text import Text

OPSET = 19


class LandmarkGraph(nn.Module):
    """Crops (B, 192, 192, 3) uint8 -> points (B, 88, 3), presence (B,) 0..1.

    Points are in [-1, 1] of the crop.
    """

    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor]:
        out = self.network(crop.permute(0, 3, 1, 2).float() / 255)
        return out.points, torch.sigmoid(out.presence)


class FinderGraph(nn.Module):
    """Pictures (B, 192, 192, 3) uint8 -> the finder's map (B, 6, 24, 24).

    Its score is in 0..1.
    """

    def __init__(self, network: FaceFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        out = self.network(picture.permute(0, 3, 1, 2).float() / 255)
        return torch.cat([torch.sigmoid(out[:, :1]), out[:, 1:]], 1)


def load_average(network: nn.Module, checkpoint: Path) -> dict[str, Any]:
    """Load the averaged weights of a checkpoint into a network; return the checkpoint.

    Raises:
        BundleError: no such checkpoint.
    """
    if not checkpoint.is_file():
        raise BundleError(
            Text("No checkpoint at {}.", checkpoint),
            Text("Train first: python -m avatar_app.training.faces."),
        )
    saved: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(saved["average"])
    network.eval()
    return saved


def write_onnx(
    graph: nn.Module, path: Path, input_name: str, outputs: list[str], side: int, batched: bool
) -> None:
    """Trace a graph and `finish` its file.

    Args:
        batched: it takes any number of pictures; else one, which quick warps require.
    """
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    axes = {name: {0: "batch"} for name in (input_name, *outputs)} if batched else {}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but gives the smaller graph for networks without control flow.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (example,),
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=[input_name],
            output_names=outputs,
            dynamic_axes=axes,
        )
    finish(path)


def finish(path: Path) -> None:
    """Rewrite a traced file: quick warps, and weights in half precision.

    They are converted back when the file is opened.
    """
    model = onnx.load(str(path))
    gather_constants(model)
    replace_nodes(model, deform_warps(model))
    drop_unread_constants(model)
    halve(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def halve(graph: onnx.GraphProto, smallest: int = 256) -> None:
    """Replace each large float32 constant by a float16 one and a Cast.

    ONNX Runtime folds the Cast away at the start.
    """
    casts = []
    for constant in list(graph.initializer):
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < smallest:
            continue
        name = constant.name
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        graph.initializer.remove(constant)
        graph.initializer.append(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def export(run: Path, output: Path) -> None:
    """Write ``finder.onnx``, ``landmarks.onnx`` and ``bundle.json``.

    CARD.md is written by hand.
    """
    output.mkdir(parents=True, exist_ok=True)
    landmarks, finder = LandmarkNet(), FaceFinder()
    trained = {
        "landmarks": load_average(landmarks, run / "landmarks.pt"),
        "finder": load_average(finder, run / "finder.pt"),
    }
    write_onnx(
        LandmarkGraph(landmarks).eval(),
        output / "landmarks.onnx",
        "crop",
        ["points", "presence"],
        LANDMARK_SIDE,
        batched=False,
    )
    write_onnx(
        FinderGraph(finder).eval(), output / "finder.onnx", "picture", ["map"], FINDER_SIDE, batched=True
    )
    write_description(
        output,
        {
            part: {"steps": saved["step"], "minutes": round(saved["seconds"] / 60, 1)}
            for part, saved in trained.items()
        },
    )


def write_description(folder: Path, training: dict[str, Any]) -> None:
    """Write ``bundle.json`` with the hashes of the ONNX files."""
    files = {}
    for path in sorted(folder.glob("*.onnx")):
        data = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    config = {
        "points": COUNT,
        "landmark_side": LANDMARK_SIDE,
        "finder_side": FINDER_SIDE,
        "finder_stride": FINDER_STRIDE,
        "training": training,
    }
    description = {
        "format": 1,
        "name": folder.name,
        "kind": "faces",
        "size": LANDMARK_SIDE,
        "config": config,
        "licence": "MIT",
        "files": files,
    }
    (folder / "bundle.json").write_text(json.dumps(description, indent=1) + "\n")


def main(words: list[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.faces.export",
        description="Create the bundle of the face networks.",
    )
    parser.add_argument("run", type=Path, help="folder with landmarks.pt and finder.pt")
    parser.add_argument("--output", type=Path, required=True, help="the bundle's folder")
    arguments = parser.parse_args(words)
    try:
        export(arguments.run, arguments.output)
    except AvatarError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
