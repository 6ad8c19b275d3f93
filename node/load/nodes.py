"""Nodes: the RPC addresses that a load is offered to in turn, with what each has answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from node.load.percentiles import Percentiles

REST_S: Final = 1.0
"""How long a node that gave no answer is passed over: each further attempt would cost a transaction its time-out."""


@dataclass(eq=False)
class Node:
    """One address. `in_flight`: its requests without an answer; `failures`: transactions by why it gave no answer."""

    url: str
    in_flight: int = 0
    resting_until_s: float = 0.0
    offered: int = 0
    accepted: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    answers_ms: list[float] = field(default_factory=list)

    def failed(self, why: str, count: int, now_s: float) -> None:
        self.failures[why] += count
        self.resting_until_s = now_s + REST_S

    def to_json(self) -> dict[str, Any]:
        answers = Percentiles.of(self.answers_ms)
        return {
            "url": self.url,
            "offered": self.offered,
            "accepted": self.accepted,
            "refused": dict(self.refusals.most_common()),
            "failed": dict(self.failures.most_common()),
            "answer_ms": answers and answers.to_json(),
        }


class Turns:
    """The nodes in turn. `in_flight_max`: requests of one node that may be without an answer."""

    def __init__(self, urls: Sequence[str], in_flight_max: int) -> None:
        self.nodes = [Node(url) for url in urls]
        self._in_flight_max = in_flight_max
        self._next = 0

    def take(self, now_s: float) -> Node | None:
        """The next node with room, one that rests only if all do; None if none has room."""
        found = self._first(now_s, ())
        if found is None or found.in_flight >= self._in_flight_max:
            return None
        self._next = (self.nodes.index(found) + 1) % len(self.nodes)
        return found

    def other(self, now_s: float, tried: Collection[Node]) -> Node | None:
        """A node for a transaction that those in `tried` gave no answer to, in any number in flight; None for none."""
        return self._first(now_s, tried)

    def _first(self, now_s: float, tried: Collection[Node]) -> Node | None:
        in_turn = [*self.nodes[self._next :], *self.nodes[: self._next]]
        left = [node for node in in_turn if node not in tried]
        # A node without room comes last: the others must not wait for it.
        return min(
            left, key=lambda node: (node.in_flight >= self._in_flight_max, node.resting_until_s > now_s), default=None
        )
