"""The processor: its name, and the cores that this process may use."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return the number of cores that threads of this process can keep busy.

    The smaller of the affinity mask and the control group's quota: with more threads than the quota, all of
    them are stopped for the rest of each period.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = group_quota()
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def cpu_name() -> str:
    """Return the processor's name, as far as the system reports it."""
    return _cpu_line("model name") or (
        platform.processor() or os.environ.get("PROCESSOR_IDENTIFIER") or platform.machine()
    )


def cpu_features() -> str:
    """Return what tells processors with other instructions apart."""
    return f"{sys.platform} {platform.machine()} {cpu_name()} {_cpu_line('flags') or _cpu_line('features')}"


def _cpu_line(name: str) -> str:
    """Return a line of Linux's description of the first core; empty if there is none."""
    if sys.platform == "linux":
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith(name):
                    return line.partition(":")[2].strip()
    return ""


def group_quota(membership: Path = MEMBERSHIP, root: Path = CONTROL_GROUPS) -> float | None:
    """Return the control group's quota of processor time, in cores.

    None without a limit, and on systems without such groups.

    Args:
        membership: the file with the groups of this process, versions 1 and 2.
        root: where the groups are mounted.
    """
    quotas: list[float] = []
    with suppress(OSError, ValueError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                quotas += _limits(root, path, _version_2)
            elif "cpu" in controllers.split(","):
                quotas += _limits(root / controllers, path, _version_1)
                quotas += _limits(root / "cpu", path, _version_1)
    return min(quotas, default=None)


def _limits(mount: Path, path: str, read: Callable[[Path], float]) -> Iterator[float]:
    """Yield the limits of a group and of all above it.

    In a container the path can be the host's, of which only the top is visible.
    """
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota = read(mount.joinpath(*parts[:depth]))
            if quota > 0:
                yield quota


def _version_2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    return 0.0 if quota == "max" else int(quota) / int(period)


def _version_1(folder: Path) -> float:
    quota, period = (
        int((folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii")) for name in ("quota", "period")
    )
    return quota / period
