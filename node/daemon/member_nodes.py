"""The nodes of active members, as published on the chain."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from node.storage.chain_store import ChainReader, ChainStore
from node.txtypes.members.member import MEMBER, Member

MEMBERS_MAX = 10_000


def members_of(store: ChainReader) -> Iterator[tuple[bytes, Member]]:
    """(address, member) of every member that was ever admitted."""
    for address, member in islice(store.values(MEMBER), MEMBERS_MAX):
        yield bytes.fromhex(address), member


class MemberNodes:
    """Node keys that active members have published, as of the head, with the published network addresses.

    A member does not prove that a published key is its own, so the addresses of all who publish a key are kept: the
    handshake shows which one has it.
    """

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        self._height = -1
        self._places: dict[bytes, tuple[str, ...]] = {}

    def __call__(self) -> dict[bytes, tuple[str, ...]]:
        if self._height != self._store.height():
            self._height, self._places = self._store.height(), {}
            for _, member in members_of(self._store):
                if member.status == "active" and member.node_key:
                    places = (member.node_address,) if member.node_address else ()
                    self._places[member.node_key] = (*self._places.get(member.node_key, ()), *places)
        return self._places
