"""A graphics card for tests on computers without one: SwiftShader, Vulkan on the processor.

Debian's package ``chromium-common`` contains it. ONNX Runtime lists cards from /sys, so a child process gets
its own /sys/class with one card.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("AVATAR_SWIFTSHADER", "/usr/lib/chromium"))
"""The folder of ``libvk_swiftshader.so`` and ``vk_swiftshader_icd.json``; also of ``libvulkan.so.1`` if the
system has none."""

ROOT = Path(__file__).parents[2]

PREPARE = """
mount -t tmpfs none /sys/class && mkdir -p /sys/class/drm/card0/device || exit 77
cd /sys/class/drm/card0/device || exit 77
echo 0x1002 >vendor && echo 0x744c >device && echo 0x030000 >class || exit 77
cd "$0" && exec "$@"
"""
NO_NAMESPACE = 77


def run_with_card(
    *arguments: str, data: Path, driver: Path = FOLDER / "vk_swiftshader_icd.json", seconds: float = 500
) -> subprocess.CompletedProcess[str]:
    """Run Python with SwiftShader as the only graphics card. Skips the test if this is impossible.

    Args:
        arguments: of Python.
        data: the folder for the app's data.
        driver: Vulkan's description of one.
    """
    problem = lacking()
    if problem:
        pytest.skip(problem)
    variables = os.environ | {
        "VK_ICD_FILENAMES": str(driver),
        "VK_DRIVER_FILES": str(driver),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "LD_LIBRARY_PATH": os.pathsep.join([str(FOLDER), os.environ.get("LD_LIBRARY_PATH", "")]),
        "XDG_RUNTIME_DIR": str(data),
        "XDG_DATA_HOME": str(data),
    }
    command = ["unshare", "-rm", "sh", "-c", PREPARE, str(ROOT), sys.executable, *arguments]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=seconds, env=variables
    )
    if done.returncode == NO_NAMESPACE:
        pytest.skip("this system lets no process have a /sys of its own")
    return done


@cache
def lacking() -> str:
    """Why no fake card is possible here; empty if one is."""
    if importlib.util.find_spec("onnxruntime_ep_webgpu") is None:
        return "onnxruntime-ep-webgpu is not installed"
    if not (FOLDER / "libvk_swiftshader.so").is_file():
        return (
            f"there is no SwiftShader in {FOLDER} (Debian: the package chromium-common; AVATAR_SWIFTSHADER)"
        )
    return "" if sys.platform == "linux" and shutil.which("unshare") else "only Linux has private mounts"
