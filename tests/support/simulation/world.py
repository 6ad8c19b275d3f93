"""A deterministic world of production replicas. Safety is checked after every event; after healing, liveness."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from node.chain.dev_genesis import Party, build_genesis
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import InvalidBlock
from node.execution.block_validation import check_frame, execute_block
from node.ledger.signed import verify_raw
from node.replica.replica import ReplicaConfig
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from support.memory_store import MemoryStore
from support.simulation import lives
from support.simulation.byzantine import twins
from support.simulation.byzantine.registry import LIARS
from support.simulation.checks import Checks
from support.simulation.clock import Clock
from support.simulation.errors import Violation
from support.simulation.faults import Injector, planned
from support.simulation.governance import Governance
from support.simulation.network import Network
from support.simulation.node import SimulatedNode
from support.simulation.observing import rules_counted, signatures_remembered
from support.simulation.options import HONEST_FAULTS, Options, drawn
from support.simulation.submissions import Submissions, with_spare_keys
from support.simulation.upkeep import Upkeep

GENESIS_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
LIAR_INTERVAL_MS = 400
LINES_KEPT = 300
SLICES_TXS = (1, 2, 128)
"""Transactions of a slice, by seed: the blocks here are small, and would never be long ones."""


class World:
    """The world of one seed. `without`: indices of planned faults to leave out."""

    def __init__(self, seed: int, options: Options | None = None, without: frozenset[int] = frozenset()) -> None:
        self.seed = seed
        self.options = options or drawn(seed)
        self._without = without
        self._streams: dict[str, random.Random] = {}
        self.start_ms = GENESIS_MS + HOUR_MS
        self.clock = Clock(self.start_ms)
        self.config = ReplicaConfig(
            block_interval_min_ms=100,
            block_interval_full_ms=100,
            block_interval_empty_ms=self.options.interval_empty_ms,
            slice_txs=SLICES_TXS[seed % len(SLICES_TXS)],
        )
        names = [f"v{i}" for i in range(len(self.options.powers))]
        parties = [
            Party(name, "DE", (("manufacturer", ()),), power)
            for name, power in zip(names, self.options.powers, strict=True)
        ]
        parties += lives.parties()
        self.genesis = with_spare_keys(build_genesis("bmw-sim", GENESIS_MS, tuple(parties), dev_key, tree_depth=4))
        origin = ChainStore(MemoryStore(), self.genesis)
        self.genesis_hash = origin.genesis_hash
        self.faults: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()
        self.evidence_committed = 0
        self.lines: list[str] = []
        self._digest = sha256()
        self._good: dict[bytes, bool] = {}
        self._checked: dict[bytes, CheckedTx] = {}
        self.nodes: list[SimulatedNode] = []
        self._make_nodes(names)
        self.faulty_addresses = {n.address for n in self.nodes if n.fault and n.fault not in HONEST_FAULTS}
        self.network = Network(self)
        self.checks = Checks(self)
        self.checks.sets[1] = origin.head().validators.entries
        self.submissions = Submissions(self)
        self.lives = lives.Lives(self)
        self.governance = Governance(self)
        self.upkeep = Upkeep(self)
        self.injector = Injector(self)

    def _make_nodes(self, names: list[str]) -> None:
        faults = dict(self.options.faulty)
        skew, chance = self.options.skew_ms, self.chance("skew")
        for index, name in enumerate(names):
            node = SimulatedNode(self, index, name, name, faults.get(index, ""))
            node.skew_ms = chance.randint(-skew // 2, skew // 2)
            self.nodes.append(node)
            if node.fault in LIARS:
                node.behaviour = LIARS[node.fault](node)
                self.clock.later(LIAR_INTERVAL_MS, self._let_lie, node)
        for index, fault in self.options.faulty:
            if fault == twins.NAME:
                self.nodes.append(twins.twin_of(self.nodes[index], len(self.nodes)))

    def _let_lie(self, node: SimulatedNode) -> None:
        if node.is_up and node.behaviour is not None:
            node.behaviour.on_time()
        self.clock.later(LIAR_INTERVAL_MS, self._let_lie, node)

    # --- shared by the parts -----------------------------------------------------------------------------
    @property
    def now(self) -> int:
        return self.clock.now

    def later(self, delay: int, action: Any, *args: Any) -> None:
        self.clock.later(delay, action, *args)

    def chance(self, name: str) -> random.Random:
        """One random stream per name, so that a change in one place does not shift the others."""
        if name not in self._streams:
            self._streams[name] = random.Random(f"{self.seed}/{name}")
        return self._streams[name]

    def named(self, index: int) -> list[SimulatedNode]:
        """The node at `index` and its twin, if any."""
        name = self.nodes[index].name
        return [node for node in self.nodes if node.name == name]

    def honest(self) -> list[SimulatedNode]:
        return [node for node in self.nodes if not node.is_faulty]

    def best(self) -> Any:
        """The honest replica with the greatest height."""
        return max((n for n in self.honest() if n.is_up), key=lambda n: self.checks.heights[n.index]).running

    def checked(self, raw: bytes) -> CheckedTx:
        tx = self._checked.get(raw)
        if tx is None:
            tx = self._checked[raw] = self.decoded(raw)
        return tx

    def decoded(self, raw: bytes) -> CheckedTx:
        """By the software that is running, for a node that is handed it."""
        return check_signatures(decode_signed_tx(raw, self.genesis_hash), self.genesis_hash)

    def is_good(self, raw: bytes) -> bool:
        if raw not in self._good:
            self._good[raw] = verify_raw(raw, self.genesis_hash)
        return self._good[raw]

    # --- the record -----------------------------------------------------------------------------------
    def log(self, node: SimulatedNode, name: str, fields: dict[str, Any]) -> None:
        line = f"{self.now - self.start_ms:>8} {node.label} {name} {fields}"
        self._digest.update(line.encode())
        self.lines.append(line)
        del self.lines[:-LINES_KEPT]

    def note_delivery(self, source: int, target: int, raw: bytes) -> None:
        self._digest.update(b"%d %d %d " % (self.now, source, target))
        self._digest.update(raw)

    def digest(self) -> str:
        """Hash of all delivered messages and notices: equal for equal seeds."""
        return self._digest.hexdigest()

    # --- the play -------------------------------------------------------------------------------------
    def play(self, heights: int = 4) -> None:
        """Run the faults, heal, and check progress. Raises `Violation`."""
        with rules_counted(self.rules), signatures_remembered():
            self.injector.schedule(planned(self.seed, self.options), self._without)
            self.clock.run_until(self.start_ms + self.options.fault_ms)
            self.injector.is_over = True
            if self.options.changes:
                self._heal_everyone(heights)
                self._settle()
                self._heal_just_enough(heights)
            else:
                self._heal_just_enough(heights)
                self._heal_everyone(heights)
                self._settle()
            self._replay()

    def _heal_just_enough(self, heights: int) -> None:
        """Heal just over two thirds of the power and stop all other nodes: the chain must grow."""
        core = self._core()
        if len(core) < min(2, len(self.checks.sets[self.checks.top + 1])):
            return  # a single node without peers never ends listening, however much power it has
        for node in self.nodes:
            node.is_banished = node not in core
            if node.is_banished:
                node.crash()
        self.network.heal()
        for node in core:
            node.boot()
        self._demand(core, heights, f"{len(core)} nodes with more than two thirds of power are connected", self._enough)
        for node in self.nodes:
            node.is_banished = False

    def _core(self) -> list[SimulatedNode]:
        """Honest nodes that are a quorum of every height they may have to decide."""
        chance, checks = self.chance("core"), self.checks
        lowest = min(checks.heights[node.index] for node in self.honest())
        core: list[SimulatedNode] = []
        for node in sorted(self.honest(), key=lambda n: chance.random()):
            is_enough = all(
                checks.is_quorum(height, {n.address for n in core}) for height in range(lowest + 1, checks.top + 2)
            )
            if not is_enough or len(core) < 2:
                core.append(node)
        return core

    def _enough(self, core: list[SimulatedNode]) -> None:
        """Governance may move power while the others are down: boot as many as a quorum then needs."""
        checks = self.checks
        for node in self.honest():
            if checks.is_quorum(checks.top + 1, {n.address for n in core}):
                return
            if node.is_banished:
                node.is_banished = False
                node.boot()
                core.append(node)

    def _heal_everyone(self, heights: int) -> None:
        self.network.heal()
        for node in self.nodes:
            node.boot()
        self._demand(self.honest(), heights, "all are connected")
        twins.demand_that_one_gives_way(self)

    def _demand(
        self,
        nodes: list[SimulatedNode],
        heights: int,
        what: str,
        keep_enough: Callable[[list[SimulatedNode]], None] = lambda _: None,
    ) -> None:
        target = self.checks.top + heights
        bound = 40_000 + 15_000 * heights
        started = self.now

        def is_reached() -> bool:
            keep_enough(nodes)
            return all(self.checks.heights[node.index] >= target for node in nodes)

        if not self.clock.run_until(self.now + bound, is_reached):
            at = {node.label: self.checks.heights[node.index] for node in nodes}
            raise Violation(f"no progress to height {target} within {bound} ms, though {what}: {at}")
        self.notices["slowest_height_ms"] = max(
            self.notices["slowest_height_ms"], (self.now - started) // max(1, heights)
        )

    def _settle(self) -> None:
        """Every accepted transaction has an outcome, and every equivocation that was seen is punished."""
        bound = 60_000
        checks, submissions = self.checks, self.submissions
        if not self.clock.run_until(self.now + bound, lambda: not checks.unpunished() and not submissions.owed()):
            if owed := submissions.owed():
                raise Violation(f"accepted, and neither committed nor impossible: {[t.hex()[:8] for t in owed]}")
            raise Violation(f"seen equivocating and not punished: {[a.hex()[:8] for a in checks.unpunished()]}")

    def _replay(self) -> None:
        """Replay the chain from genesis on a fresh store: same roots, all invariants valid."""
        source = self.best().store
        fresh = ChainStore(MemoryStore(), self.genesis)
        for height in range(1, source.height() + 1):
            committed = source.committed(height)
            transactions = [self.checked(raw) for raw in committed.block.transactions]
            head = fresh.head()
            try:
                check_frame(committed.block, head, self.genesis_hash)
                result = execute_block(committed.block, transactions, fresh.state, fresh.tree, head, self.genesis_hash)
            except InvalidBlock as error:
                raise Violation(f"a replay from genesis refuses block {height}: {error}") from None
            fresh.commit_block(committed.block, result, committed.commit)
            if encode(committed.block) != self.checks.chain[height]:
                raise Violation(f"the block of height {height} is not the one that was committed")
        for node in self.honest():
            if node.is_up:
                self.checks.check_state(node)
