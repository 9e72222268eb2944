"""Alternate the rows of `tests.bench.gpu`, and print a table with the targets."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from avatar_app.engines.torch_static_graph import AnyArray
from avatar_app.evaluation.benchmark.arithmetic import Peak, Work

TURNS = 5
WARM_UP = 10
"""Frames of a row at the start of its first turn that do not count."""
DRIVERS = 8
"""Different pictures in turn, so that no cache can help."""


TARGETS = {
    "vox-adv": {"ms_p50": 1.5, "ms_p95": 2.0, "times_original": 8.0},
    "standard": {"ms_p50": 0.8},
    "lite": {"ms_p50": 0.8},
}
"""Targets of the row `app`, on an H100."""
WORTHWHILE = 1.3
"""Minimum speed-up over the app's row that makes a compiler worthwhile."""


@dataclass
class Row:
    """One way to render a frame.

    Attributes:
        open: opens it; returns a function from a driver's picture to the avatar's.
        last: opened after all others, since a failure may take memory or the card with it.
        problem: why it could not be measured.
        form: the selected form, if there are several.
        taken: milliseconds of each frame that counts.
        worked: milliseconds of the processor's cores in all of them.
    """

    model: str
    name: str
    open: Callable[[], Callable[[int], AnyArray]]
    last: bool = False
    make: Callable[[int], AnyArray] | None = None
    opening: float = 0.0
    problem: str = ""
    form: str = ""
    taken: list[float] = field(default_factory=list)
    worked: float = 0.0
    pictures: list[AnyArray] = field(default_factory=list)


def measure(all_rows: list[Row], frames: int, peak: Peak) -> None:
    """Fill in the rows: open each, then alternate.

    A row that fails is left out from then on.
    """
    for row in sorted(all_rows, key=lambda row: row.last):
        began = time.perf_counter()
        try:
            row.make = row.make or (None if row.problem else row.open())
        except Exception as error:
            give_up(row, error)
        row.opening = time.perf_counter() - began
    for turn in range(TURNS):
        peak.measure()
        for row in all_rows:
            if row.make is None:
                continue
            try:
                take_turn(
                    row, WARM_UP if turn == 0 and frames > WARM_UP else 1, -(-frames // TURNS), keep=turn == 0
                )
            except Exception as error:
                give_up(row, error)


def take_turn(row: Row, unmeasured: int, frames: int, keep: bool) -> None:
    """Args: keep: the pictures, for comparison."""
    assert row.make is not None
    for index in range(unmeasured):
        row.make(index % DRIVERS)
    worked = time.process_time()
    for index in range(frames):
        began = time.perf_counter()
        picture = row.make(index % DRIVERS)
        row.taken.append(1000 * (time.perf_counter() - began))
        if keep and index < DRIVERS:
            row.pictures.append(picture)
    row.worked += 1000 * (time.process_time() - worked)


def give_up(row: Row, error: Exception) -> None:
    row.problem = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    row.make, row.taken = None, []


def psnr(row: Row, first: Row) -> float:
    """PSNR against the same model in float32, dB."""
    pairs = list(zip(row.pictures, first.pictures, strict=False))
    error = float(np.mean([np.mean((a.astype(np.float64) - b) ** 2) for a, b in pairs]))
    return round(10 * float(np.log10(255**2 / max(error, 1e-4))), 1)


def report(
    works: Mapping[str, Work], all_rows: list[Row], peak: Peak, device: torch.device
) -> dict[str, Any]:
    yardstick = next(
        (float(np.median(row.taken)) for row in all_rows if row.name == "original" and row.taken), None
    )
    lines = []
    for row in all_rows:
        line: dict[str, Any] = {"model": row.model, "row": row.name}
        if not row.taken:
            lines.append(line | {"problem": row.problem})
            continue
        middle, slow = (float(np.percentile(row.taken, share)) for share in (50, 95))
        first = next(
            (
                other
                for other in all_rows
                if other.model == row.model and other.name == "float32" and other.taken
            ),
            row,
        )
        lines.append(
            line
            | ({"form": row.form} if row.form else {})
            | {
                "ms_p50": round(middle, 3),
                "ms_p95": round(slow, 3),
                "frames": len(row.taken),
                "opening_s": round(row.opening, 2),
            }
            | {"times_original": round(yardstick / middle, 2) if yardstick else None}
            | {"times_floor": round(middle / peak.floor(works[row.model]), 1), "psnr_db": psnr(row, first)}
            | {"cpu_ms": round(row.worked / len(row.taken), 3)}
        )
    card = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if card else platform.processor() or platform.machine(),
        "capability": list(torch.cuda.get_device_capability(device)) if card else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if card else None,  # type: ignore[no-untyped-call]
        "threads": torch.get_num_threads(),
        "peak": {
            "precision": peak.precision,
            "tflops": round(peak.flops / 1e12, 2),
            "gb_s": round(peak.bytes / 1e9, 1),
        },
        "work": {
            name: {"gflop": round(work.flop / 1e9, 2), "mvalues": round(work.values / 1e6, 2)}
            for name, work in works.items()
        },
        "rows": lines,
        "targets": verdicts(lines) if card else [],
    }


def verdicts(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each target with its measurement, and whether a compiler would be worthwhile."""
    found = []
    for line in lines:
        if line["row"] != "app" or "ms_p50" not in line:
            continue
        for name, wanted in TARGETS.get(line["model"], {}).items():
            value = line[name]
            met = value is not None and (value >= wanted if name == "times_original" else value <= wanted)
            found.append({"model": line["model"], "what": name, "wanted": wanted, "found": value, "met": met})
        others = [other for other in lines if other["model"] == line["model"] and "ms_p50" in other]
        compilers = [
            other["ms_p50"] for other in others if "compile" in other["row"] or "TensorRT" in other["row"]
        ]
        if compilers:
            gain = round(line["ms_p50"] / min(compilers), 2)
            found.append(
                {
                    "model": line["model"],
                    "what": "compiler_gain",
                    "wanted": WORTHWHILE,
                    "found": gain,
                    "met": gain >= WORTHWHILE,
                }
            )
    return found


def show(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['device']}, PyTorch {figures['torch']}, {figures['peak']['tflops']} Tflop/s, "
        f"{figures['peak']['gb_s']} GB/s"
    ]
    heads = ("ms_p50", "ms_p95", "times_original", "times_floor", "psnr_db", "cpu_ms", "opening_s")
    lines.append(f"{'':52}" + "".join(f"{head:>16}" for head in heads))
    for row in figures["rows"]:
        cells = (
            "".join(f"{'-':>16}" if row[head] is None else f"{row[head]:16.3f}" for head in heads)
            if "ms_p50" in row
            else ""
        )
        remark = row.get("problem") or row.get("form", "")
        lines.append(f"{row['model'] + ': ' + row['row']:52}{cells}   {remark}".rstrip())
    for target in figures["targets"]:
        word = "yes" if target["met"] else "no"
        lines.append(
            f"{target['model'] + ': ' + target['what']:52}{target['found'] or 0:16.3f}, wanted "
            f"{target['wanted']}: {word}"
        )
    return "\n".join(lines) + "\n"
