"""The sweep of the replay window: each block deletes a part of the txids whose expiry hour has passed."""

from __future__ import annotations

from itertools import islice
from typing import Final

from node.storage import schema
from node.storage.kv import KeyValue
from node.txtypes.chain.replay_window import hour_of

LEAST: Final = 2_000
"""Keys that are deleted with one block: this many, or twice its transactions if those are more, so that the sweep keeps
up. Senders choose the expiry, and an hour may have all of a day's transactions: 10,000 at once take 30 ms."""


class WindowSweep:
    """Where the sweep of a store is."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv
        self._from = schema.window_start(0)
        """Lower bound of the stored keys."""

    def passed(self, time_ms: int, transactions: int) -> list[tuple[bytes, bytes]]:
        """The rows that are to be deleted with a block of this time and so many transactions."""
        end, count = schema.window_start(hour_of(time_ms)), max(LEAST, 2 * transactions)
        rows = list(islice(self._kv.scan(self._from, end), count))
        self._from = rows[-1][0] if len(rows) == count else max(end, self._from)
        return rows
