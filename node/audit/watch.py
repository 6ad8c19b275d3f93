"""Watching of several nodes of one chain: split views, false headers, diverging roots, nodes that stand still.

A split view is two decided headers of one height (`node.audit.following`). A diverging root is a state root that is not
the decided one: two headers that differ in what the same transactions give, or a node whose state does not prove
against its own head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from node.audit.following import Followed, Follower, Proven, Shower, SplitView, head_of
from node.chain.genesis import Genesis
from node.chain.trust import LightBlock, check_root_age
from node.crypto.state_tree import verify_state_proof
from node.errors import InvalidProof, OperatorError, Rejected
from node.ledger.json_form import time_to_text
from node.ledger.params import PARAMS_KEY

Kind = Literal["split_view", "diverging_root", "false_header", "stalled", "unreachable"]
FATAL: Final[frozenset[Kind]] = frozenset({"split_view", "diverging_root"})
"""Alarms about the chain itself or a node's state; the others are about a node that may recover."""
_SAME_INPUT: Final = ("parent_id", "tx_root", "evidence_root", "time_ms")
"""Fields of a header that decide the state root: where only others differ, execution does."""
T = TypeVar("T")


@dataclass(frozen=True)
class Alarm:
    """What is wrong, with which nodes, at which height (0 for none). `evidence`: for others to verify, or None."""

    kind: Kind
    height: int
    nodes: tuple[str, ...]
    text: str
    evidence: dict[str, Any] | None = None

    @property
    def subject(self) -> tuple[str, tuple[str, ...]]:
        """What makes it the same alarm in the next round."""
        return self.kind, self.nodes

    def to_json(self) -> dict[str, Any]:
        return {
            "alarm": self.kind, "height": self.height, "nodes": list(self.nodes), "text": self.text,
            "evidence": self.evidence,
        }  # fmt: skip


class Watch:
    """Looks at the nodes of a chain, round by round."""

    def __init__(
        self,
        genesis: Genesis,
        nodes: Mapping[str, Shower],
        stalled_after_ms: int,
        now_ms: Callable[[], int],
        *,
        accept_old_root: bool = False,
    ) -> None:
        """`stalled_after_ms`: age of a head above which its node stands still. Raises `RootTooOld`."""
        self._depth = genesis.tree_depth
        self._nodes, self._stalled_after_ms, self._now_ms = nodes, stalled_after_ms, now_ms
        self._follower = Follower(genesis)
        self._pool = ThreadPoolExecutor(len(nodes), "node")
        check_root_age(self._follower.newest, now_ms(), accept_old_root)

    def look(self) -> list[Alarm]:
        """One round: the alarms that there are now. Each node's head is followed, and compared with the header that
        every other node has at its height."""
        alarms: list[Alarm] = []
        shown = self._asked(head_of, alarms)
        heads = {
            name: block for name, (block, params) in shown.items() if self._check_head(name, block, params, alarms)
        }
        for height in sorted({block.header.height for block in heads.values()}):
            others = {name for name, block in heads.items() if block.header.height > height}
            for name, committed in self._asked(lambda node: node.committed(height), [], others).items():  # noqa: B023
                self._follow(name, LightBlock(committed.block.header, committed.commit), alarms)
        return alarms

    def _check_head(self, name: str, block: LightBlock, params: Proven, alarms: list[Alarm]) -> bool:
        """Whether the head can be followed."""
        header = block.header
        if self._follow(name, block, alarms) is None:
            return False
        age_ms = self._now_ms() - header.time_ms
        if age_ms > self._stalled_after_ms:
            text = f"its head {header.height} is of {time_to_text(header.time_ms)}, {age_ms // 1000} s ago"
            alarms.append(Alarm("stalled", header.height, (name,), text))
        try:
            verify_state_proof(PARAMS_KEY, params.value, params.proof, header.state_root, self._depth)
        except InvalidProof as error:
            text = f"its state does not prove against the root that its head {header.height} has: {error}"
            alarms.append(Alarm("diverging_root", header.height, (name,), text))
        return True

    def _follow(self, name: str, block: LightBlock, alarms: list[Alarm]) -> Followed | None:
        try:
            return self._follower.follow(block, self._nodes[name], name)[0]
        except SplitView as split:
            alarms.append(_of_split(split))
        except Rejected as error:
            text = f"its header {block.header.height} is not one that the chain's validators have decided: {error}"
            alarms.append(Alarm("false_header", block.header.height, (name,), text))
        except OperatorError as error:
            alarms.append(Alarm("unreachable", 0, (name,), str(error)))
        return None

    def _asked(self, ask: Callable[[Shower], T], alarms: list[Alarm], names: set[str] | None = None) -> dict[str, T]:
        """What each node answers, asked at the same time; an alarm for each that gives no usable answer."""
        asked = {n: self._pool.submit(ask, node) for n, node in self._nodes.items() if names is None or n in names}
        found = {}
        for name, answer in asked.items():
            try:
                found[name] = answer.result()
            except (Rejected, OperatorError) as error:
                alarms.append(Alarm("unreachable", 0, (name,), str(error)))
        return found

    def close(self) -> None:
        self._pool.shutdown()


def _of_split(split: SplitView) -> Alarm:
    one, other = split.first, split.second
    is_same_input = one.header.state_root != other.header.state_root and all(
        getattr(one.header, name) == getattr(other.header, name) for name in _SAME_INPUT
    )
    kind: Kind = "diverging_root" if is_same_input else "split_view"
    return Alarm(kind, other.header.height, (one.source, other.source), str(split), split.to_json())
