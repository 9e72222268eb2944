"""Show camera addresses to people and in files without their secrets.

Only the settings and the camera itself get the secrets.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SCHEME = re.compile(r"\w+://")
HIDDEN = "..."

HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?")

PLAIN = re.compile(
    r"(video|live|stream|mjpe?g|cam(era)?|media|main|sub|ch(annel)?|h26[45]|track|profile|axis-cgi|cgi-bin|onvif|feed|image|snapshot"
    r"|play|index|login|unicast|multicast|av)?[\d_]*(\.[a-z\d]{2,5})?"
)
"""Parts of paths that are shown: common words and numbers. Any other may be a password."""

SECRETIVE = re.compile(r"[?=;&%#\n\r]|:.*@|^//|^\w{2,}:/")
"""Marks of an address, and of a secret in it, in text written without ``http://`` or the like in front."""


def is_address(text: str) -> bool:
    """Whether a source is an address and not a camera's name, a file or a folder."""
    return SCHEME.match(text) is not None


def source_title(text: str) -> str:
    """Return the source that the user gave, without secrets."""
    if is_address(text):
        return address_title(text)
    if not SECRETIVE.search(text):
        return text
    host = HOST.match(re.sub(r"^(\w{2,}:)?/+", "", text.rpartition("@")[2]))
    return f"{host.group()}/{HIDDEN}" if host else HIDDEN


def address_title(url: str) -> str:
    """Return an address's host, and the parts of its path that cannot be secret.

    Users and passwords stand before an ``@``, behind a ``?``, and in paths as in ``/user=me&password=x`` or
    ``/me/x/video``. If a ``/``, ``?``, ``#`` or ``@`` in them makes it unclear where they end, only the
    protocol is shown.
    """
    scheme = url.partition(":")[0]
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where it is not a number, but the first half of a password
    except ValueError:
        return f"{scheme}://{HIDDEN}"
    if not url.isprintable():  # ``urlsplit`` drops line ends, so that the text after one joins the host
        return f"{scheme}://{HIDDEN}"
    if "@" in parts.path + parts.query + parts.fragment:
        return f"{scheme}://{HIDDEN}"
    host = HOST.fullmatch(parts.netloc.rpartition("@")[2])
    path = _plain_path(parts.path)
    if not parts.scheme:
        return path or HIDDEN
    return f"{parts.scheme}://{host.group()}{path}" if host else f"{parts.scheme}://{HIDDEN}"


def _plain_path(path: str) -> str:
    """Return a path up to its first part that might be a secret."""
    plain = ""
    for part in path.split("/")[1:]:
        if not PLAIN.fullmatch(part):
            return f"{plain}/{HIDDEN}"
        plain += f"/{part}"
    return plain


def fault_of(url: str) -> str:
    """Return why an address of this form cannot work; empty if it is well formed.

    Repeats no part of the address, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
        return "" if parts.hostname else "the address has no host"
    except ValueError:
        if "@" in url:
            return (
                "the address is unclear; in a user or a password write %2F for /, %3F for ?, %23 for # "
                "and %40 for @"
            )
        return "the address is damaged"
