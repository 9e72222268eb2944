"""How many threads an engine gets from the cores granted to this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from avatar_app import processor
from avatar_app.processor import cores, group_quota


def groups(folder: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Write a control group tree; returns the arguments of ``group_quota``."""
    root = folder / "cgroup"
    root.mkdir()
    (folder / "membership").write_text(membership)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return folder / "membership", root


V2 = "0::/user.slice/call.scope\n"
V1 = "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n"
SPLIT = "2:cpuacct:/\n1:cpu:/\n0::/\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        (V2, {"user.slice/call.scope/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"user.slice/call.scope/cpu.max": "max 100000\n"}, None),
        (V2, {"user.slice/call.scope/cpu.max": "max 100000\n", "user.slice/cpu.max": "50000 100000\n"}, 0.5),
        (
            V2,
            {"user.slice/call.scope/cpu.max": "400000 100000\n", "user.slice/cpu.max": "200000 100000\n"},
            2.0,
        ),
        ("0::/../../host/path\n", {"cpu.max": "300000 100000\n"}, 3.0),
        (
            V1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (
            V1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 2.5),
        (V1, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1.0),
        (SPLIT, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2.0),
        (SPLIT, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "0"}, None),
        (V2, {"user.slice/call.scope/cpu.max": "what is this"}, None),
        (V2, {}, None),
        ("senseless", {}, None),
        ("", {}, None),
    ],
)
def test_quota_of_the_control_group(
    tmp_path: Path, membership: str, files: dict[str, str], expected: float | None
) -> None:
    assert group_quota(*groups(tmp_path, membership, files)) == expected


def test_systems_without_control_groups_have_no_quota(tmp_path: Path) -> None:
    assert group_quota(tmp_path / "nothing", tmp_path / "nowhere") is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (0.4, 1), (1.0, 1), (2.9, 2), (64.0, 8)])
def test_threads_are_never_more_than_affinity_or_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(processor, "group_quota", lambda: quota)
    assert cores() == expected
