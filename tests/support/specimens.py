"""Bodies from the specimen that every transaction type has: one writer for all tests and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Protocol

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.ledger.example import resolved
from node.ledger.json_form import from_json
from node.txtypes.registry import TYPES
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import DAY_MS, START_MS, address

EXAMPLE_VIN = "WBA8E9G50GNU12345"
"""The car of every specimen."""


class Readable(Protocol):
    """A chain as the writers of bodies see it: its state, and the time of its next block."""

    @property
    def now(self) -> int: ...

    def state(self, family: Any, ident: Any) -> Any: ...


def shown_root(chain: Readable, listing: bytes) -> bytes:
    """What a buyer is shown of a listing; zeros where there is none."""
    found = chain.state(LISTING, listing)
    return disclosure_root(listing, found, chain.state(VEHICLE, found.vin)) if found else bytes(32)


class RunNames:
    """Symbolic names on one chain: parties are development accounts, ids are those that the run has made so far.

    Implements `node.ledger.example.Names`. An id that was not made yet is zeros.
    """

    def __init__(self, chain: Readable | None = None, ids: Mapping[str, bytes] | None = None) -> None:
        self._chain = chain
        self._ids = ids or {}
        self.now_ms = chain.now if chain is not None else START_MS + DAY_MS

    def address_text(self, name: str) -> str:
        return to_text(address(name))

    def bytes_of(self, symbol: str) -> bytes:
        name = symbol.removeprefix("$")
        if name.startswith("key:"):
            return dev_key("account", name.removeprefix("key:")).public
        if name == "disclosure_root" and self._chain is not None:
            return shown_root(self._chain, self._ids.get("listing", bytes(32)))
        if name == "material_root" and self._chain is not None:
            vehicle = self._chain.state(VEHICLE, EXAMPLE_VIN)
            return material_root(EXAMPLE_VIN, vehicle) if vehicle else bytes(32)
        if name == "reference":
            return sha256(self._ids.get(name, b"entry-1")).digest()
        return self._ids.get(name, bytes(32))


def specimen(
    tag: str, chain: Readable | None = None, ids: Mapping[str, bytes] | None = None, **changes: Any
) -> TransactionBody:
    """The type's specimen as of `chain`, with `changes` as they are: a test may ask for a body that no decoder takes.

    What a specimen depends on and the changes replace is not looked up.
    """
    kind = TYPES[tag]
    body: TransactionBody = from_json(kind, resolved(kind, kind.EXAMPLE.body, RunNames(chain, ids)))
    return replace(body, **changes)
