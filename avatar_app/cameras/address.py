"""Addresses of cameras for people and files: without the secrets in them. Only the settings and the camera itself get those."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SCHEME = re.compile(r"\w+://")
HIDDEN = "..."


def is_address(text: str) -> bool:
    """Whether a source is an address and not a camera's name, a file or a folder."""
    return SCHEME.match(text) is not None


def source_title(text: str) -> str:
    """What the user named as the source, without secrets: an address, also one that was written without its beginning, or other text
    as it is."""
    if is_address(text):
        return address_title(text)
    return HIDDEN + text.rpartition("@")[2] if re.search(":.*@", text) else text


def address_title(url: str) -> str:
    """An address without user, password and whatever follows a question mark; cameras have secrets in their paths too, as in
    ``/user=me&password=x``. Where a password's own ``/``, ``?``, ``#`` or ``@`` make it unclear where it ends, nothing of it is told."""
    scheme = url.partition(":")[0]
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where it is no number, but the first half of a password
    except ValueError:
        return f"{scheme}://{HIDDEN}"
    if "@" in parts.path + parts.query + parts.fragment:
        return f"{scheme}://{HIDDEN}"
    host, path = parts.netloc.rpartition("@")[2], re.sub("/[^/]*=.*", f"/{HIDDEN}", parts.path)
    return (f"{parts.scheme}://{host}{path}" if parts.scheme else path) or HIDDEN


def fault_of(url: str) -> str:
    """Why nothing can be reached at an address of this form, without repeating any of it; empty where it is well formed."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
        return "" if parts.hostname else "the address has no host"
    except ValueError:
        if "@" in url:
            return "the address is unclear; in a user or a password write %2F for /, %3F for ?, %23 for # and %40 for @"
        return "the address is damaged"
