"""Peer eviction: which stranger's link is closed when there are too many. Pure.

Members and configured peers always have room. Strangers share a bounded number of slots: some are reserved for peers
that we dial, an address has at most `PEERS_PER_ADDRESS_MAX`, and when all are taken a better stranger replaces the
worst.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from node import limits

OUTBOUND_PART: Final = 5
"""One in so many slots is reserved for strangers that we dial, so that inbound links can't take them all (eclipse)."""
SCORE_STEP: Final = 10
"""Scores are compared in steps of this, one offence, so that small differences evict nobody."""


@dataclass(frozen=True, slots=True)
class PeerSlot:
    """A stranger's link, open or new."""

    peer: int
    host: str
    is_outbound: bool
    score: float
    opened_ms: int


def network_of(host: str) -> str:
    """The /16, or in IPv6 the /32: one party easily has many addresses within it."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 16 if address.version == 4 else 32), strict=False))


def address_of(host: str) -> str:
    """The IPv4 address, or in IPv6 the /64, which counts as one address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def room_for(new: PeerSlot, strangers: Iterable[PeerSlot], peers_max: int) -> tuple[bool, int | None]:
    """Whether a new stranger's link is kept, and the peer to evict for it, if any."""
    slots = list(strangers)
    same_address = [slot for slot in slots if not slot.is_outbound and address_of(slot.host) == address_of(new.host)]
    if not new.is_outbound and len(same_address) >= limits.PEERS_PER_ADDRESS_MAX:
        return _instead_of(new, same_address, slots)
    inbound = [slot for slot in slots if not slot.is_outbound]
    is_full = len(slots) >= peers_max
    if not new.is_outbound:
        is_full = is_full or len(inbound) >= peers_max - peers_max // OUTBOUND_PART
    return _instead_of(new, inbound, slots) if is_full else (True, None)


def _instead_of(new: PeerSlot, candidates: list[PeerSlot], slots: list[PeerSlot]) -> tuple[bool, int | None]:
    per_network = Counter(network_of(slot.host) for slot in slots)

    def badness(slot: PeerSlot) -> tuple[int, int]:
        return int(slot.score // SCORE_STEP), per_network[network_of(slot.host)]

    worst = max(candidates, key=lambda slot: (badness(slot), slot.opened_ms), default=None)
    if worst is None:
        return False, None
    # In the worst one's network the new link takes its place; in another network it adds to the count.
    joined = per_network[network_of(new.host)] + (network_of(new.host) != network_of(worst.host))
    is_better = (int(new.score // SCORE_STEP), joined) < badness(worst)
    return (True, worst.peer) if is_better else (False, None)
