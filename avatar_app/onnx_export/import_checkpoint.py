"""Import checkpoints of the original project as bundles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from avatar_app.bundles.bundle import Bundle, require_name, write_bundle
from avatar_app.errors import BundleError
from avatar_app.networks.fomm.original import build_fomm, read_original
from avatar_app.networks.graphs import fomm_graphs
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.paths import user_models


def import_checkpoint(
    checkpoint: Path,
    configuration: Path,
    name: str,
    *,
    licence: str = "unknown",
    align_corners: bool | None = None,
) -> Bundle:
    """Make a bundle in the user's models folder from an original ``.pth.tar`` and its YAML.

    Args:
        align_corners: how warps read positions; None takes what the YAML states, else True (see `FommConfig`).

    Raises:
        BundleError: no checkpoint, damaged, unsafe, not fitting the configuration, or the name is taken or impossible.
        ConfigError: the configuration is wrong.
    """
    folder = user_models() / require_name(name)
    if folder.exists():
        raise BundleError(
            f"There is a model called {name} already, in {folder}.",
            "Choose another name, or delete that folder.",
        )
    original = read_original(checkpoint, configuration)
    config = (
        original.config if align_corners is None else replace(original.config, align_corners=align_corners)
    )
    graphs = fomm_graphs(build_fomm(config, original), config, original.size)
    return write_bundle(
        folder,
        kind="fomm",
        size=original.size,
        config=config.to_dict(),
        licence=licence,
        fill=lambda target: write_motion_files(graphs, target),
    )
