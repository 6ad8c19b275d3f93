"""A witness: it follows a chain over several nodes and co-signs the headers that it sees decided.

A co-signature is written and synced before it leaves, and a height that has one gets no other, so that two views of one
height cannot both have this witness, whatever crashes in between. A split view halts it for good; the evidence is kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, Final, NoReturn, TypeVar

from node.audit.divergence import Diverged
from node.audit.executor import Executor
from node.audit.following import Followed, Follower, Shower, SplitView, head_of
from node.certificates.cosignature import Cosignature, Mode
from node.chain.block import Commit, Committed, Header, block_id_of, check_contents
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.trust import LightBlock, check_root_age
from node.chain.validators import ValidatorSet
from node.codec import Decoder, Value, encode
from node.crypto.signing import PrivateKey
from node.errors import Corrupted, OperatorError, Rejected
from node.ledger.fields import Hash32, Signature, Time
from node.log import log
from node.storage.kv import KeyValue, prefix_end
from node.txtypes.chain.validator_set import ValidatorEntry

EVERY: Final = 100
"""Heights between two headers that every witness co-signs."""
HEADS_KEPT: Final = 1_000
"""Heights below the newest co-signature at which another header is still signed on request. Below, only those of every
hundredth height are kept."""
CLOCK_AHEAD_MAX_MS: Final = 3_600_000
"""How far a header's time may be ahead of the witness's clock. Above: it is not signed."""

REST_S: Final = 10.0
"""Time for which a node that could not be reached is not asked."""
T = TypeVar("T")

_OWNER, _HALTED = b"!owner", b"!halted"


class _Kept(Value, frozen=True):
    """A co-signature and what it was made from, under its height."""

    mode: Mode
    time_ms: Time
    block_id: Hash32
    signature: Signature
    header: Header
    commit: Commit
    validators: tuple[ValidatorEntry, ...]
    following: tuple[ValidatorEntry, ...]

    @property
    def followed(self) -> Followed:
        own = ValidatorSet(self.validators)
        return Followed(LightBlock(self.header, self.commit), self.block_id, own, "co-signed before")


_decode_kept: Decoder[_Kept] = Decoder(_Kept, 256 * 1024, "co-signature")


class NotSigned(Rejected):
    """There is no co-signature of the height."""

    code = "not_signed"


class Halted(Exception):
    """The witness signs nothing any more. `evidence`: why, as JSON."""

    def __init__(self, evidence: dict[str, Any]) -> None:
        super().__init__(f"this witness has halted: {evidence['reason']}")
        self.evidence = evidence


def _key(height: int) -> bytes:
    """Where the co-signature of a height is kept: those of every hundredth height apart, as they stay for ever."""
    return (b"h" if height % EVERY else b"c") + height.to_bytes(8, "big")


def begin(kv: KeyValue, genesis: Genesis, key: PrivateKey) -> None:
    """Make the hard state of a new key, which has signed nothing. Only before the key is kept anywhere."""
    kv.write({_OWNER: genesis_hash(genesis) + key.public}, [])


class Witness:
    """Co-signs headers of one chain with one key. What signs is not for two threads at once."""

    def __init__(
        self,
        genesis: Genesis,
        key: PrivateKey,
        kv: KeyValue,
        nodes: Mapping[str, Shower],
        executor: Executor | None = None,
        *,
        accept_old_root: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`kv`: the hard state, made by `begin`, which only this process may have open. `executor`: of a full
        witness. Raises `OperatorError`, `Corrupted`, `RootTooOld`."""
        self._hash, self._start = genesis_hash(genesis), start_height(genesis)
        self._key, self._kv, self._nodes, self._executor, self._now_ms = key, kv, nodes, executor, now_ms
        self._follower = Follower(genesis)
        self._executed: dict[int, bytes] = {}
        self._stopping = threading.Event()
        self._resting: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(len(nodes), "node")
        self._take_state()
        check_root_age(self._follower.newest, now_ms(), accept_old_root)

    def _take_state(self) -> None:
        if self._kv.get(_OWNER) != self._hash + self._key.public:
            raise OperatorError(
                "the hard state of this home is gone, or of another chain or key, so that nobody knows what the key "
                "has signed: make a new home, with a new key"
            )
        for height, each in chain(islice(self._newest(b"c"), EVERY), islice(self._newest(b"h"), EVERY)):
            if each.header.height != height or each.block_id != block_id_of(each.header, self._hash):
                raise Corrupted(
                    f"the co-signature of height {height} is of another header: make a new home, with a new key"
                )
            self._follower.remember(each.followed, ValidatorSet(each.following))

    # --- what was signed ------------------------------------------------------------------------------------
    def _newest(self, kind: bytes) -> Iterator[tuple[int, _Kept]]:
        """The co-signatures of every hundredth height (`c`), or of the other heads (`h`), the newest first."""
        for raw, value in self._kv.scan(kind, prefix_end(kind), reverse=True):
            yield int.from_bytes(raw[1:], "big"), _decode_kept(value)

    def seen_height(self) -> int:
        """The newest height that was followed."""
        return self._follower.newest.height

    def _newest_of(self, kind: bytes) -> int:
        return next((height for height, _ in self._newest(kind)), 0)

    def signed(self, height: int) -> Cosignature | None:
        """The co-signature of a height, if it was made."""
        raw = self._kv.get(_key(height))
        if raw is None:
            return None
        kept = _decode_kept(raw)
        return Cosignature(
            self._hash, self._key.public, kept.mode, height, kept.block_id, kept.header.state_root, kept.time_ms,
            kept.signature,
        )  # fmt: skip

    def check_running(self) -> None:
        """Raises `Halted` with the evidence."""
        if (raw := self._kv.get(_HALTED)) is not None:
            raise Halted(json.loads(raw))

    # --- signing ----------------------------------------------------------------------------------------------
    def advance(self) -> Cosignature:
        """Co-sign the header of every hundredth height up to the head, then the head. Raises `Halted`; `NotSigned`
        where no node shows a head that can be followed."""
        self.check_running()
        head = self._newest_head()
        self._sign_hundredths(head)
        return self.sign(head)

    def advance_hundredths(self) -> None:
        """Co-sign the header of every hundredth height up to the head. Raises as `advance`."""
        self.check_running()
        self._sign_hundredths(self._newest_head())

    def sign(self, height: int) -> Cosignature:
        """The co-signature of the header that the nodes show for a height; the one of before where there is one.
        Raises `Halted`, `NotSigned`."""
        self.check_running()
        if (before := self.signed(height)) is not None:
            return before
        if height <= self._start or (height % EVERY and height <= self._floor()):
            raise NotSigned(f"height {height} has no co-signature, and gets none any more")
        followed, following = self._agreed(height)
        if self._executor is None:
            self._check_linked(followed)
        else:
            self._execute(self._executor, followed)
        return self._keep(followed, following)

    def _keep(self, followed: Followed, following: ValidatorSet) -> Cosignature:
        """Sign, write and sync; only then is there anything to hand out."""
        header = followed.header
        mode: Mode = "light" if self._executor is None else "full"
        made = Cosignature(
            self._hash, self._key.public, mode, header.height, followed.block_id, header.state_root, self._now_ms(),
            bytes(64),
        )  # fmt: skip
        kept = _Kept(
            made.mode, made.time_ms, made.block_id, self._key.sign(made.message), header, followed.block.commit,
            followed.validators.entries, following.entries,
        )  # fmt: skip
        assert self._kv.get(_key(header.height)) is None, "a height has one co-signature"
        gone = [raw for raw, _ in self._kv.scan(b"h", b"h" + (self._floor() + 1).to_bytes(8, "big"))]
        self._kv.write({_key(header.height): encode(kept)}, gone)
        log("cosigned", "info", {"height": header.height, "block": followed.block_id, "mode": mode})
        signed = self.signed(header.height)
        assert signed is not None, "it was written"
        return signed

    def _sign_hundredths(self, head: int) -> None:
        last = self._newest_of(b"c")
        first = last + EVERY if last else max(head - head % EVERY, EVERY)
        for height in range(first, head + 1, EVERY):
            try:
                self.sign(height)
            except NotSigned as error:  # its nodes have pruned it
                log("not_cosigned", "warning", {"height": height, "why": str(error)})

    def _floor(self) -> int:
        """The height up to which no head is kept or signed any more."""
        return max(0, self._newest_of(b"c") - HEADS_KEPT, self._newest_of(b"h") - HEADS_KEPT)

    # --- what the nodes show ------------------------------------------------------------------------------------
    def _newest_head(self) -> int:
        heads = self._asked(head_of)
        followed = [f for name, (block, _) in heads.items() if (f := self._followed(name, block)) is not None]
        if not followed:
            raise NotSigned("no node shows a head that can be followed")
        return max(each.header.height for each, _ in followed)

    def _agreed(self, height: int) -> tuple[Followed, ValidatorSet]:
        """The header of a height that every node which has it shows."""
        shown = self._asked(lambda node: node.committed(height))
        agreed: tuple[Followed, ValidatorSet] | None = None
        for name, committed in shown.items():
            block = LightBlock(committed.block.header, committed.commit)
            if block.header.height == height:
                agreed = self._followed(name, block) or agreed
        if agreed is None:
            raise NotSigned(f"no node shows a header of height {height} that can be followed")
        return agreed

    def _asked(self, ask: Callable[[Shower], T]) -> dict[str, T]:
        """What each node answers, asked at the same time. A node that cannot be reached is left alone for a while,
        unless that is so of all."""
        if self._stopping.is_set():
            raise NotSigned("the witness stops")
        now = time.monotonic()
        awake = [name for name in self._nodes if self._resting.get(name, 0.0) <= now] or list(self._nodes)
        answers = {name: self._pool.submit(ask, self._nodes[name]) for name in awake}
        found = {}
        for name, answer in answers.items():
            try:
                found[name] = answer.result()
                self._resting.pop(name, None)
            except Rejected as error:  # it has no such block, say
                log("node_refuses", "debug", {"node": name, "why": str(error)})
            except OperatorError as error:
                self._resting[name] = now + REST_S
                log("node_silent", "warning", {"node": name, "why": str(error)})
        return found

    def _followed(self, name: str, block: LightBlock) -> tuple[Followed, ValidatorSet] | None:
        """None for a header that cannot be followed: its node is wrong, the chain need not be. Raises `Halted`."""
        try:
            if block.header.time_ms > self._now_ms() + CLOCK_AHEAD_MAX_MS:
                raise NotSigned(f"its time {block.header.time_ms} is ahead of this clock")
            return self._follower.follow(block, self._nodes[name], name)
        except SplitView as split:
            self._halt({"reason": str(split)} | split.to_json())
        except (Rejected, OperatorError) as error:
            log("not_followed", "warning", {"node": name, "height": block.header.height, "why": str(error)})
        return None

    def _check_linked(self, followed: Followed) -> None:
        """All that a witness signs is one chain: the header must be an ancestor of the next one that is signed, or a
        descendant of the one before. Raises `Halted` if it is not; `NotSigned` if no node shows the way."""
        height = followed.header.height
        above = self._nearest(height, is_above=True)
        below = None if above is not None else self._nearest(height, is_above=False)
        if above is None and below is None:
            return
        upper, lower = (above, followed) if above is not None else (followed, below)
        assert upper is not None and lower is not None, "one of the two is signed"
        way, parent_id = list[Header](), upper.header.parent_id
        for at in range(upper.header.height - 1, lower.header.height, -1):
            way.append(self._shown_as(at, parent_id))
            parent_id = way[-1].parent_id
        if parent_id != lower.block_id:
            heights = f"{upper.header.height} does not descend from {lower.header.height}"
            between = [encode(header).hex() for header in way]
            evidence = {"headers": [upper.to_json(), lower.to_json()], "between": between}
            self._halt({"reason": f"both are decided, and {heights}"} | evidence)

    def _nearest(self, height: int, *, is_above: bool) -> Followed | None:
        """The nearest header that is signed, above or below a height."""
        found = list[_Kept]()
        for kind in (b"c", b"h"):
            key = kind + (height + is_above).to_bytes(8, "big")
            low, high = (key, prefix_end(kind)) if is_above else (kind, key)
            found += [_decode_kept(raw) for _, raw in islice(self._kv.scan(low, high, reverse=not is_above), 1)]
        nearest = min(found, key=lambda kept: abs(kept.header.height - height), default=None)
        return None if nearest is None else nearest.followed

    def _shown_as(self, height: int, block_id: bytes) -> Header:
        """The header with an id, from the first node that shows it."""
        for committed in self._asked(lambda node: node.committed(height)).values():
            if block_id_of(committed.block.header, self._hash) == block_id:
                header: Header = committed.block.header
                return header
        raise NotSigned(f"no node shows block {height} on the way to what is signed already")

    def _execute(self, executor: Executor, followed: Followed) -> None:
        """Execute every block up to the header. Raises `Halted` if a decided block breaks a rule."""
        height, store = followed.header.height, executor.store
        while store.height() < height:
            committed, next_one, following = self._shown(store.height() + 1)
            try:
                executor.advance(executor.executed(committed))
            except Diverged as error:
                evidence = {"divergence": error.divergence.to_json(), "headers": [next_one.to_json()]}
                self._halt({"reason": str(error)} | evidence)
            now, before = store.height(), self.signed(store.height())
            if before is not None and before.block_id != store.head().block_id:
                reason = (
                    f"height {now}: {before.block_id.hex()} was signed by headers alone, and another is decided too"
                )
                self._halt({"reason": reason, "headers": [next_one.to_json()]})
            if before is None and now % EVERY == 0 and now < height:
                self._keep(next_one, following)
            self._executed[now] = store.head().block_id
            self._executed.pop(now - HEADS_KEPT, None)
        if store.height() == height:
            self._executed[height] = store.head().block_id
        executed = self._executed.get(height)
        if executed is None:
            raise NotSigned(f"height {height} was not executed by this process: ask for a later one")
        if executed != followed.block_id:
            reason = f"height {height}: {executed.hex()} was executed, and {followed.block_id.hex()} is decided"
            self._halt({"reason": reason, "headers": [followed.to_json()]})

    def _shown(self, height: int) -> tuple[Committed, Followed, ValidatorSet]:
        """A block whose header can be followed, with the contents that its header names; and the set after it."""
        for name, committed in self._asked(lambda node: node.committed(height)).items():
            block = LightBlock(committed.block.header, committed.commit)
            followed = self._followed(name, block) if block.header.height == height else None
            if followed is not None:
                try:
                    check_contents(committed.block)
                    return committed, *followed
                except Rejected as error:
                    log("not_followed", "warning", {"node": name, "height": height, "why": str(error)})
        raise NotSigned(f"no node shows block {height}, which is to be executed")

    def _halt(self, evidence: dict[str, Any]) -> NoReturn:
        self._kv.write({_HALTED: json.dumps(evidence).encode()}, [])
        log("halted", "critical", {"why": evidence["reason"]})
        raise Halted(evidence)

    def stop(self) -> None:
        """From any thread: whatever it is doing ends soon with `NotSigned`."""
        self._stopping.set()

    def close(self) -> None:
        """Let the threads end. The stores are the caller's."""
        self._pool.shutdown()
