"""Write a model for another picture size.

The networks are convolutional throughout, so the weights fit any.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from avatar_app.networks.graphs import build_graphs
from avatar_app.onnx_export.export import write_motion_files


def write_resized(kind: str, config: Mapping[str, Any], size: int, weights: Path, folder: Path) -> None:
    """Write weights and float32 ONNX files for pictures of ``size`` pixels a side.

    Args:
        weights: a bundle's safetensors file, of any size.
    """
    graphs = build_graphs(kind, config, size)
    graphs.model.load_state_dict(load_file(weights))
    write_motion_files(graphs, folder)
