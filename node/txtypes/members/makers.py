"""Makers: the manufacturers of this chain by world manufacturer identifier, and since when.

A car of such a maker that was made since is born on this chain; it is not brought in by somebody else.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from node.codec import Value
from node.ledger.family import Family, Ident, Reader
from node.ledger.fields import Address, Time
from node.txtypes.members.member import has_role_at

MAKERS_MAX: Final = 8
"""Manufacturers of one identifier. A further one registers cars all the same, and nobody waits for its births."""


class Maker(Value, frozen=True):
    """A manufacturer, and since when its role names the identifier."""

    address: Address
    since_ms: Time


class Makers(Value, tag=1, frozen=True):
    """The manufacturers of one identifier, in the order in which governance named them."""

    makers: Annotated[tuple[Maker, ...], Meta(max_length=MAKERS_MAX)]


MAKERS = Family("makers", Makers, ident=Ident("a WMI of 3 or 6 characters", "[A-HJ-NPR-Z0-9]{3}([A-HJ-NPR-Z0-9]{3})?"))
NO_MAKERS: Final = Makers(())


def with_maker(known: Makers | None, address: bytes, since_ms: int) -> Makers:
    """With one more manufacturer; one that is there keeps its time."""
    makers = (known or NO_MAKERS).makers
    if len(makers) >= MAKERS_MAX or any(maker.address == address for maker in makers):
        return Makers(makers)
    return Makers((*makers, Maker(address, since_ms)))


def maker_since(reader: Reader, wmi: str, now_ms: int) -> Maker | None:
    """The first manufacturer that has the role for the identifier now."""
    makers = (reader.get(MAKERS, wmi) or NO_MAKERS).makers
    return next((m for m in makers if has_role_at(reader, m.address, now_ms, "manufacturer", wmi=wmi)), None)
