"""Open requests for announced transactions. Bounded, since a peer can announce transactions that do not exist."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from node import limits

FETCH_TIMEOUT_MS: Final = 2_000
"""A transaction is not requested from another peer within this time."""
FETCHING_SPARE: Final = 2_000
"""When a peer has more open requests than this, its timed-out ones are dropped."""
FETCHING_MAX: Final = limits.POOL_TXS_MAX
"""Total over all peers. Above, the peer with the most requests loses its oldest, so a flooding peer evicts its own."""


class TxFetcher:
    """Which peer each wire id was requested from, and until when."""

    def __init__(self) -> None:
        self._peer_of: dict[bytes, int] = {}
        self._until: dict[int, OrderedDict[bytes, int]] = {}
        """Per peer, oldest first: wire id to the time from which another peer may be asked."""

    def __len__(self) -> int:
        return len(self._peer_of)

    def is_open(self, wire_id: bytes, now_ms: int) -> bool:
        """Whether the transaction is requested and not timed out."""
        peer = self._peer_of.get(wire_id)
        return peer is not None and self._until[peer][wire_id] > now_ms

    def begin(self, peer: int, wire_id: bytes, now_ms: int) -> None:
        """The transaction is now requested from `peer`, replacing an earlier request."""
        self.came(wire_id)
        own = self._until.setdefault(peer, OrderedDict())
        own[wire_id] = now_ms + FETCH_TIMEOUT_MS
        self._peer_of[wire_id] = peer
        # Many are committed before they arrive, and then never arrive.
        while len(own) > FETCHING_SPARE and next(iter(own.values())) <= now_ms:
            self.came(next(iter(own)))
        if len(self._peer_of) > FETCHING_MAX:
            busiest = max(self._until, key=lambda peer: len(self._until[peer]))
            self.came(next(iter(self._until[busiest])))

    def came(self, wire_id: bytes) -> bool:
        """Close the request. Returns whether there was one."""
        peer = self._peer_of.pop(wire_id, None)
        if peer is None:
            return False
        own = self._until[peer]
        del own[wire_id]
        if not own:
            del self._until[peer]
        return True
