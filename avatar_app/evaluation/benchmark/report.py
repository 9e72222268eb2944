"""Report measurements as the JSON of ``bench --json``.

docs/benchmarks explains its keys.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from avatar_app import __version__
from avatar_app.bundles.bundle import Bundle
from avatar_app.evaluation.benchmark.arithmetic import Work, card, count_graphs, count_reference
from avatar_app.evaluation.benchmark.chain import ANIMATION, CALL_SIZE, CAMERA_SIZE, STAGES, STEP
from avatar_app.evaluation.benchmark.runs import WARM_UP, Plan, Setting, open_reference, torch_device
from avatar_app.networks.graphs import build_graphs
from avatar_app.processor import cores, cpu_name
from avatar_app.session.stopwatch import percentiles

PACKAGES = ("torch", "onnxruntime", "numpy", "opencv-python")
SAME = "this model's own networks and weights"
FULL = "the full-size vox-adv architecture with random weights"
ORIGINAL = (
    "{}, as the authors run them: eager float32 PyTorch on the same device and threads, detector on the "
    "driver's picture, photo encoded "
    "again and picture generated every frame, bytes in and bytes out, taking turns with the model"
)


def make_report(
    bundle: Bundle, device: str, plan: Plan, settings: list[Setting], sink: str
) -> dict[str, Any]:
    """Return all figures.

    Args:
        sink: the output, for people.
    """
    where = torch_device(device)
    work = count_graphs(build_graphs(bundle.kind, bundle.config, bundle.size))
    if plan.reference_frames:
        photo = settings[0].chain.crop.image
        reference = open_reference(bundle, "cpu", photo)
        work["reference"] = count_reference(reference, reference.photo)
    return {
        "hardware": {
            "cpu": cpu_name(),
            "cores": cores(),
            "memory_gb": memory(),
            "card": card(where),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"avatar-app": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "model": {"name": bundle.name, "kind": bundle.kind, "size": bundle.size, "faces": 1},
        "engine": settings[0].chain.engine.name,
        "camera": f"MJPEG {CAMERA_SIZE[0]}x{CAMERA_SIZE[1]}",
        "output": {"size": f"{CALL_SIZE[0]}x{CALL_SIZE[1]}", "sink": sink},
        "frames": plan.frames,
        "warm_up": WARM_UP,
        "work": {
            name: {"gflop": round(part.flop / 1e9, 4), "mvalues": round(part.values / 1e6, 3)}
            for name, part in work.items()
        },
        "reference": {
            "what": ORIGINAL.format(SAME if bundle.kind == "fomm" else FULL),
            "frames": plan.reference_frames,
        },
        "runs": [_run(setting, work, bool(plan.reference_frames)) for setting in settings],
    }


def _run(setting: Setting, work: dict[str, Work], compared: bool) -> dict[str, Any]:
    stopwatch = setting.stopwatch
    chain = stopwatch.sums(STAGES)
    animation, step = stopwatch.sums(ANIMATION), stopwatch.sums(STEP)
    own = Work(work["detect"].flop + work["render"].flop, work["detect"].values + work["render"].values)
    report: dict[str, Any] = {
        "threads": setting.threads,
        "stages_ms": stopwatch.summary(),
        "chain": percentiles(chain) | {"fps": round(1000 * len(chain) / sum(chain), 2)},
        "animation": percentiles(animation) | {"fps": round(1000 * len(animation) / sum(animation), 2)},
        "step": percentiles(step),
        "peak": {
            "precision": setting.peak.precision,
            "gflops": round(setting.peak.flops / 1e9, 1),
            "gb_s": round(setting.peak.bytes / 1e9, 1),
        },
        "floor": _floor(setting, own, percentiles(step)["p50"]),
    }
    if compared:
        original = percentiles(setting.reference.sums(["step"]))
        report["reference"] = original | {"floor": _floor(setting, work["reference"], original["p50"])}
        report["speedup"] = {
            "step": round(original["p50"] / report["step"]["p50"], 2),
            "animation": round(original["p50"] / report["animation"]["p50"], 2),
        }
    return report


def _floor(setting: Setting, work: Work, took: float) -> dict[str, float]:
    floor = setting.peak.floor(work)
    return {"ms": round(floor, 3), "times": round(took / floor, 2) if floor else 0.0}


def memory() -> float | None:
    """Return the computer's memory in 10^9 bytes, if the system reports it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
