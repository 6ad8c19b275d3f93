"""What was announced and asked for, and has not come yet: bounded, though anybody can announce what does not exist."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from node import limits

FETCH_TIMEOUT_MS: Final = 2_000
"""So long nobody else is asked for it."""
FETCHING_SPARE: Final = 2_000
"""What was asked for and did not come in time is forgotten once a peer has more of it than this."""
FETCHING_MAX: Final = limits.POOL_TXS_MAX
"""Of all peers together. Above it the one that has most loses its oldest: who floods forgets for itself alone."""


class TxFetcher:
    def __init__(self) -> None:
        self._peer_of: dict[bytes, int] = {}
        self._until: dict[int, OrderedDict[bytes, int]] = {}
        """By peer, oldest first: when each is asked of another."""

    def __len__(self) -> int:
        return len(self._peer_of)

    def is_open(self, wire_id: bytes, now_ms: int) -> bool:
        """Whether it may still come from whom it was asked of."""
        peer = self._peer_of.get(wire_id)
        return peer is not None and self._until[peer][wire_id] > now_ms

    def begin(self, peer: int, wire_id: bytes, now_ms: int) -> None:
        """It is asked of the peer now, whoever was asked before."""
        self.came(wire_id)
        own = self._until.setdefault(peer, OrderedDict())
        own[wire_id] = now_ms + FETCH_TIMEOUT_MS
        self._peer_of[wire_id] = peer
        # many are in a block before they come, and then they never do
        while len(own) > FETCHING_SPARE and next(iter(own.values())) <= now_ms:
            self.came(next(iter(own)))
        if len(self._peer_of) > FETCHING_MAX:
            most = max(self._until, key=lambda peer: len(self._until[peer]))
            self.came(next(iter(self._until[most])))

    def came(self, wire_id: bytes) -> bool:
        """Whether it was asked for; it is not any more."""
        peer = self._peer_of.pop(wire_id, None)
        if peer is None:
            return False
        own = self._until[peer]
        del own[wire_id]
        if not own:
            del self._until[peer]
        return True
