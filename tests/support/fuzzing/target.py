"""What a fuzz target is: takes any bytes, raises nothing but what is documented, and what it takes it can give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from node.codec import encode
from node.errors import Rejected

Run = Callable[[bytes], bool]
"""True where the input was taken. Whatever it raises is a crash."""


@dataclass(frozen=True)
class Target:
    name: str
    run: Run
    corpus: Callable[[], list[bytes]]
    """Good inputs: each must be taken."""
    is_slow: bool = False
    """Takes about a millisecond or more: gets fewer inputs."""


def taken(parse: Callable[[Any], object], *documented: type[BaseException]) -> Run:
    """Of a parser that raises only `documented`, `Rejected` where none is named."""
    refusals = documented or (Rejected,)

    def run(data: bytes) -> bool:
        try:
            parse(data)
        except refusals:
            return False
        return True

    return run


def round_trip(decode: Callable[[bytes], Any], *documented: type[BaseException]) -> Run:
    """Of a decoder: besides, what it takes encodes to the same bytes."""

    def parse(data: bytes) -> None:
        value = decode(data)
        assert encode(value) == data, "a decoded value encodes to other bytes"

    return taken(parse, *documented)


def text_of(data: bytes) -> str:
    """Any bytes as text that a person could type."""
    return data.decode("utf-8", "replace")
