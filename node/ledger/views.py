"""Views: what a state value counts as at a time, with what is derived from it. HTTP, wallet and documents share them.

A view is a frozen struct and a pure function of the value, a reader of state and the time. Whoever runs it over proven
values, all of one height, gets exactly what a node answers at that height.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from node.codec import Value
from node.ledger.family import Family, Reader

W = TypeVar("W", bound=msgspec.Struct)
V = TypeVar("V", bound=Value)


class View(msgspec.Struct, frozen=True):
    """Base of answers that are no extended state value."""


def extended(view: type[W], value: Value, **derived: Any) -> W:
    """A view that has the fields of `value`, those in `derived` replaced or added."""
    return view(**{name: getattr(value, name) for name in value.__struct_fields__} | derived)


class MissingKey(Exception):
    """A view reads a state key that was not given."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key.decode("ascii"))
        self.key = key


class GivenReader:
    """Reads values that are at hand, such as proven ones. Implements `Reader`; raises `MissingKey` for any other key.

    `values`: state key to raw value, None where the key is absent.
    """

    def __init__(self, values: dict[bytes, bytes | None]) -> None:
        self.values = values

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        key = family.key(ident)
        if key not in self.values:
            raise MissingKey(key)
        raw = self.values[key]
        return None if raw is None else family.decode(raw)


__all__ = ["GivenReader", "MissingKey", "Reader", "View", "extended"]
