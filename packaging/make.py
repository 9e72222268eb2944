"""Build what users install: python packaging/make.py deb (or appdir, windows, macos, sums, lock).

--output DIR    where the results go (default: dist)
--work DIR      folder for intermediate files, which are kept (default: build/packaging)
--quick         pack faster and larger, for tests
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from steps import Failure, size

Task = Callable[[argparse.Namespace], Path]


def deb(options: argparse.Namespace) -> Path:
    from linux_bundle import build_deb, build_tree

    build_tree(options.work / "tree", options.work)
    _say(f"{options.work / 'tree'}: {size(options.work / 'tree') / 1e6:.0f} MB unpacked")
    return build_deb(options.work / "tree", options.output, options.quick)


def appdir(options: argparse.Namespace) -> Path:
    """From the tree that `deb` built, or from a new one."""
    from linux_bundle import build_appdir, build_tree

    if not (options.work / "tree").is_dir():
        build_tree(options.work / "tree", options.work)
    return build_appdir(options.work / "tree", options.output / "AvatarApp.AppDir")


def windows(options: argparse.Namespace) -> Path:
    from windows_bundle import build_installer, build_tree

    build_tree(options.work / "windows", options.work)
    _say(f"{options.work / 'windows'}: {size(options.work / 'windows') / 1e6:.0f} MB unpacked")
    return build_installer(options.work / "windows", options.output, options.work, options.quick)


def macos(options: argparse.Namespace) -> Path:
    from macos_bundle import build_app, build_image

    app = build_app(options.work, options.work)
    return build_image(app, options.output, options.work)


def sums(options: argparse.Namespace) -> Path:
    """SHA-256 of all files in the output folder, in the format of sha256sum."""
    target: Path = options.output / "SHA256SUMS"
    files = sorted(path for path in options.output.iterdir() if path.is_file() and path != target)
    if not files:
        raise Failure(f"There is nothing in {options.output} to sum up: make something first.")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    target.write_text("\n".join(lines) + "\n")
    return target


def lock(options: argparse.Namespace) -> Path:
    from site_folder import LOCK, write_lock

    write_lock(options.work)
    return LOCK


TASKS: dict[str, Task] = {task.__name__: task for task in (deb, appdir, windows, macos, sums, lock)}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="DIR")
    parser.add_argument("--work", type=Path, default=Path("build/packaging"), metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="pack sooner and larger, to try things out")
    options = parser.parse_args(words)
    try:
        options.output, options.work = options.output.absolute(), options.work.absolute()
        for folder in (options.output, options.work):
            folder.mkdir(parents=True, exist_ok=True)
        made = TASKS[options.task](options)
    except Failure as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"error: {problem.filename or 'The disk'}: {problem.strerror}.", file=sys.stderr)
        return 2
    _say(f"{made}" + (f": {made.stat().st_size / 1e6:.1f} MB" if made.is_file() else ""))
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
