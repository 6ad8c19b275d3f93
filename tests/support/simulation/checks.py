"""Safety properties, checked after every event with independent sums and records, not with the code under test."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.chain.block import Block, Commit, Header
from node.chain.vote import NIL, Proposal, Vote, sign_bytes_of, vote_sign_bytes
from node.codec import encode
from node.crypto.signing import is_signature
from node.replica.doppelganger import Duty
from node.txtypes.chain.validator_set import VALIDATOR, ValidatorEntry
from support.simulation.bounds import check_bounds
from support.simulation.errors import Violation

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

PRECISION_MS, DELAY_MS = 500, 2_000
"""How far two correct clocks may differ, and how old a proposal of round 0 may be when it arrives."""
STATE_EVERY = 8
"""A node's whole state is checked after every this many heights."""
Step = tuple[bytes, int, int, str]
"""(validator, height, round, kind)."""


class Checks:
    def __init__(self, world: World) -> None:
        self._world = world
        self.chain: dict[int, bytes] = {}
        """Height to block, as committed by the first node."""
        self.sets: dict[int, tuple[ValidatorEntry, ...]] = {}
        """Height to the validator set that decides it, from the first commit of the height before."""
        self.heights: Counter[int] = Counter()
        """Node index to its height."""
        self.top = 0
        self._top_at = world.now
        """Height to the time of the first commit."""
        self.punished: set[bytes] = set()
        self.accusations: dict[bytes, set[int]] = {}
        """Equivocator to the nodes whose machine has both votes and that have been up since."""
        self._certified: set[bytes] = set()
        self.committed: dict[bytes, int] = {}
        """txid to its height."""
        self._signed: dict[Step, bytes] = {}
        self._locks: dict[tuple[bytes, int], tuple[int, bytes]] = {}
        self._votes: dict[tuple[str, int, int, bytes], set[bytes]] = {}

    # --- signatures -----------------------------------------------------------------------------------
    def signed(self, node: SimulatedNode, message: Vote | Proposal) -> None:
        """A replica sends an own message: it must be on disk, the only one of its step, and respect the locks."""
        if node.behaviour is not None:
            return  # messages of a Byzantine node are noted when they are sent
        if not any(message.signature in twin.disk.signed for twin in self._world.named(node.index)):
            raise Violation(f"{node.label} sent {_name(message)} before it was on disk")
        kind = message.kind if isinstance(message, Vote) else "proposal"
        step = (node.address, message.height, message.round, kind)
        content = sign_bytes_of(message, self._world.genesis_hash)
        signed = self._signed.get(step)
        if signed == content:
            return
        if signed is not None:
            self.claimed(message)  # it exists, and counts wherever it is received
            self._conflict(node, f"{node.label} signed two {kind}s at height {message.height}, round {message.round}")
            return
        self._signed[step] = content
        if isinstance(message, Vote):
            if not node.is_faulty:
                self._check_promises(node, message)
            self.claimed(message)

    def _conflict(self, node: SimulatedNode, text: str) -> None:
        if node.knows_its_loss or node.address not in self._world.faulty_addresses:
            raise Violation(text)
        self._world.faults["signed_twice"] += 1

    def claimed(self, message: Vote | Proposal) -> None:
        """Note an existing vote, which may be part of a polka."""
        if isinstance(message, Vote):
            key = (message.kind, message.height, message.round, message.block_id)
            self._votes.setdefault(key, set()).add(message.validator)

    def _check_promises(self, node: SimulatedNode, vote: Vote) -> None:
        if vote.block_id == NIL:
            return
        own = (node.address, vote.height)
        if vote.kind == "precommit":
            # L36: a precommit for a block needs a polka of the same round.
            if not self._has_polka(vote.height, vote.round, vote.block_id):
                raise Violation(f"{node.label} precommitted without a polka: {_name(vote)}")
            locked = self._locks.get(own)
            if locked is None or locked[0] < vote.round:
                self._locks[own] = (vote.round, vote.block_id)
            return
        locked = self._locks.get(own)
        if locked is None or locked[1] == vote.block_id or vote.round <= locked[0]:
            return
        # L28: only a polka at or above the locked round releases.
        if not any(self._has_polka(vote.height, r, vote.block_id) for r in range(locked[0], vote.round)):
            raise Violation(f"{node.label} broke its lock of round {locked[0]}: {_name(vote)}")

    def _has_polka(self, height: int, round_: int, block_id: bytes) -> bool:
        return self.is_quorum(height, self._votes.get(("prevote", height, round_, block_id), set()))

    def is_quorum(self, height: int, voters: set[bytes]) -> bool:
        """Whether the voters have more than two thirds of the power."""
        entries = self.sets[height]
        power = sum(entry.power for entry in entries if entry.address in voters)
        return 3 * power > 2 * sum(entry.power for entry in entries)

    # --- commits --------------------------------------------------------------------------------------
    def _check_committed(self, node: SimulatedNode, height: int) -> None:
        """Agreement, equal roots and validator sets, a valid certificate, no evidence against the innocent."""
        store = node.running.store
        block, commit = store.block(height), store.commit(height)
        if block is None or commit is None:
            raise Violation(f"{node.label} has no block or no certificate of height {height}")
        raw = encode(block)
        if self.chain.setdefault(height, raw) != raw:
            raise Violation(f"fork at height {height}: {node.label} has another block")
        entries = store.validators(height + 1).entries
        if self.sets.setdefault(height + 1, entries) != entries:
            raise Violation(f"{node.label} has another validator set above height {height}")
        if height == store.height() and store.head().state_root != block.header.state_root:
            raise Violation(f"{node.label} has another state root than the header of height {height}")
        self._check_certificate(node, commit)
        for piece in block.evidence:
            offender = piece.first.validator
            if offender not in self._world.faulty_addresses:
                raise Violation(f"evidence against a validator that never equivocated, at height {height}")
            self.punished.add(offender)
        if height > self.top:
            self._check_time(block.header, commit.round)
            self._check_once(block)
            self.top, self._top_at = height, self._world.now
            self._world.evidence_committed += len(block.evidence)
        if (height + node.index) % STATE_EVERY == 0 and height == store.height():
            self.check_state(node)
        self._world.log(node, "committed", {"height": height, "txs": len(block.transactions)})

    def _check_certificate(self, node: SimulatedNode, commit: Commit) -> None:
        raw = encode(commit)
        if raw in self._certified:
            return
        self._certified.add(raw)
        entries = self.sets[commit.height]
        if len(commit.signatures) != len(entries):
            count = f"{len(commit.signatures)} signatures of {len(entries)} validators"
            raise Violation(f"{node.label} committed height {commit.height} with a certificate of {count}")
        message = vote_sign_bytes(self._world.genesis_hash, "precommit", commit.height, commit.round, commit.block_id)
        signers = {
            entry.address
            for entry, signature in zip(entries, commit.signatures, strict=True)
            if signature and is_signature(entry.consensus_key, message, signature)
        }
        if len(signers) != sum(map(bool, commit.signatures)) or not self.is_quorum(commit.height, signers):
            raise Violation(f"{node.label} committed height {commit.height} without a certificate that holds")

    def _check_once(self, block: Block) -> None:
        height = block.header.height
        for raw in block.transactions:
            txid = self._world.checked(raw).txid
            if self.committed.setdefault(txid, height) != height:
                text = f"at heights {self.committed[txid]} and {height}"
                raise Violation(f"transaction {txid.hex()[:8]} is committed twice, {text}")

    def _check_time(self, header: Header, round_: int) -> None:
        """PBTS: by some correct clock the block time was timely when the block arrived, after the parent's commit."""
        off = PRECISION_MS + self._world.options.skew_ms // 2
        earliest = self._top_at - DELAY_MS * 11**round_ // 10**round_ - off
        if not earliest <= header.time_ms <= self._world.now + off:
            off_ms = header.time_ms - self._world.now
            raise Violation(f"the block time of height {header.height} is {off_ms} ms off when it is committed")

    def check_state(self, node: SimulatedNode) -> None:
        """Check a node's state against itself, recomputed."""
        try:
            check_invariants(node.running.store)
        except Diverged as error:
            raise Violation(f"{node.label} has a state that contradicts itself: {error}") from None

    # --- nodes ----------------------------------------------------------------------------------------
    def after_event(self, node: SimulatedNode) -> None:
        replica = node.running
        height = replica.store.height()
        if height < self.heights[node.index]:
            raise Violation(f"{node.label} went back from {self.heights[node.index]} to {height}")
        for committed in range(self.heights[node.index] + 1, height + 1):
            self._check_committed(node, committed)
        self.heights[node.index] = height
        double = replica.doppelganger
        if double is not None and double.duty is Duty.STOPPED and not node.is_faulty:
            raise Violation(f"{node.label} stopped signing, though it is the only one with its key: {double.why}")
        if self._world.clock.events % 64 == node.index % 64:
            check_bounds(node)

    def accused(self, node: SimulatedNode, link: int, code: str, text: str) -> None:
        """No honest node accuses another honest node of misbehaviour."""
        world = self._world
        world.faults["accused"] += 1
        source = world.network.peers.get(link)
        if source is not None and not node.is_faulty and not world.nodes[source[1]].is_faulty:
            raise Violation(f"{node.label} accuses the honest {world.nodes[source[1]].label} of {code}: {text}")

    def noticed(self, node: SimulatedNode, name: str, fields: dict[str, Any]) -> None:
        if name == "equivocation" and not node.is_faulty:
            offender = bytes.fromhex(fields["validator"])
            if offender not in self._world.faulty_addresses:
                raise Violation(f"{node.label} saw an equivocation of a validator that never equivocated")
            self.accusations.setdefault(offender, set()).add(node.index)

    def unpunished(self) -> list[bytes]:
        """Equivocators caught by a node that has been up since, but not punished by any block."""
        world = self._world
        return [
            offender
            for offender, witnesses in self.accusations.items()
            if offender not in self.punished
            and any(
                world.nodes[i].boots == 1 and world.nodes[i].is_up and _has_power(world.nodes[i], offender)
                for i in witnesses
            )
        ]


def _has_power(node: SimulatedNode, address: bytes) -> bool:
    """Whether the validator still has power: evidence against others is void."""
    raw = node.replica.store.state.get(VALIDATOR.key(address))
    record = None if raw is None else VALIDATOR.decode(raw)
    return record is not None and bool(record.power or record.paused_power)


def _name(message: Vote | Proposal) -> str:
    kind = message.kind if isinstance(message, Vote) else "proposal"
    return f"{kind} of height {message.height}, round {message.round}, {message.block_id.hex()[:8] or 'nil'}"
