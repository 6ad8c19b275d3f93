"""A chain on which a story is played: each transaction in a block, and under a name, for vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.chain.dev_genesis import dev_genesis
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import RecordName
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.record import record_digest
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import DAY_MS, Chain
from support.life import VIN
from support.specimens import specimen

Entry = tuple["Played", bytes]
"""A transaction that is not in a block yet, and its txid."""


@dataclass(frozen=True)
class Played:
    """One transaction of the story and where it was committed."""

    name: str
    raw: bytes
    signers: tuple[str, ...]
    height: int
    index: int


@dataclass
class Story:
    chain: Chain = field(default_factory=lambda: Chain(dev_genesis()))
    played: list[Played] = field(default_factory=list)
    txids: dict[str, bytes] = field(default_factory=dict)

    def raw(self, name: str, sender: str, body: TransactionBody, *cosigners: str, extra: tuple = ()) -> Entry:
        raw = self.chain.sign(sender, body, *cosigners, extra=extra)
        signers = (sender, *cosigners, *(["buyer-2"] if extra else []))
        return Played(name, raw, signers, self.chain.store.height() + 1, 0), self.chain.check(raw).txid

    def block(self, *entries: Entry) -> None:
        """One block of these transactions."""
        self.chain.produce(*(played.raw for played, _ in entries))
        for index, (played, txid) in enumerate(entries):
            self.played.append(Played(played.name, played.raw, played.signers, played.height, index))
            self.txids[played.name] = txid

    def do(self, sender: str, body: TransactionBody, *cosigners: str, name: str = "", extra: tuple = ()) -> bytes:
        entry = self.raw(name or type_of(body), sender, body, *cosigners, extra=extra)
        self.block(entry)
        return entry[1]

    def specimen(self, tag: str, ids: dict[str, bytes] | None = None, *, name: str = "", **changes: object) -> bytes:
        """The type's own example, as its parties send it."""
        example = TYPES[tag].EXAMPLE
        return self.do(example.sender, specimen(tag, self.chain, ids, **changes), *example.cosigners, name=name)

    def newest(self, vin: str = VIN) -> RecordName:
        """The name of the car's last record."""
        return self.name_of(vin, self.chain.state(VEHICLE, vin).record_count - 1)

    def name_of(self, vin: str, sequence: int) -> RecordName:
        raw = self.chain.store.state.record(vin, sequence)
        assert raw is not None
        return RecordName(sequence, record_digest(raw))

    def wait(self, days: int) -> None:
        self.chain.now += days * DAY_MS
