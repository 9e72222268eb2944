"""Resize a bundle to another picture size, to measure how the cost grows."""

from __future__ import annotations

from pathlib import Path

from avatar_app.bundles.bundle import Bundle, write_bundle
from avatar_app.errors import BundleError
from avatar_app.text import Text

UNIT, LARGEST = 128, 1024
"""Some of the networks work on a quarter of the picture and halve it five times."""


def resized(bundle: Bundle, size: int, folder: Path) -> Bundle:
    """Write the model for pictures of ``size`` pixels a side into a new folder.

    In float32, whatever the bundle's own graphs use. For measuring only: the quality at a size that it was
    not trained for may be poor.

    Raises:
        BundleError: this size is impossible.
    """
    if bundle.kind == "x2face" and size != bundle.size:
        raise BundleError(
            Text("The model {} works with pictures of {} pixels alone.", bundle.name, bundle.size),
            Text("X2Face halves a picture down to one pixel: measure it without --size."),
        )
    if size % UNIT or not UNIT <= size <= LARGEST:
        raise BundleError(
            Text("No model works with pictures of {} pixels.", size),
            Text("Choose a multiple of {} up to {}.", UNIT, LARGEST),
        )
    from avatar_app.onnx_export.resize import write_resized

    config = dict(bundle.config) | ({"size": size} if bundle.kind == "anchored" else {})
    weights = bundle.file("weights.safetensors")
    return write_bundle(
        folder,
        kind=bundle.kind,
        size=size,
        config=config,
        licence=bundle.licence,
        fill=lambda target: write_resized(bundle.kind, config, size, weights, target),
    )
