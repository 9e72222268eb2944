"""The app for Windows: the embeddable Python with unmodified wheels, and its NSIS installer."""

from __future__ import annotations

import shutil
from pathlib import Path

from interpreter import WINDOWS_PYTHON, embedded_python
from licences import bill_of_materials, summary, whole_text
from site_folder import fill, prune
from steps import HERE, ROOT, System, program, run, size, version

DATA = HERE / "windows"
ICON = ROOT / "assets" / "icons" / "avatar-app-512.png"
ICON_SIDES = (16, 24, 32, 48, 64, 128, 256)

SYSTEM = System("windows", "x86_64-pc-windows-msvc", WINDOWS_PYTHON)
"""Windows 10 or newer on x86-64; can be built on any system."""


def build_tree(tree: Path, work: Path) -> None:
    """All installed files, as in the program's folder."""
    site = embedded_python(tree, work)
    fill(site, SYSTEM, work)
    prune(site)
    shutil.copy2(DATA / "avatar-app.cmd", tree)
    (tree / "LICENCES.txt").write_text(whole_text(site, WINDOWS_PYTHON), encoding="utf-8", newline="\r\n")
    (tree / "sbom.cdx.json").write_text(bill_of_materials(site, WINDOWS_PYTHON), newline="\r\n")
    write_icon(tree)


def write_icon(tree: Path) -> None:
    """Write the icon in every size that Windows shows."""
    from PIL import Image

    with Image.open(ICON) as icon:
        icon.save(tree / "avatar.ico", sizes=[(side, side) for side in ICON_SIDES])


def build_installer(tree: Path, output: Path, work: Path, quick: bool) -> Path:
    """Pack the tree as a program that installs and removes it."""
    makensis = program("makensis", "the package nsis")
    page = work / "licence.txt"
    # With a byte order mark, from which makensis detects UTF-8.
    page.write_text(summary(tree / "site", WINDOWS_PYTHON), encoding="utf-8-sig", newline="\r\n")
    target = output / f"avatar-app-{version()}-setup.exe"
    values = {
        "VERSION": version(),
        "TREE": tree,
        "LICENCE": page,
        "ICON": tree / "avatar.ico",
        "TARGET": target,
    }
    names = [f"-D{name}={value}" for name, value in values.items()]
    extra = ["-DQUICK=1"] if quick else []
    run(makensis, "-V2", *names, f"-DSIZE={size(tree) // 1024}", *extra, DATA / "installer.nsi")
    return target
