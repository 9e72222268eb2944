"""Import checkpoints of original projects as bundles."""

from __future__ import annotations

from pathlib import Path

from avatar_app.bundles.bundle import Bundle, require_name, write_bundle
from avatar_app.errors import BundleError
from avatar_app.files import is_there
from avatar_app.networks.families import open_original
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.paths import model_folders, user_models
from avatar_app.text import Text


def import_checkpoint(
    checkpoint: Path,
    configuration: Path | None,
    name: str,
    *,
    licence: str = "unknown",
    align_corners: bool | None = None,
) -> Bundle:
    """Make a bundle in the user's models folder from an original checkpoint.

    Args:
        configuration: the YAML it was trained with; None for X2Face, whose weights show its sizes.
        align_corners: how warps read positions; None: as the YAML states, else True (see `FommConfig`).

    Raises:
        BundleError: no checkpoint, damaged, unsafe, of a model that this app does not run, not fitting the
            configuration, or the name is taken or impossible.
        ConfigError: the configuration is wrong or missing.
    """
    folder = user_models() / require_name(name)
    for place in (user_models(), *model_folders()):
        if is_there(place / name):
            raise BundleError(
                Text("There is a model called {} already, in {}.", name, place / name),
                Text("Choose another name, or delete that folder."),
            )
    opened = open_original(checkpoint, configuration, align_corners)
    return write_bundle(
        folder,
        kind=opened.kind,
        size=opened.graphs.size,
        config=opened.config,
        licence=licence,
        fill=lambda target: write_motion_files(opened.graphs, target),
    )
