"""Run the networks of a bundle frame after frame.

They are recorded if the place can record and the recording is correct.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from avatar_app.engines.torch_place import Place, reason
from avatar_app.engines.torch_static_graph import AnyArray, StaticGraph
from avatar_app.engines.torch_weights import run, trial_image, trial_points
from avatar_app.networks.graphs import WINDOW, Graph, MotionGraphs
from avatar_app.types import NO_EXPRESSION

log = logging.getLogger(__name__)

Features = dict[str, Tensor]

DRIVING = "driving_"
"""Prefix of the render graph's inputs that change with every frame."""

WORST_PICTURE, WORST_POINT = 1.0, 0.02
"""Limits for a recording against the direct computation: mean difference of pictures, in 255ths, and largest
difference of key points, in [-1, 1].

Convolutions may be computed in another order, which changes a value by a rounding error; a wrong recording
differs by far more. A picture must also be at least twice as near to its own reference as to any other.
"""


def open_runner(graphs: MotionGraphs, open_place: Callable[[], Place]) -> GraphRunner:
    """Return a recorded runner, or an unrecorded one if recording fails.

    Recording fails if the place cannot record, or if the recorded pictures differ.

    Raises:
        RuntimeError: the place has failed.
    """
    plain = _opened(graphs, open_place(), record=False)
    if not plain.place.records:
        return plain
    recorded = None
    try:
        recorded = _opened(graphs, open_place(), record=True)
        fault = difference(recorded, plain)
    except RuntimeError as error:
        fault = reason(error)
        log.debug("a recording has failed", exc_info=True)
    if recorded is not None and not fault:
        plain.close()
        return recorded
    log.warning("no %s is used: %s", plain.place.records, fault)
    if recorded is not None:
        recorded.close()
    try:
        difference(plain, plain)  # raises if the failure has also broken the card
    except RuntimeError:
        plain.close()
        raise
    return plain


def _opened(graphs: MotionGraphs, place: Place, record: bool) -> GraphRunner:
    try:
        return GraphRunner(graphs, place, record)
    except RuntimeError:
        place.close()
        raise


def difference(recorded: GraphRunner, plain: GraphRunner) -> str:
    """Describe how the first runner's results differ from the second's; else empty.

    Two photos alternate in two poses, which reveals a recording that keeps a photo, a pose or a picture.
    """
    images = [trial_image(plain.size, seed).numpy()[0] for seed in (1, 2)]
    poses: list[list[AnyArray]] = [
        [trial_points(plain.points, seed).numpy()[0], NO_EXPRESSION + seed / 2 - 1][: len(plain.parts)]
        for seed in (1, 2)
    ]
    if plain.detects:
        for index, image in enumerate(images):
            poses[index], points = plain.detect(image), recorded.detect(image)
            if not all(np.abs(a - b).max() < WORST_POINT for a, b in zip(poses[index], points, strict=True)):
                return "its key points are others"
    photos = [plain.encode(image, *pose) for image, pose in zip(images, poses, strict=True)]
    poses[1][0] = poses[1][0] + 0.1  # a detector is uncertain about noise, but the poses must differ
    turns = ((0, 0), (0, 1), (1, 1), (1, 0), (0, 0))
    wanted, got = (
        [runner.render(photos[a], *poses[b]).astype(np.float32) for a, b in turns]
        for runner in (plain, recorded)
    )
    for index, (expected, found) in enumerate(zip(wanted, got, strict=True)):
        others = [other for turn, other in zip(turns, wanted, strict=True) if turn != turns[index]]
        nearest = min(float(np.abs(expected - other).mean()) for other in others)
        if not np.abs(expected - found).mean() <= min(WORST_PICTURE, nearest / 2):
            return "its pictures are others"
    return ""


def window_like(image: Tensor) -> Tensor:
    """Return an empty window for photos like (1, 3, S, S)."""
    side = image.shape[-1]
    return image.new_zeros(1, 4, side + side // 2 * 2, side + side // 2 * 2)


class GraphRunner:
    """Runs the graphs of one model. Not thread-safe.

    It owns its place and frees its memory when closed.

    Attributes:
        recorded: whether frames are replayed from a recording.
        points: number of key points of a pose.
        parts: names of a pose's arrays, in the order in which calls take and return them.
        detects: whether `detect` can be called.
    """

    def __init__(self, graphs: MotionGraphs, place: Place, record: bool = False) -> None:
        """Record the graphs; raise RuntimeError if recording or the place fails."""
        self.place, self.recorded = place, record and bool(place.records)
        self.size, self.points, self.detects = graphs.size, graphs.points, graphs.detect is not None
        asked = [name for name in graphs.render.inputs if name.startswith(DRIVING)]
        own = tuple(name.removeprefix(DRIVING) for name in asked)
        self.parts = own if graphs.detect is None else graphs.detect.outputs
        self._encode: Graph = graphs.encode
        self._shown: object = None
        image, value = trial_image(graphs.size), trial_points(graphs.points)
        with torch.inference_mode(), place.working():
            self._detect = (
                None
                if graphs.detect is None
                else StaticGraph(graphs.detect, place, {"image": image}, {}, record)
            )
            known = (value.numpy()[0], NO_EXPRESSION)[: len(self.parts)]
            found = known if self._detect is None else self._detect(image.numpy()[0])
            features = self.encode(image.numpy()[0], *found)
            # The features of any photo are copied to these addresses.
            self._features = {
                name: torch.empty_like(features[name]).copy_(features[name])
                for name in graphs.render.inputs
                if name in features
            }
            # With Jacobians or without, as the model has them.
            driving = {name: torch.from_numpy(part)[None] for name, part in zip(asked, found, strict=False)}
            self._render = StaticGraph(graphs.render, place, driving, self._features, record)
            self._layer = None
            if graphs.layer is not None:
                self._features[WINDOW] = window_like(features["features_image"])
                self._layer = StaticGraph(graphs.layer, place, driving, self._features, record)

    @torch.inference_mode()
    def detect(self, image: AnyArray) -> list[AnyArray]:
        """Return the key points of a uint8 picture, named as in `parts`."""
        assert self._detect is not None
        with self.place.working():
            return self._detect(image)

    @torch.inference_mode()
    def encode(self, image: AnyArray, *points: AnyArray) -> Features:
        """Compute everything that depends on the photo alone; never changed afterwards.

        Args:
            points: of the photo, as returned by `detect`.
        """
        with self.place.working():
            arrays = (np.asarray(array, np.float32) for array in points)
            poses = {
                f"source_{part}": self._upload(array) for part, array in zip(self.parts, arrays, strict=False)
            }
            inputs = {"image": self._upload(image)} | (
                {"points": poses["source_value"]} if "source_value" in poses else {}
            )
            features = dict(zip(self._encode.outputs, run(self._encode, inputs), strict=True))
            self.place.wait()
        return features | poses

    @torch.inference_mode()
    def join(self, photos: Sequence[Features]) -> Features:
        """Add the features of several photos of one person."""
        with self.place.working():
            total = {
                name: torch.stack([features[name] for features in photos]).sum(0)
                for name in self._encode.outputs
            }
            self.place.wait()
        return photos[0] | total

    @torch.inference_mode()
    def render(self, features: Features, *points: AnyArray) -> AnyArray:
        """Render the photo in a pose, uint8 (size, size, 3).

        A missing expression counts as unknown.
        """
        if len(points) < len(self.parts):
            points = (*points, NO_EXPRESSION)
        with self.place.working():
            self._show(features)
            return self._render(*points)[0]

    @torch.inference_mode()
    def render_layer(self, features: Features, *points: AnyArray) -> AnyArray:
        """Render the person alone in a pose, uint8 (h, w, 4), as `layer.moved_layer`.

        For features with a window.
        """
        assert self._layer is not None
        if len(points) < len(self.parts):
            points = (*points, NO_EXPRESSION)
        with self.place.working():
            self._show(features)
            return self._layer(*points)[0]

    def _show(self, features: Features) -> None:
        if features is not self._shown:
            for name, kept in self._features.items():
                if name in features:
                    kept.copy_(features[name])
            self._shown = features

    def close(self) -> None:
        """Free memory, including the networks unless they are used elsewhere.

        The runner cannot be used afterwards.
        """
        with suppress(RuntimeError):  # nothing works after a failure
            self.place.wait()
        self._shown = None
        self._features = {}
        del self._detect, self._render, self._layer, self._encode
        self.place.close()

    def _upload(self, array: AnyArray) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), device=self.place.device)[None]
