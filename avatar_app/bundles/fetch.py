"""Download a large file: resumed after a break, and checked against its hash."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from avatar_app.errors import BundleError
from avatar_app.files import reason
from avatar_app.text import NOTHING, Text

CHUNK = 1 << 20
PATIENCE = 30.0
"""Seconds without a byte after which a connection counts as dead."""

LARGEST = 2 << 30
"""Limit in bytes; the largest known file has 716 MB."""

SLOWEST, LOOKS = 2000, 60.0
"""Bytes a second below which a connection counts as dead, over this many seconds: the file would take
days.
"""

NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    ValueError,  # a redirection to a malformed address
)

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far and, if the server says so, the total."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file to download.

    Attributes:
        md5: of the whole file, as its publisher states it; it reveals a damaged file, not a forged one.
        configuration: name of the YAML in ``training/configs`` that describes its networks.
        mirrors: addresses tried in turn if ``url`` fails.
    """

    url: str
    md5: str
    configuration: str
    licence: str
    mirrors: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The file's name on disk."""
        return self.url.rpartition("/")[2]


class TooLarge(http.client.HTTPException):
    """The server sends more than any known file has."""

    def __init__(self) -> None:
        super().__init__(f"it sends more than {LARGEST / (1 << 30):.2g} GB")


KNOWN = {
    "vox-adv": Download(
        url="https://openavatarify.s3-avatarify.com/weights/vox-adv-cpk.pth.tar",
        mirrors=("https://openavatarify.s3.amazonaws.com/weights/vox-adv-cpk.pth.tar",),
        md5="8a45a24037871c045fbb8a6a8aa95ebc",
        configuration="vox-adv.yaml",
        licence="published by the authors of the First Order Motion Model; see their project",
    )
}


def fetch(
    download: Download,
    target: Path,
    progress: Progress = lambda done, total: None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Make sure that the right file is at ``target``.

    A file put there by hand is taken if its hash is right.

    Args:
        note: called with one sentence for each address that fails.

    Raises:
        BundleError: no address gives the file, it cannot be written, or there is another file at ``target``.
    """
    if target.exists():
        if md5(target) != download.md5:
            raise BundleError(
                Text("The file {} is not the one expected: its MD5 is not {}.", target, download.md5),
                Text("Delete it and try again."),
            )
        return target
    partial = target.with_name(target.name + ".part")
    problem = NOTHING
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for address in (download.url, *download.mirrors):
            problem = _fetched(address, download.md5, partial, progress)
            if not problem:
                partial.replace(target)
                return target
            note(problem)
    except OSError as error:
        raise BundleError(
            Text("The download cannot be written to {}: {}.", target.parent, reason(error)),
            Text("Free some space."),
        ) from None
    hint = Text("Get the file elsewhere, put it at {}, and run this again.", target)
    raise BundleError(
        problem,
        Text("No other address is known. {}", hint)
        if download.mirrors
        else Text("If the link is dead: {}", hint),
    )


def _fetched(address: str, expected: str, partial: Path, progress: Progress) -> Text:
    """Download to ``partial``.

    Returns:
        why that failed, as a sentence, or an empty text.

    Raises:
        OSError: of the disk.
    """
    try:
        resumed = partial.exists()
        _download(address, partial, progress)
        if resumed and md5(partial) != expected:
            # The existing part may belong to another file: start over.
            partial.unlink()
            _download(address, partial, progress)
    except NETWORK_ERRORS as error:
        if isinstance(error, TooLarge):
            partial.unlink(missing_ok=True)
        return Text("{} could not be fetched: {}.", address, _why(error))
    if md5(partial) != expected:
        partial.unlink()
        return Text("What {} sends is not the file expected: its MD5 is not {}.", address, expected)
    return NOTHING


def _download(url: str, partial: Path, progress: Progress) -> None:
    """Append the missing part to ``partial``."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing, or it is another file; the hash decides
        raise
    with closing(answer):
        resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
        done = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() and len(length) < 20 else None
        if total is not None and total > LARGEST:
            raise TooLarge
        with partial.open("ab" if resumed else "wb") as file:
            for piece in _pieces(answer):
                file.write(piece)
                done += len(piece)
                if done > LARGEST:
                    raise TooLarge
                progress(done, total)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    # read1 returns what has arrived, so that a broken connection loses nothing and progress shows on a slow
    # line.
    came, since = 0, time.monotonic()
    while piece := answer.read1(CHUNK):
        yield piece
        came += len(piece)
        passed = time.monotonic() - since
        if passed > LOOKS:
            if came < SLOWEST * passed:
                raise TimeoutError("it sends far too slowly; what came is kept")
            came, since = 0, time.monotonic()


def md5(path: Path) -> str:
    """Return the hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke off; what came is kept, and the next try goes on from there"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        error = error.reason
    return reason(error)
