"""Export `loop`'s checkpoints as ``expression.onnx`` of the face bundle.

The painters go into a motion model by `training.export`.

python -m avatar_app.training.expression.export RUN/mouth/checkpoint.pt RUN/eye/checkpoint.pt --output
models/faces
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from avatar_app.bundles.bundle import DESCRIPTION
from avatar_app.errors import AvatarError
from avatar_app.faces.detector import EXPRESSION
from avatar_app.landmarks import COUNT
from avatar_app.networks.expression import ExpressionReader
from avatar_app.networks.faces import LANDMARK_SIDE
from avatar_app.networks.painters import FacePainter
from avatar_app.onnx_export.expression import QuickReader
from avatar_app.training.checkpoint import load_checkpoint
from avatar_app.training.faces.export import finish, write_description

OPSET = 20


class ExpressionGraph(nn.Module):
    """A crop (1, 192, 192, 3) uint8 and landmarks (1, 88, 3) -> code (1, 24).

    Landmarks are in [-1, 1] from edge to edge.
    """

    def __init__(self, reader: ExpressionReader) -> None:
        super().__init__()
        self.reader = QuickReader(reader)

    def forward(self, crop: Tensor, points: Tensor) -> Tensor:
        side = crop.shape[1]
        code: Tensor = self.reader(crop, points[..., :2] * (side / (side - 1)))
        return code


def load_reader(mouth: Path, eye: Path) -> ExpressionReader:
    """Load the code reader of two checkpoints."""
    reader = ExpressionReader()
    reader.mouth.load_state_dict(load_checkpoint(mouth)["averaged"]["reader"])
    reader.eye.load_state_dict(load_checkpoint(eye)["averaged"]["reader"])
    return reader.eval()


def load_painter(mouth: Path, eye: Path) -> FacePainter:
    """Load the painters of two checkpoints."""
    painter = FacePainter()
    painter.mouth.load_state_dict(load_checkpoint(mouth)["averaged"]["painter"])
    painter.eye.load_state_dict(load_checkpoint(eye)["averaged"]["painter"])
    return painter.eval()


def write_reader(reader: ExpressionReader, path: Path) -> None:
    """Trace the reader; its weights are kept in half precision."""
    example = (
        torch.zeros(1, LANDMARK_SIDE, LANDMARK_SIDE, 3, dtype=torch.uint8),
        torch.rand(1, COUNT, 3) - 0.5,
    )
    names = ["crop", "points"]
    with warnings.catch_warnings():
        # The tracing exporter is marked as old, but it gives the smaller graph for networks without control
        # flow.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ExpressionGraph(reader).eval(),
            example,
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=names,
            output_names=["code"],
        )
    finish(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.expression.export", description=__doc__
    )
    parser.add_argument("mouth", type=Path, help="checkpoint of the mouth's run")
    parser.add_argument("eye", type=Path, help="checkpoint of the eyes' run")
    parser.add_argument("--output", type=Path, required=True, help="folder of the face bundle")
    options = parser.parse_args(arguments)
    try:
        write_reader(load_reader(options.mouth, options.eye), options.output / EXPRESSION)
        trained = json.loads((options.output / DESCRIPTION).read_text())["config"]["training"]
        for part in ("mouth", "eye"):
            state = load_checkpoint(getattr(options, part))
            trained[f"{part} code"] = {"steps": state["steps"], "minutes": round(state["elapsed"] / 60, 1)}
        write_description(options.output, trained)
    except AvatarError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
