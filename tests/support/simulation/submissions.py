"""Transactions submitted by clients, and their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from node.chain.genesis import Genesis
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.replica import events as e
from support.chain import address
from support.life import register
from support.signing import sign_transaction

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

LIFETIME_MS = 20 * 3_600_000
READMISSION = 0
"""Request number of journalled transactions that are admitted again at a start."""


def spare_key(name: str) -> Any:
    """A second key of an account: either may sign, so that one txid can have two signature sets."""
    return dev_key("account", f"{name}-spare")


def with_spare_keys(genesis: Genesis) -> Genesis:
    accounts = tuple(
        replace(account, keys=(*account.keys, spare_key(account.name).public)) for account in genesis.accounts
    )
    return replace(genesis, accounts=accounts)


class Submissions:
    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self._asked: dict[int, bytes] = {}
        self.accepted: dict[bytes, tuple[bytes, int]] = {}
        """txid to (signed bytes, the node that accepted it)."""
        self.rejected: set[bytes] = set()
        """Accepted transactions that the node dropped on recheck: an outcome, though not a final one."""

    def sign(self, name: str, body: TransactionBody, salt: int, *, is_spare: bool = False) -> bytes:
        sender = address_of(dev_key("account", name).public)
        key = spare_key(name) if is_spare else dev_key("account", name)
        world = self._world
        return sign_transaction(
            sender, body, [(sender, key)], world.genesis_hash, salt=salt, expires_at_ms=world.start_ms + LIFETIME_MS
        )

    def sign_for(self, body: TransactionBody, sender: str, *cosigners: str) -> bytes:
        self._count += 1
        world = self._world
        signers = [(address(name), dev_key("account", name)) for name in (sender, *cosigners)]
        return sign_transaction(
            address(sender),
            body,
            signers,
            world.genesis_hash,
            salt=self._count,
            expires_at_ms=world.start_ms + LIFETIME_MS,
        )

    def new_vin(self) -> str:
        self._count += 1
        return f"WBA8E9G50GN{self._count:06d}"

    def car(self, node: SimulatedNode, *, is_spare: bool = False) -> bytes:
        """A vehicle registration without conflicts."""
        return self.sign(node.name, register(self.new_vin()), self._count, is_spare=is_spare)

    def submit_car(self, node: SimulatedNode) -> None:
        if node.is_up:
            self.submit(node, self.car(node))

    def submit(self, node: SimulatedNode, raw: bytes) -> None:
        if not node.is_up:
            return
        self._count += 1
        self._asked[self._count] = raw
        with node.software():
            tx = self._world.decoded(raw)
        node.handle(e.Admit(self._count, (tx,)))

    def submit_again(self, node: SimulatedNode) -> None:
        """Submit a committed transaction again. A node without its block may accept it; no block contains it twice."""
        world = self._world
        committed = [raw for txid, (raw, _) in self.accepted.items() if txid in world.checks.committed]
        if committed and node.is_up:
            world.faults["submitted_again"] += 1
            self.submit(node, world.chance("again").choice(committed))

    def submit_variants(self, author: SimulatedNode, first: SimulatedNode, second: SimulatedNode) -> None:
        """Submit one txid with two signature sets to two nodes."""
        raw = self.car(author)
        other = self.sign(author.name, self._world.checked(raw).payload.body, self._count, is_spare=True)
        self.submit(first, raw)
        self.submit(second, other)

    def answered(self, node: SimulatedNode, request: int, outcomes: tuple[Any, ...]) -> None:
        """A transaction is accepted only after it is journalled; the power may be cut meanwhile."""
        if request == READMISSION:
            pending = [txid for txid, _ in node.disk.journal.pending()]
            self.rejected |= {txid for txid, unmet in zip(pending, outcomes, strict=True) if unmet != ()}
            return
        raw = self._asked.pop(request, None)
        if raw is None or outcomes != ((),):
            return
        txid = self._world.checked(raw).txid
        node.disk.journal.accept({txid: raw})
        self.accepted[txid] = (raw, node.index)

    def dropped(self, node: SimulatedNode, txid: bytes) -> None:
        if txid in self.accepted and self.accepted[txid][1] == node.index:
            self.rejected.add(txid)

    def owed(self) -> list[bytes]:
        """Transactions accepted by nodes with an intact journal that are neither committed nor impossible."""
        world = self._world
        best = world.best()
        owed = []
        for txid, (raw, index) in self.accepted.items():
            node = world.nodes[index]
            if node.is_faulty or txid in self.rejected or best.store.place(txid) is not None:
                continue
            if node.replica is None or not node.replica.forecast(world.checked(raw)).unmet:
                owed.append(txid)
        return owed
