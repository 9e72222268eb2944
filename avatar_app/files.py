"""Read and write files.

Paths are checked with clear errors, small files are read within limits, new ones are written atomically.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from avatar_app.errors import AvatarError, ConfigError, OutputError
from avatar_app.text import Text

LARGEST = 16 << 20
"""Limit in bytes of settings files, descriptions and the like; real ones have thousands."""

LONGEST_YAML = 1 << 15
"""Limit in bytes; real configurations have two thousand, and parsing time grows faster than the text."""

DEEPEST, MOST = 50, 500_000
"""Limits of nesting in JSON or YAML, and of the number of lists and objects; real files have three or four
levels.
"""

LEFT_OVER = 3600
"""Seconds after its last change from which a partial file is abandoned: its program was killed."""


def require_readable(path: Path, what: str, error: type[AvatarError]) -> None:
    """Raise ``error`` unless ``path`` is a readable, non-empty file.

    Args:
        what: the word for it, such as "photo".
    """
    try:
        require_ordinary(path)
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise error(
            Text("There is no {} {}.", what, path), Text("Check the path and its spelling.")
        ) from None
    except IsADirectoryError:
        raise error(
            Text("{} is a folder, not a {}.", path, what), Text("Name one {} file in it.", what)
        ) from None
    except (OSError, ValueError) as problem:
        raise error(
            Text("The {} {} cannot be read: {}.", what, path, reason(problem)),
            Text("Check its path and permissions."),
        ) from None
    if empty:
        raise error(Text("The {} {} is empty (0 bytes).", what, path), Text("Copy or download it again."))


def require_ordinary(path: Path) -> None:
    """Raise OSError for a pipe or a device, whose reading could block or never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("it is no ordinary file")


def read_small(path: Path) -> bytes:
    """Return the content of a file of at most ``LARGEST`` bytes.

    Raises OSError, also if it is larger or no ordinary file.
    """
    require_ordinary(path)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise OSError(f"it has more than {LARGEST >> 20} MB")
        return file.read(LARGEST)


def parse_json(data: bytes) -> Any:
    """Parse a JSON value that can be written again.

    Raises ValueError if it is malformed, not UTF-8, or nested beyond ``DEEPEST``.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    require_modest(value)
    return value


def require_modest(value: Any) -> None:
    """Raise ValueError for values nested too deeply or with too many parts.

    Beyond ``DEEPEST`` or ``MOST``: a few lines of YAML can stand for billions.
    """
    waiting, count = [(value, 0)], 0
    while waiting:
        part, level = waiting.pop()
        count += 1
        if level > DEEPEST or count > MOST:
            raise ValueError("it is nested too deeply")
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        waiting += [(one, level + 1) for one in inner if isinstance(one, dict | list)]


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; raise ConfigError naming it."""
    try:
        return parse_yaml(read_small(path))
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not YAML text"
        raise ConfigError(
            Text("The configuration {} cannot be read: {}.", path, why),
            Text("Give the YAML file of the checkpoint."),
        ) from None


def parse_yaml(data: bytes) -> Any:
    """Parse a YAML value.

    Raises ValueError if it is malformed, far too long, or expands to far more than its text.
    """
    import yaml

    if len(data) > LONGEST_YAML:
        raise ValueError(f"it has more than {LONGEST_YAML >> 10} kB")

    class PlainLoader(yaml.SafeLoader):
        """YAML without references.

        A few lines that refer to each other, or merge each other, can stand for billions.
        """

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it has references (*)")
            return super().compose_node(parent, index)

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                raise yaml.YAMLError("it has merge keys (<<)")

    try:
        value = yaml.load(data.decode("utf-8"), PlainLoader)
    except (
        yaml.YAMLError,
        RecursionError,
        OverflowError,
        TypeError,
        AttributeError,
    ) as error:  # impossible dates fail in many ways
        raise ValueError(str(error)) from None
    require_modest(value)
    return value


def find_program(name: str) -> str | None:
    """Return the full path of a program of the search path, None if not installed.

    Relative folders are left out, and on Windows the current one, which it would search first: a folder of
    downloads must not decide what is run.
    """
    endings = ("", ".exe") if sys.platform == "win32" else ("",)
    for folder in map(Path, os.get_exec_path()):
        for ending in endings:
            program = folder / (name + ending)
            if folder.is_absolute() and program.is_file() and os.access(program, os.X_OK):
                return str(program)
    return None


def is_there(path: str | Path) -> bool:
    """Whether a file or folder exists.

    False for impossible paths, such as one that is far too long.
    """
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def expanded(path: str | Path) -> Path:
    """Return the path with ``~`` replaced.

    Unchanged if it names an unknown user.
    """
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def require_folder(path: Path, what: str, error: type[AvatarError]) -> None:
    """Raise ``error`` unless ``path`` is a folder.

    Args:
        what: the word for it, such as "data set".
    """
    if not is_there(path):
        raise error(Text("There is no {} {}.", what, path), Text("Check the path and its spelling."))
    if not path.is_dir():
        raise error(
            Text("The {} {} is a file, not a folder.", what, path), Text("Name the folder that it is in.")
        )


def require_writable(path: Path) -> None:
    """Raise OutputError if a file cannot be written at ``path``.

    No such folder, no permission, not a plain file.
    """
    try:
        if path.is_dir():
            raise OutputError(
                Text("The output {} is a folder.", path),
                Text("Name a file in it, such as {}.", path / "out.mp4"),
            )
        if path.exists() and not path.is_file():
            raise OutputError(
                Text("The output {} is not a plain file.", path), Text("Name a file in a folder of yours.")
            )
        if not path.parent.is_dir():
            raise OutputError(
                Text("There is no folder {} for the output.", path.parent),
                Text("Create it first, or name another."),
            )
    except OSError as problem:
        raise OutputError(
            Text("The output {} cannot be written: {}.", path, reason(problem)), Text("Name another file.")
        ) from None
    if not os.access(path.parent, os.W_OK):
        raise OutputError(
            Text("The folder {} does not let you write the output {}.", path.parent, path.name),
            Text("Name a folder of yours."),
        )


def require_apart(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Raise OutputError if two outputs are one file, or an output is also an input.

    None: not given.
    """
    written, read = ([path for path in paths if path is not None] for paths in (outputs, inputs))
    for index, output in enumerate(written):
        if any(same_file(output, given) for given in read):
            raise OutputError(
                Text("The output {} is also an input.", output),
                Text("Name another file, so that nothing is lost."),
            )
        if any(same_file(output, other) for other in written[:index]):
            raise OutputError(
                Text("Two outputs have the same name {}.", output), Text("Name another file for one of them.")
            )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, or would once it exists."""
    with suppress(OSError, ValueError):
        return one.samefile(other)
    return one.resolve() == other.resolve()


def natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts names with numbers by value: 2.png before 10.png.

    Upper and lower case differ.
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def new_file(folder: Path, ending: str) -> Path:
    """Return an unused name with the time in it."""
    name = time.strftime("Avatar %Y-%m-%d %H.%M.%S")
    path = folder / f"{name}{ending}"
    number = 2
    while path.exists():
        path = folder / f"{name} ({number}){ending}"
        number += 1
    return path


def keep_damaged(path: Path) -> None:
    """Rename an unreadable JSON file to ``.bad`` before it is written again."""
    try:
        damaged = not isinstance(parse_json(read_small(path)), dict)
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        damaged = True
    if damaged:
        set_aside(path)


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """Write a report for people and programs. Raises OutputError."""
    try:
        write_whole(path, (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode(), 0o666)
    except OSError as problem:
        raise OutputError(
            Text("The report {} cannot be written: {}.", path, reason(problem)),
            Text("Free some space or name another folder."),
        ) from None


def part_file(path: Path, mode: int = 0o666) -> Path:
    """Create the empty hidden file beside ``path`` that replaces it once it is whole.

    Those that killed programs have left are removed. Its name cannot be guessed, so nobody can put a link in
    its place.

    Args:
        mode: access rights, as for ``os.open``.

    Raises:
        OSError: no such folder, no permission, no space.
    """
    remove_parts(path, LEFT_OVER)
    part = path.with_name(f"{_part_begin(path)}{secrets.token_hex(8)}.part")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    return part


def remove_parts(path: Path, older: float = 0.0) -> None:
    """Remove what killed programs have left of ``path``, if it is so old.

    Args:
        older: seconds since its last change.

    Raises:
        OSError: no such folder, or no permission.
    """
    for old in path.parent.iterdir():
        if old.name.startswith(_part_begin(path)) and old.name.endswith(".part"):
            with suppress(OSError):
                if time.time() - old.lstat().st_mtime >= older:
                    old.unlink()


def _part_begin(path: Path) -> str:
    return f".{path.name[:60]}."


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file, so that its content survives the next writing.

    None if that is impossible.
    """
    bad = path.with_name(path.name + ".bad")
    with suppress(OSError):
        return path.replace(bad)
    return None


def swap(content: Path, folder: Path, old: Path) -> None:
    """Move ``content`` to ``folder``.

    The previous content goes to ``old``, and comes back if that fails.
    """
    if folder.exists():
        folder.rename(old)
    try:
        content.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write ``data`` to ``path`` atomically.

    Readers see the old content or the new one, never a part. The folder is created if needed.

    Args:
        mode: access rights, as for ``os.open``.

    Raises:
        OSError: no permission, no space; then nothing has changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_file(path, mode)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def reason(problem: Exception) -> str:
    """Return the short text of an operating-system error, without number and path."""
    return (getattr(problem, "strerror", None) or str(problem) or type(problem).__name__).rstrip(".").lower()
