"""Who may stay. Pure.

Members and configured peers always find room. Strangers share a bounded number of places: some are kept for those
that we dial ourselves, no address has more than its share, and where all are taken a better stranger has the worst
one's.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from node import limits

OUTBOUND_PART: Final = 5
"""One place of so many is kept for strangers that we dial: those who dial us can't take them all."""
SCORE_STEP: Final = 10
"""Scores are compared in steps of one misdeed, so that links are not exchanged for trifles."""


@dataclass(frozen=True, slots=True)
class PeerSlot:
    """A stranger's link, or one that wants to be."""

    peer: int
    host: str
    is_outbound: bool
    score: float
    opened_ms: int


def network_of(host: str) -> str:
    """What one party easily has many addresses of: a /16, in IPv6 a /32."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 16 if address.version == 4 else 32), strict=False))


def address_of(host: str) -> str:
    """What counts as one address: in IPv6 everybody has a /64."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def room_for(new: PeerSlot, strangers: Iterable[PeerSlot], peers_max: int) -> tuple[bool, int | None]:
    """Whether a stranger may stay, and whose link has to go for it, if one has to."""
    slots = list(strangers)
    here = [slot for slot in slots if not slot.is_outbound and address_of(slot.host) == address_of(new.host)]
    if not new.is_outbound and len(here) >= limits.PEERS_PER_ADDRESS_MAX:
        return _instead_of(new, here, slots)
    inbound = [slot for slot in slots if not slot.is_outbound]
    is_full = len(slots) >= peers_max
    if not new.is_outbound:
        is_full = is_full or len(inbound) >= peers_max - peers_max // OUTBOUND_PART
    return _instead_of(new, inbound, slots) if is_full else (True, None)


def _instead_of(new: PeerSlot, candidates: list[PeerSlot], slots: list[PeerSlot]) -> tuple[bool, int | None]:
    crowd = Counter(network_of(slot.host) for slot in slots)

    def badness(slot: PeerSlot) -> tuple[int, int]:
        return int(slot.score // SCORE_STEP), crowd[network_of(slot.host)]

    worst = max(candidates, key=lambda slot: (badness(slot), slot.opened_ms), default=None)
    if worst is None:
        return False, None
    # Both would stand in the same crowd once the new one were in; one in another network stands in its own.
    joined = crowd[network_of(new.host)] + (network_of(new.host) != network_of(worst.host))
    is_better = (int(new.score // SCORE_STEP), joined) < badness(worst)
    return (True, worst.peer) if is_better else (False, None)
