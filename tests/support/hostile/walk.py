"""Hostile transactions: every type's specimen by anybody, bent at random places, with personal data planted in them.

A walk is its seed. It plays over a few cars for years, so that their lists become full. Every transaction is decoded
and judged as one from the network is; what it did is told step by step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.execution.block_run import BlockFull, BlockRun
from node.execution.block_validation import seal_block
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.guards import GuardsUnmet
from node.ledger.kinds import Kind, fields_of
from node.ledger.overlay import Ledger
from node.ledger.signed import assemble
from node.rules.odometer import SOURCES
from node.rules.vin import VIN_PATTERN
from node.txtypes.envelope import CheckedTx, Payload
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.deal import CLAIM_LEG
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Payment
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.disputing import ARBITERS, name_of
from support.hostile.planted import card, planted
from support.hostile.selling import NAMES, OF_SALE, VINS, Selling
from support.life import register, transfer, where
from support.specimens import specimen
from support.stages import at
from support.walk import Block, state_of
from support.walk_checks import Past
from wallet.txfile import sign_payload

LEFT_OUT: Final = ("governance.vote", "validator.pause", "validator.resume")
"""What would change who governs the chain that the walk plays on."""
RARE: Final = {
    "order.cancel": 0.1, "order.reject": 0.05, "listing.withdraw": 0.05, "listing.update": 0.1, "vehicle.scrap": 0.01,
    "vehicle.total_loss": 0.05, "flag.set": 0.3, "vehicle.register": 0.1, "listing.build": 0.03, "order.dispute": 0.2,
    "case.close": 0.2, "payment.reassign": 0.1, "payment.refund": 0.3, "payment.confirm_refund": 0.3,
    "order.amend": 0.4, "order.counter": 0.5,
}  # fmt: skip
"""Share of the tries of a type that are played: what ends a car, or stops it, would leave little else to try."""
IDS: Final = {
    "listing.create": "listing", "listing.build": "listing", "order.offer": "order", "payment.initiate": "payment",
    "mandate.grant": "mandate", "governance.propose": "proposal", "record.dispute": "dispute",
    "warranty.claim": "claim", "order.dispute": "order_dispute", "case.open": "case",
}  # fmt: skip
SERIALS: Final = ("serial", "engine_serial", "battery_id")
"""Fields that hold serial numbers."""
CONTACTS: Final = ("phone", "mail")
"""Fields of a member's directory entry: the business's own."""
PAUSES: Final = (*[60_000] * 6, *[HOUR_MS] * 4, 8 * HOUR_MS, DAY_MS, 16 * DAY_MS)
PLANTED_SHARE: Final = 0.5
SALE_SHARE: Final = {False: 0.5, True: 0.1}
"""Share of the tries that go on with a sale, by whether data is planted: it takes many steps, each of which has to fit
the one before."""
UNKNOWN: Final = ("zzz", "ZZ", "ZZZ", "Z", "H9.9", "z/z")
"""Of no table, each in the form of some."""
ODD_TEXTS: Final = ("", "0", "A", "none", "DE", "CN", "XX")


class CountingLedger(Ledger, eq=False):
    """Notes the state keys and vehicle records that one transaction reads."""

    keys: set[bytes] = set()
    records_read: set[tuple[str, int]] = set()

    def get(self, family: Any, ident: Any) -> Any:
        self.keys.add(family.key(ident))
        return super().get(family, ident)

    def record(self, vin: str, sequence: int) -> bytes | None:
        self.records_read.add((vin, sequence))
        return super().record(vin, sequence)


class CountingRun(BlockRun):
    ledger: CountingLedger

    def _ledger(self, txid: bytes, sender: bytes, payload_bytes: bytes) -> Ledger:
        self.ledger = CountingLedger(self._overlay, self._block, txid, sender, payload_bytes)
        return self.ledger


@dataclass(frozen=True)
class Plant:
    """Personal data that was put into a field: the field's name and kind."""

    text: str
    name: str
    kind: Kind


@dataclass(frozen=True)
class Step:
    """One accepted transaction: the cars and the keys that it wrote, as they were before it and after it. `lowered`:
    the cars of which it has taken a reading back."""

    tx: CheckedTx
    plants: tuple[Plant, ...]
    now_ms: int
    ledger: CountingLedger
    before: dict[str, Vehicle]
    after: dict[str, Vehicle]
    lowered: frozenset[str]
    sold: tuple[Order, tuple[Payment, ...]] | None = None
    """Of a handover, the order with the payments of its price, as they are then."""


@dataclass
class Hostile(Selling):
    """`types`: those that are tried; by default all but `LEFT_OUT`. Where nothing is planted more is accepted."""

    seed: int
    types: tuple[str, ...] = tuple(tag for tag in TYPES if tag not in LEFT_OUT)
    is_planting: bool = True
    cars: int = len(VINS)
    """Of so many of `VINS` the bodies tell: with few, their lists become full."""
    tried: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    largest: Counter[str] = field(default_factory=Counter)
    """Bytes of the largest value of each family that was seen."""
    serials: set[str] = field(default_factory=set)
    """What was planted where it is allowed, and accepted."""
    numbers: set[str] = field(default_factory=set)
    """All that was planted."""

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.chain: Chain = at("wholesale").chain
        for vin in VINS[1:3]:
            self.chain.do("bmw", register(vin, powertrain="bev"))
        self.chain.do("bmw", transfer(self.chain, "dealer-shanghai", vin=VINS[1]), "dealer-shanghai")
        self.chain.now += 700 * DAY_MS
        self.ids: dict[str, list[bytes]] = {}
        self.changes: dict[bytes, bytes] = {}
        """Of the newest block, state keys and values."""
        self._new: list[tuple[str, bytes]] = []
        self._accepted: list[CheckedTx] = []
        self.past, self.state = Past(is_modelled=False), state_of(self.chain)
        self.block = Block(self.chain.store.height(), self.chain.now, self.state, self.state, ())
        """The newest one."""

    def steps(self, count: int) -> Iterator[Step]:
        """Of `count` transactions, those that are accepted."""
        while self.tried < count:
            yield from self._block(min(self.chance.randrange(1, 40), count - self.tried))

    def _block(self, count: int) -> Iterator[Step]:
        chain = self.chain
        store = chain.store
        run = CountingRun(store.state, store.tree, store.head(), chain.genesis_hash, chain.now)
        for _ in range(count):
            self.tried += 1
            step = self._tried(run)
            if step is not None:
                yield step
        head, result = store.head(), run.finish()
        self.changes = {key: value for key, value in result.changes.items() if value is not None}
        block = seal_block(
            run, result, head, head.validators.proposer(head.height + 1, 0), (), store.commit(head.height)
        )
        store.commit_block(block, result, chain.commit_for(block))
        self._note(dict(result.changes))
        while self._new:
            name, ident = self._new.pop()
            self.ids.setdefault(name, []).append(ident)
        chain.now += self.chance.choice(PAUSES)

    def _note(self, changes: dict[bytes, bytes | None]) -> None:
        """Read what the block has written."""
        before, after = self.state, dict(self.state)
        for key, raw in changes.items():
            name, _, ident = key.decode("ascii").partition("/")
            if after[name] is before[name]:
                after[name] = dict(before[name])
            if raw is None:
                after[name].pop(ident, None)
            else:
                after[name][ident] = FAMILIES[name].decode(raw)
        self.state = after
        self.block = Block(self.chain.store.height(), self.chain.now, before, after, tuple(self._accepted))
        self._accepted = []
        self.past.note(self.block)

    def _tried(self, run: CountingRun) -> Step | None:
        of_sale = [tag for tag in self.types if tag.partition(".")[0] in OF_SALE]
        types = of_sale if of_sale and self.chance.random() < SALE_SHARE[self.is_planting] else self.types
        tag = self.chance.choice(types)
        while self.chance.random() > RARE.get(tag, 1.0):
            tag = self.chance.choice(types)
        sender, body, plants = self._made(tag)
        self.numbers.update(plant.text for plant in plants)
        try:
            tx = self.chain.check(self._signed(run, sender, body))
        except Malformed:
            self.malformed += 1
            return None
        before, lowered = self._cars(run), self._lowered(run)
        try:
            run.add(tx)
        except GuardsUnmet as error:
            self.refused.update(guard.code for guard in error.unmet)
            return None
        except BlockFull:
            return None
        self.accepted[tag] += 1
        self._accepted.append(tx)
        if tag in IDS:
            self._new.append((IDS[tag], tx.txid))
        kept = tuple(plant for plant in plants if plant.text.encode() in tx.payload_bytes)
        self.serials.update(plant.text for plant in kept)
        taken_back = frozenset(vin for vin, number in self._lowered(run).items() if number > lowered.get(vin, 0))
        sold = self._sold(run, body.order) if isinstance(body, OrderHandover) else None
        return Step(tx, kept, self.chain.now, run.ledger, before, self._cars(run), taken_back, sold)

    def _sold(self, run: CountingRun, ident: bytes) -> tuple[Order, tuple[Payment, ...]]:
        order = run._overlay.get(ORDER, ORDER.key(ident))
        found = (run._overlay.get(PAYMENT, PAYMENT.key(payment)) for payment in order.payments)
        return order, tuple(payment for payment in found if payment.leg != CLAIM_LEG)

    def _cars(self, run: BlockRun) -> dict[str, Vehicle]:
        found = ((vin, run._overlay.get(VEHICLE, VEHICLE.key(vin))) for vin in VINS)
        return {vin: car for vin, car in found if car is not None}

    def _lowered(self, run: BlockRun) -> dict[str, int]:
        found = ((vin, run._overlay.get(ODOMETER, ODOMETER.key(vin))) for vin in VINS)
        return {vin: leaf.lowered for vin, leaf in found if leaf is not None}

    # --- bodies -------------------------------------------------------------------------------------------
    def _made(self, tag: str) -> tuple[str, TransactionBody, tuple[Plant, ...]]:
        chance, chain = self.chance, self.chain
        ids = {name: chance.choice((known[-1], known[-1], *known[-5:])) for name, known in self.ids.items()}
        ids |= self.live(tag)
        body = specimen(tag, chain, ids)
        vin = chance.choice(
            [vin for vin in VINS[: self.cars] if chain.state(VEHICLE, vin) is not None or tag == "vehicle.register"]
        )
        car: Vehicle | None = chain.state(VEHICLE, vin)
        holder = NAMES[car.holder] if car is not None else "bmw"
        example = TYPES[tag].EXAMPLE.sender
        sender = chance.choice((example, example, example, holder, holder, chance.choice(list(NAMES.values()))))
        if tag == "listing.create" and chance.random() < 0.8:
            sender = holder
        natural: dict[str, Any] = {}
        for name in body.__struct_fields__:
            match name:
                case "vin":
                    natural[name] = vin
                case "target" | "repair" | "incident" | "inspection" if getattr(body, name) is not None:
                    count = car.record_count if car is not None else 1
                    natural[name] = name_of(chain, chance.randrange(max(0, count - 12), count), vin)
                case "discloses" if chance.random() < 0.7:
                    natural[name] = ("odometer", "duty", "unroadworthy", "total_loss")
                case "receiver":
                    natural[name] = address(chance.choice(("dealer-munich", "dealer-shanghai", "bmw", "buyer-1")))
                case "order" if body.order and (order := chain.state(ORDER, body.order)) is not None:
                    sender = self.whose(tag, order)
                case "dispute" if tag == "order.resolve":
                    sender = chance.choice(ARBITERS)
                case "payment" if (payment := chain.state(PAYMENT, body.payment)) is not None:
                    order = chain.state(ORDER, payment.order)
                    is_told = tag == "payment.attest" and chance.random() < 0.8
                    sender = NAMES[payment.provider] if is_told else self.whose(tag, order)
                case "warranty":
                    natural[name] = chance.randrange(3)
                case "where" if chance.random() < 0.8:
                    natural[name] = where()
                case "produced_on":
                    natural[name] = date.fromtimestamp(chain.now / 1000 - 86_400).isoformat()
                case "holder_signs":
                    natural[name] = chance.random() < 0.4
                case "odometer" if getattr(body, name) is not None:
                    value = (chain.now // HOUR_MS) % 400_000 if chance.random() < 0.97 else chance.randrange(10_000_000)
                    natural[name] = replace(getattr(body, name), value=value)
                case "event_at_ms":
                    late = chance.choice((0, 0, 0, 0, HOUR_MS, HOUR_MS, DAY_MS, 100 * DAY_MS, 500 * DAY_MS))
                    natural[name] = chain.now - late
        body = replace(body, **natural | self.of_sale(sender, body, ids, vin) | self.after_sale(body))
        if isinstance(body, ClaimRelease):
            sender = self.creditor(body, sender)
        if "holder_signs" in natural and sender == holder:
            body = replace(body, holder_signs=False)
        plants: list[Plant] = []
        is_fit = tag.partition(".")[0] in OF_SALE and not self.is_planting
        bends = chance.choice((0, 0, 0, 0, 1, 2) if is_fit else (0, 0, 1, 1, 2, 3))
        for _ in range(bends):
            body = self._bent(body, plants)
        return sender, body, tuple(plants)

    def _bent(self, value: Any, plants: list[Plant]) -> Any:
        """A struct with one of its leaves changed."""
        name = self.chance.choice(value.__struct_fields__)
        kind = next(entry.kind for entry in fields_of(type(value)) if entry.name == name)
        return replace(value, **{name: self._other(kind, name, getattr(value, name), plants)})

    def _other(self, kind: Kind, name: str, value: Any, plants: list[Plant]) -> Any:
        chance = self.chance
        match kind:
            case kinds.OptionOf(item=item):
                return None if value is not None and chance.random() < 0.3 else self._other(item, name, value, plants)
            case kinds.ListOf(item=item):
                if value and chance.random() < 0.7:
                    place = chance.randrange(len(value))
                    return (*value[:place], self._other(item, name, value[place], plants), *value[place + 1 :])
                return value * chance.choice((0, 2, 16)) if value else (self._other(item, name, None, plants),)
            case kinds.StructOf() | kinds.UnionOf():
                return self._bent(value, plants) if value is not None else None
            case kinds.MoneyAmount():
                return replace(value, amount=chance.choice((0, 1, value.amount, 10**15)))
            case kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
                return self._text(kind, name, plants)
            case kinds.Bytes(length=length):
                known = [ident for idents in self.ids.values() for ident in idents[-3:]]
                return chance.choice([*known, bytes(32), chance.randbytes(length or 32)])
            case kinds.Address():
                return chance.choice(list(NAMES))
            case kinds.Boolean():
                return not value
            case kinds.Time():
                return self.chain.now + chance.choice((-500 * DAY_MS, -DAY_MS, -1, 0, DAY_MS, 100 * DAY_MS))
            case kinds.Integer(minimum=least, maximum=most):
                return chance.choice((least or 0, 1, 10, 1_000, most or 2**32))
        return value

    def _text(self, kind: Kind, name: str, plants: list[Plant]) -> str:
        chance = self.chance
        if self.is_planting and chance.random() < PLANTED_SHARE:
            text = planted(chance)
            if isinstance(kind, kinds.Text) and kind.pattern == VIN_PATTERN:
                text = chance.choice(("X", "")) + card(chance, 16) + "X"
                text = text[:17]
            elif name == "node_address":
                text += ":1"
            elif name == "rxswins":
                text = "R157SWIN" + text
            elif name == "media_type":
                text = "text/" + text
            if chance.random() < 0.3 and isinstance(kind, kinds.Code):
                text = f"A-{text}"
            plants.append(Plant(text, name, kind))
            return text
        match kind:
            case kinds.Choice(values=values):
                return chance.choice(values)
            case kinds.CodeOf(table=table) if chance.random() < 0.7:
                return chance.choice(sorted(RULESETS[1].codes[table]))
            case kinds.CodeOf():
                return chance.choice(UNKNOWN)
            case kinds.Text(pattern=pattern) if pattern == VIN_PATTERN:
                return chance.choice((*VINS, "WBA8E9G50GNU99999", "JTDKB20U093456789"))
        return chance.choice((*ODD_TEXTS, *SOURCES, f"C{chance.randrange(10)}", "MUC-1", "330I"))

    # --- signatures ---------------------------------------------------------------------------------------
    def _signed(self, run: CountingRun, sender: str, body: TransactionBody) -> bytes:
        """Signed by all that have to, as far as the walk has their keys."""
        chain = self.chain
        chain._salt += 1
        payload = encode(Payload(address(sender), chain._salt, chain.now + HOUR_MS, body))
        try:
            needed = body.signers(run._ledger(bytes(32), address(sender), payload))
        except Exception:  # a body that no decoder takes
            needed = ()
        signers = dict.fromkeys((sender, *(NAMES[who] for who in needed if who in NAMES)))
        if self.chance.random() < 0.02:
            signers["police-1"] = None
        keys = [(address(name), dev_key("account", name)) for name in signers]
        keys += [(address("alice"), dev_key("account", "alice"))] if hasattr(body, "sealing_hash") else []
        return assemble(payload, [sign_payload(payload, chain.genesis_hash, who, key) for who, key in keys])
