"""Fake libraries of other systems, for ctypes code.

Their functions are written in Python, but arguments must match the declarations.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


class Function:
    """Like a function of ``ctypes.CDLL``."""

    def __init__(self, work: Callable[..., int]) -> None:
        self._work = work
        self.argtypes: list[Any] = []
        self.restype: Any = ctypes.c_int

    def __call__(self, *given: Any) -> int:
        assert len(given) == len(self.argtypes)
        for value, kind in zip(given, self.argtypes, strict=True):
            kind.from_param(value)
        return self._work(*given)


class Library:
    """Like ``ctypes.CDLL``, for an object that has the functions as methods."""

    def __init__(self, functions: object) -> None:
        self._functions = functions
        self._made: dict[str, Function] = {}

    def __getattr__(self, name: str) -> Function:
        if name not in self._made:
            self._made[name] = Function(getattr(self._functions, name))
        return self._made[name]


def pointed(reference: Any) -> Any:
    """The object that a ``ctypes.byref`` refers to."""
    return reference._obj
