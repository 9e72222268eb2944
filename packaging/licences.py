"""The content of a bundle and its licences: a text for people and a bill of materials for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path

from steps import ROOT, version

OPENING = """Avatar App {version}

The app itself is under the MIT licence, which follows. This bundle also holds the libraries listed below,
each under its own terms. Two of them are under the GNU General Public License: pyvirtualcam (GPL-2.0), and
x264 and x265, which the wheels of PyAV hold (GPL-2.0 or later). The bundle as a whole may therefore be handed
on only under the terms of the GNU General Public License. The app's source lies in the bundle; the sources of
the libraries are on the Python Package Index, under the names and versions below.

Models and pictures carry their own terms: see models/*/CARD.md and assets/README.md.
"""
KNOWN = {"av": "BSD-3-Clause; FFmpeg, x264 and x265 in it GPL-2.0-or-later", "pyvirtualcam": "GPL-2.0-only"}
"""Licences of packages whose own metadata says less than what their wheels contain."""
FILES = re.compile(r"(?i)(licen[cs]e|copying|notice)")


def distributions(site: Path) -> list[metadata.Distribution]:
    """All packages in a folder, by name."""
    return sorted(metadata.distributions(path=[str(site)]), key=lambda one: one.name.lower())


def licence_of(one: metadata.Distribution) -> str:
    """A package's licence, in a few words, from its metadata."""
    if one.name.lower() in KNOWN:
        return KNOWN[one.name.lower()]
    about: Message = one.metadata  # type: ignore[assignment]
    plain = about.get("License-Expression") or _short(about.get("License"))
    classed = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    return plain or ", ".join(classed) or "see its files"


def _short(text: str | None) -> str:
    line = (text or "").strip()
    return line if "\n" not in line and len(line) < 80 else ""


def summary(site: Path, python: str) -> str:
    """The licence page: our own terms, their consequences for the whole, and a table of all packages."""
    rows = [f"{one.name} {one.version}: {licence_of(one)}" for one in distributions(site)]
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    return "\n\n".join(
        [OPENING.format(version=version()), licence, "\n".join([f"Python {python}: PSF-2.0", *rows])]
    )


def whole_text(site: Path, python: str) -> str:
    """The same, followed by each package's licence text."""
    parts = [summary(site, python)]
    for one in distributions(site):
        parts += [f"{'=' * 78}\n{one.name}: {path.name}\n{text}" for path, text in _words(one)]
    return "\n\n".join(parts) + "\n"


def _words(one: metadata.Distribution) -> Iterator[tuple[Path, str]]:
    for file in one.files or []:
        path = Path(str(file.locate()))
        if ".dist-info" in str(file) and FILES.search(path.name) and path.is_file():
            yield path, path.read_text(encoding="utf-8", errors="replace")


def bill_of_materials(site: Path, python: str) -> str:
    """All packages as CycloneDX 1.5, in JSON."""
    parts = [{"type": "application", "name": "python", "version": python, "licence": "PSF-2.0"}]
    parts += [
        {"type": "library", "name": one.name, "version": one.version, "licence": licence_of(one)}
        for one in distributions(site)
    ]
    components = [
        {
            "type": part["type"],
            "name": part["name"],
            "version": part["version"],
            "purl": f"pkg:pypi/{part['name'].lower().replace('_', '-')}@{part['version']}",
            "licenses": [{"license": {"name": part["licence"]}}],
        }
        for part in parts
        if part["name"].lower().replace("_", "-") != "avatar-app"
    ]
    components[0]["purl"] = f"pkg:generic/python@{python}"
    about = {"component": {"type": "application", "name": "avatar-app", "version": version()}}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": about}
    return json.dumps(document | {"components": components}, indent=1) + "\n"
