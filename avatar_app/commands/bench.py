"""``bench``: how fast a model runs here, beside the original networks run as their authors run them."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from avatar_app import __version__
from avatar_app.bundle import Bundle, open_bundle
from avatar_app.commands.animate import add_model_arguments
from avatar_app.commands.demo import demo_files
from avatar_app.engines import Engine
from avatar_app.engines.open import cores, open_engine
from avatar_app.faces import FaceDetector, crop_picture
from avatar_app.files import require_writable, write_json
from avatar_app.paths import PACKAGE, assets_folder
from avatar_app.pipeline.calibrate import motion_transfer
from avatar_app.pipeline.canvas import Canvas
from avatar_app.pipeline.clip import fixed_box, portrait_crop
from avatar_app.pipeline.driver import Driver
from avatar_app.pipeline.state import Controls
from avatar_app.pipeline.stopwatch import Stopwatch
from avatar_app.portrait import read_portrait
from avatar_app.types import Crop, Frame, Image
from avatar_app.video import read_clip

WARM_UP = 10
"""Frames at the start that do not count."""

CALL_SIZE = (1280, 720)

REFERENCE_CONFIG = PACKAGE / "training" / "configs" / "vox-adv.yaml"
REFERENCE_REPEATS = 5
REFERENCE_WORDS = (
    "full-size vox-adv architecture with random weights, eager float32 PyTorch on the CPU, 256 x 256: detector on the driving picture, "
    "photo encoded anew and picture generated every frame, same threads, same run; median"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--frames", type=_positive, default=200, metavar="N", help="frames that count (default: 200)")
    parser.add_argument("--avatar", type=Path, metavar="PHOTO", help="default: the photo that comes with the app")
    parser.add_argument("--driving", type=Path, metavar="CLIP", help="default: the clip that comes with the app")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")


def run(arguments: argparse.Namespace) -> int:
    if arguments.json:
        require_writable(arguments.json)
    given = arguments.avatar and arguments.driving
    photo_path, clip_path = (arguments.avatar, arguments.driving) if given else demo_files(assets_folder())
    photo = read_portrait(arguments.avatar or photo_path)
    clip = read_clip(arguments.driving or clip_path)
    bundle = open_bundle(arguments.model)
    threads = arguments.threads or cores()
    engine = open_engine(bundle, arguments.device, threads)
    try:
        drivers = list(islice(clip.frames(), arguments.frames))
        stopwatch, chain = time_chain(engine, bundle, photo, drivers, arguments.frames)
        reference = time_reference_frames(threads)
        report = make_report(bundle, engine, threads, stopwatch, chain, reference)
    finally:
        engine.close()
    show(report)
    if arguments.json:
        write_json(arguments.json, report)
    return 0


def time_chain(engine: Engine, bundle: Bundle, photo: Image, drivers: list[Image], count: int) -> tuple[Stopwatch, list[float]]:
    """Every stage from a camera frame to a picture, in one thread, as often as ``count`` beyond the warm-up.

    Returns:
        The stages' times, and the milliseconds of each whole frame.
    """
    detector = FaceDetector.open()
    need_face = bundle.kind == "anchored" or bool(detector.find(photo))
    avatar = engine.encode(portrait_crop(photo, detector if need_face else None, "auto" if need_face else "center", engine.size, []))
    cropper = Cropper(detector, engine)
    canvas, planes = Canvas(CALL_SIZE, "blur"), np.empty((CALL_SIZE[1] * 3 // 2, CALL_SIZE[0]), np.uint8)
    neutral = engine.detect(cropper.crop(drivers[0]))
    transfer = motion_transfer(avatar.key_points, neutral)
    stopwatch, chain = Stopwatch(), list[float]()
    for index, image in enumerate(tqdm(_back_and_forth(drivers, WARM_UP + count), desc="chain", total=WARM_UP + count, disable=None)):
        if index == WARM_UP:
            stopwatch, chain = Stopwatch(), []
        start = time.perf_counter()
        with stopwatch.time("crop"):
            crop = cropper.crop(image)
        with stopwatch.time("detect"):
            points = engine.detect(crop)
        with stopwatch.time("transfer"):
            pose = transfer(points)
        with stopwatch.time("render"):
            picture = engine.render(avatar, pose)
        chain.append((time.perf_counter() - start) * 1000)
        # In a call these two run in a thread of their own, beside the next frame.
        with stopwatch.time("compose"):
            shown = canvas.compose(picture)
        with stopwatch.time("convert"):
            cv2.cvtColor(shown, cv2.COLOR_RGB2YUV_I420, dst=planes)
    return stopwatch, chain


class Cropper:
    """Follows the driver's face from frame to frame, as a live session does; takes the middle where there is none."""

    def __init__(self, detector: FaceDetector, engine: Engine) -> None:
        self._driver = Driver(detector)
        self._engine = engine
        self._count = 0

    def crop(self, image: Image) -> Crop:
        self._count += 1
        look = self._driver.look(Frame(image, self._count / 30, self._count), Controls(), self._engine.size, self._engine.reads_pictures)
        return look.crop if look else Crop(crop_picture(image, fixed_box(image, "center"), self._engine.size))


def _back_and_forth(images: list[Image], count: int) -> Iterator[Image]:
    """A clip without end and without a cut, which would make the tracker search anew."""
    return islice(cycle([*images, *images[-2:0:-1]]), count)


def time_reference_frames(threads: int) -> list[float]:
    """Milliseconds of single frames of the reference."""
    from avatar_app.networks.checkpoint import read_yaml
    from avatar_app.networks.config import FommConfig
    from avatar_app.networks.reference import time_reference

    config = FommConfig.from_original(read_yaml(REFERENCE_CONFIG))
    return time_reference(config, 256, REFERENCE_REPEATS, threads)


def make_report(
    bundle: Bundle, engine: Engine, threads: int, stopwatch: Stopwatch, chain: list[float], reference: list[float]
) -> dict[str, Any]:
    """The figures, as ``--json`` writes them."""
    middle, slow = (float(np.percentile(chain, share)) for share in (50, 95))
    yardstick = float(np.median(reference))
    return {
        "hardware": {"cpu": cpu_name(), "cores": cores(), "threads": threads, "system": f"{platform.system()} {platform.machine()}"},
        "versions": {"avatar-app": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "onnxruntime", "numpy", "opencv-python")},
        "model": bundle.name,
        "engine": engine.name,
        "frames": len(chain),
        "stages_ms": stopwatch.summary(),
        "chain": {"fps": round(1000 * len(chain) / sum(chain), 2), "ms_p50": round(middle, 3), "ms_p95": round(slow, 3)},
        "reference": {"what": REFERENCE_WORDS, "ms_p50": round(yardstick, 3)},
        "speedup": round(yardstick / middle, 2),
    }


def cpu_name() -> str:
    """The processor's name, as far as the system tells."""
    if sys.platform == "linux":
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or os.environ.get("PROCESSOR_IDENTIFIER") or platform.machine()


def show(report: dict[str, Any]) -> None:
    hardware, chain, reference = report["hardware"], report["chain"], report["reference"]
    print(f"{report['engine']}, {hardware['threads']} threads; {hardware['cpu']}, {hardware['cores']} cores")
    for stage, times in report["stages_ms"].items():
        print(f"  {stage.ljust(9)} {times['p50']:8.2f} ms   p95 {times['p95']:8.2f} ms")
    print(f"  {'chain'.ljust(9)} {chain['ms_p50']:8.2f} ms   p95 {chain['ms_p95']:8.2f} ms   {chain['fps']:.1f} frames per second")
    print(f"  {'reference'.ljust(9)} {reference['ms_p50']:8.2f} ms   {report['speedup']:.1f} times slower than the chain")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
