"""Eight-bit convolutions for processors: a third less time a picture, and a picture that nobody can tell from the exact one.

Weights and the inputs of convolutions become bytes, scaled by what a sample of real pictures needs (static quantisation, one scale
for each channel of weights). Layers that place or blend pixels stay exact.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from avatar_app.errors import ConfigError
from avatar_app.training.metrics import psnr
from avatar_app.types import Image

EXACT = ("mask", "fine", "paint")
"""Parts of the names of convolutions that stay as they are: anchors' shares, flow and blending."""

LOSS = 1.0
"""dB of PSNR against the truth that may be lost."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs of the render graph and the picture (H, W, 3) that they should give."""

    feed: dict[str, Any]
    truth: Image


def quantise(path: Path, samples: Sequence[Sample]) -> tuple[float, float]:
    """Rewrite a render graph in place; half of the samples set the scales, the other half judge.

    Returns:
        PSNR against the truth in dB: exact, and with eight bits.

    Raises:
        ConfigError: more than ``LOSS`` would be lost; the file is as it was.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, Any]] = iter([sample.feed for sample in samples[::2]])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    names = [node.name for node in onnx.load(str(path)).graph.node if node.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / path.name
        quantize_static(
            str(path),
            str(small),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,  # seven bits of weight: processors without VNNI would overflow with eight
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[name for name in names if any(part in name for part in EXACT)],
        )
        before, after = _quality(path, samples[1::2]), _quality(small, samples[1::2])
        if before - after > LOSS:
            raise ConfigError(f"Eight bits cost {before - after:.1f} dB.", "Export without --calibrate, or calibrate with more pictures.")
        path.write_bytes(small.read_bytes())
    return before, after


def _quality(path: Path, samples: Sequence[Sample]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return float(np.mean([psnr(session.run(None, sample.feed)[0][0], sample.truth) for sample in samples]))
