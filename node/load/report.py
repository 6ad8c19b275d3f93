"""The report of a run: what was offered, what became of it, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from node.load.mix import KINDS
from node.load.nodes import Node
from node.load.offering import Offering
from node.load.percentiles import Percentiles
from node.load.ways import Fate, Way


@dataclass(frozen=True)
class Report:
    """`missed`: places in the schedule in which nothing was offered; `blocks`: the number of transactions, also of
    others, of each block that has one of the load."""

    ways: tuple[Way, ...]
    missed: int
    blocks: dict[int, int]
    nodes: tuple[Node, ...]

    @staticmethod
    def of(offering: Offering) -> Report:
        ways = tuple(offering.ways.values())
        heights = Counter(way.height for way in ways if way.height)
        # A block that no stream has reported was found by asking for the status of its transactions.
        blocks = {height: offering.blocks.get(height, own) for height, own in sorted(heights.items())}
        return Report(ways, offering.pace.missed, blocks, tuple(offering.turns.nodes))

    # --- counts ---
    @property
    def offered(self) -> int:
        return len(self.ways)

    @property
    def accepted(self) -> int:
        """What is in a block was accepted, even where no answer said so."""
        return sum(bool(way.accepted_by or way.height) for way in self.ways)

    @property
    def not_committed(self) -> int:
        """Accepted transactions that are in no block."""
        return sum(bool(way.accepted_by) and not way.height for way in self.ways)

    def fates(self) -> Counter[Fate]:
        """What has become of the offered transactions; the numbers add up to `offered`."""
        return Counter(way.fate for way in self.ways)

    def reasons(self, fate: Fate) -> dict[str, int]:
        """Codes with their numbers, the most frequent first; `fate` is `refused` or `rejected`."""
        found = Counter(way.refusal or way.rejection for way in self.ways if way.fate == fate)
        return dict(found.most_common())

    @property
    def committed_per_second(self) -> float:
        """Committed transactions per second, from the first offer to the last commit; 0 where nothing was committed."""
        last_s = max((way.committed_s for way in self.ways if way.committed_s is not None), default=0.0)
        span_s = last_s - min((way.sent_s for way in self.ways), default=0.0)
        return self.fates()["committed"] / span_s if span_s > 0 else 0.0

    # --- times ---
    @property
    def answer_ms(self) -> Percentiles | None:
        return _times(self.ways, lambda way: way.answered_s)

    @property
    def finality_ms(self) -> Percentiles | None:
        return _times(self.ways, lambda way: way.committed_s)

    @property
    def late_ms(self) -> Percentiles | None:
        """How late the tool itself has offered."""
        return _times(self.ways, lambda way: way.sent_s)

    @property
    def per_block(self) -> Percentiles | None:
        return Percentiles.of(list(self.blocks.values()))

    def to_json(self) -> dict[str, Any]:
        fates, heights = self.fates(), list(self.blocks)
        kinds = Counter(way.signed.kind for way in self.ways)
        committed = Counter(way.signed.kind for way in self.ways if way.height)
        return {
            "offered": self.offered,
            "missed": self.missed,
            "accepted": self.accepted,
            "committed": fates["committed"],
            "refused": self.reasons("refused"),
            "rejected": self.reasons("rejected"),
            "undecided": fates["undecided"],
            "unanswered": fates["unanswered"],
            "committed_per_second": round(self.committed_per_second, 1),
            "answer_ms": _json(self.answer_ms),
            "finality_ms": _json(self.finality_ms),
            "late_ms": _json(self.late_ms),
            "blocks": {
                "count": len(heights),
                "first": heights[0] if heights else None,
                "last": heights[-1] if heights else None,
                "of_others": sum(self.blocks.values()) - fates["committed"],
                "transactions": _json(self.per_block),
            },
            "kinds": {kind: {"offered": kinds[kind], "committed": committed[kind]} for kind in KINDS if kinds[kind]},
            "nodes": [node.to_json() for node in self.nodes],
        }


def _json(found: Percentiles | None) -> dict[str, Any] | None:
    return None if found is None else found.to_json()


def _times(ways: Sequence[Way], when_s: Callable[[Way], float | None]) -> Percentiles | None:
    """Milliseconds from when each was due."""
    known: Iterable[tuple[Way, float | None]] = ((way, when_s(way)) for way in ways)
    return Percentiles.of([(at_s - way.due_s) * 1_000 for way, at_s in known if at_s is not None])
