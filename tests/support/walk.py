"""Random walks over the ledger: natural steps and bent ones, in blocks; what each block did is kept for checks.

A walk is its seed. Natural steps are what the parties of a sale would do next; bent ones have another sender, a
missing signature or a field from somewhere else. What does not hold is tried in the same block run, and must leave no
trace there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from msgspec.structs import replace

from node.chain.block import EMPTY_COMMIT
from node.chain.dev_genesis import DEV_PARTIES
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.execution.block_validation import seal_block
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Money
from node.ledger.guards import GuardsUnmet
from node.ledger.signed import assemble
from node.rules.rails import TRANSITIONS
from node.txtypes.envelope import CheckedTx, Payload
from node.txtypes.payment.payment import PaymentAttest, PaymentInitiate
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.delivery import DeliveryEvent
from node.txtypes.sale.listing import AcceptedRail, Listing, ListingUpdate, ListingWithdraw
from node.txtypes.sale.order import Order, Payment, is_live
from node.txtypes.sale.order_types import (
    OrderAccept,
    OrderAcknowledge,
    OrderCancel,
    OrderCounter,
    OrderHandover,
    OrderReject,
)
from node.txtypes.vehicle.vehicle import Vehicle, material_root
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.life import accident, handover, km, listing, maintenance, offer, read, register, transfer
from wallet.txfile import sign_payload

NAMES = {address(party.name): party.name for party in DEV_PARTIES}
VINS = tuple(f"WBA8E9G50GNU1234{n}" for n in range(6))
PRICES = (Money(5_290_000, "EUR"), Money(5_290_001, "EUR"), Money(100, "EUR"), Money(5_290_000, "USD"))
RAILS = ("bank_transfer", "card", "instant_transfer", "bitcoin", "finance")
PROVIDERS = ("payment-provider-1", "bank-1")
CARD_NUMBER = "4111111111111111"
PAUSES = (1_000, 1_000, 1_000, 60_000, 60_000, HOUR_MS, 8 * HOUR_MS)
LONG_PAUSES = (8 * DAY_MS, 31 * DAY_MS, 61 * DAY_MS)
PARTY_PAIRS = (("bmw", "dealer-munich"), ("dealer-munich", "dealer-shanghai"), ("dealer-shanghai", "bmw"))

State = dict[str, dict[str, Any]]
Step = tuple[str, TransactionBody, tuple[str, ...]]


@dataclass(frozen=True)
class Block:
    """One height: the state before and after, and what was accepted."""

    height: int
    time_ms: int
    before: State
    after: State
    accepted: tuple[CheckedTx, ...]


@dataclass
class Seen:
    """What a walk has met, so that its checks are known not to be empty."""

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)


def state_of(chain: Chain) -> State:
    """Every state value by family and id."""
    found: State = {name: {} for name in FAMILIES}
    for key, raw in chain.store.kv.scan(b"S", b"T"):
        family, _, ident = key[1:].decode("ascii").partition("/")
        found[family][ident] = FAMILIES[family].decode(raw)
    return found


class Walk:
    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.chain = Chain()
        self.seen = Seen()
        self.references = 0
        self.state = state_of(self.chain)

    def blocks(self, count: int) -> Iterator[Block]:
        for _ in range(count):
            yield self._block()

    # --- one block ---------------------------------------------------------------------------------------
    def _block(self) -> Block:
        chain, run, accepted = self.chain, self.chain.run(), []
        for sender, body, cosigners in self._steps():
            try:
                tx = chain.check(self._signed(sender, body, cosigners))
            except Malformed:
                self.seen.refused["malformed"] += 1
                continue
            try:
                run.add(tx)
            except GuardsUnmet as error:
                if not error.unmet:
                    raise AssertionError("refused without a reason") from error
                self.seen.refused.update(guard.code for guard in error.unmet)
                continue
            accepted.append(tx)
            self.seen.accepted[type_of(body)] += 1
            if isinstance(body, PaymentAttest):
                self.seen.statuses[body.status] += 1
        head = chain.store.head()
        result = run.finish()
        last = chain.store.commit(head.height) if head.height else None
        block = seal_block(run, result, head, head.validators.proposer(head.height + 1, 0), (), last or EMPTY_COMMIT)
        # judged by a run that never saw what was refused: the same root, or a refusal has left a trace
        chain.store.commit_block(block, chain.judge(block), chain.commit_for(block))
        before, self.state = self.state, state_of(chain)
        found = Block(chain.store.height(), chain.now, before, self.state, tuple(accepted))
        chain.now += self.chance.choice(LONG_PAUSES if self.chance.random() < 0.02 else PAUSES)
        return found

    def _steps(self) -> list[Step]:
        """One to three steps; a handover stands alone, so that its block shows what it did and nothing else."""
        steps = [self._step() for _ in range(self.chance.choice((1, 1, 2, 3)))]
        alone = next((step for step in steps if isinstance(step[1], OrderHandover)), None)
        return [alone] if alone else steps

    def _signed(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> bytes:
        """Past the wallet's own checks: what a program that means no good would send."""
        chain = self.chain
        chain._salt += 1
        payload = encode(Payload(address(sender), chain._salt, chain.now + HOUR_MS, body))
        names = dict.fromkeys((sender, *cosigners))
        keys = [(address(name), dev_key("account", name)) for name in names]
        return assemble(payload, [sign_payload(payload, chain.genesis_hash, who, key) for who, key in keys])

    # --- steps -------------------------------------------------------------------------------------------
    def _step(self) -> Step:
        groups = [(weight, steps) for weight, steps in self._natural() if steps]
        steps = self.chance.choices([g for _, g in groups], [weight for weight, _ in groups])[0]
        sender, body, cosigners = self.chance.choice(steps)
        if self.chance.random() < 0.25:
            return self._bent(sender, body, cosigners)
        return sender, body, cosigners

    def _natural(self) -> Iterator[tuple[float, list[Step]]]:
        """(weight, steps): the further a sale has come the likelier is its next step."""
        state = self.state
        unborn = [vin for vin in VINS if vin not in state["vehicle"]]
        yield 4 if unborn else 1, [("bmw", register(vin), ()) for vin in unborn or VINS]
        for vin, vehicle in state["vehicle"].items():
            yield 2 if vehicle.market.status == "off" else 0.3, self._of_vehicle(vin, vehicle)
        for ident, found in state["listing"].items():
            if found.status == "open" and self.chain.now < found.expires_at_ms:
                yield 4, self._of_listing(bytes.fromhex(ident), found)
        for ident, order in state["order"].items():
            yield (
                8 if is_live(bytes.fromhex(ident), order, None, self.chain.now) else 0.2,
                self._of_order(bytes.fromhex(ident), order),
            )
        for ident, payment in state["payment"].items():
            is_done = payment.status in ("settled", "failed", "returned", "refunded")
            yield 0.4 if is_done else 12, self._of_payment(bytes.fromhex(ident), payment)

    def _driven(self, backwards: float = 0.0) -> int:
        """What an odometer shows now: one kilometre an hour, but for a typing error now and then."""
        driven = (self.chain.now - START_MS) // HOUR_MS
        return driven // 2 if self.chance.random() < backwards else driven

    def _of_vehicle(self, vin: str, vehicle: Vehicle) -> list[Step]:
        chain, holder = self.chain, NAMES[vehicle.holder]
        value = self._driven(backwards=0.03)
        steps: list[Step] = [
            ("workshop-berlin", maintenance(chain, value, vin), ()),
            ("workshop-berlin", read(vin, km(value), chain.now, "reading"), ()),
            ("carrier-1", read(vin, km(self._driven()), chain.now, "telematics"), ()),
        ]
        if self.chance.random() < 0.1:
            extent = self.chance.choice(("cosmetic", "bolt_on", "structural"))
            hit = accident(chain, value, vin, extent, hv_battery_hit=self.chance.random() < 0.5)
            steps.append((self.chance.choice((holder, "insurer-1")), hit, ()))
        steps += [(a, transfer(chain, b, value, vin), (b,)) for a, b in PARTY_PAIRS if a == holder]
        if holder != "bmw":
            accepted = tuple(AcceptedRail(r, tuple(map(address, PROVIDERS))) for r in self.chance.sample(RAILS, 3))
            country = self.chance.choice(("DE", "DE", "CN"))
            made = listing(chain, vin, price=self.chance.choice(PRICES), country=country, rails=accepted)
            steps += [(holder, made, ())] * 3
        return steps

    def _of_listing(self, ident: bytes, found: Listing) -> list[Step]:
        chain, seller = self.chain, NAMES[found.seller]
        buyer = self.chance.choice(("buyer-1", "dealer-shanghai", "inspector-1"))
        accepted = self.chance.choice(found.rails)
        made = offer(
            chain, ident, price=found.price, rail=accepted.rail, provider=self.chance.choice(accepted.providers)
        )
        changed = ListingUpdate(ident, self.chance.choice(PRICES), found.rails, chain.now + 20 * DAY_MS)
        return [(buyer, made, ())] * 4 + [(seller, changed, ()), (seller, ListingWithdraw(ident), ())]

    def _of_order(self, ident: bytes, order: Order) -> list[Step]:
        chain, seller, buyer = self.chain, NAMES[order.seller], NAMES[order.buyer]
        match order.status:
            case "offered":
                counter = OrderCounter(ident, order.price, chain.now + DAY_MS)
                accept: Step = (seller, OrderAccept(ident), ())
                return [accept] * 4 + [(seller, counter, ()), (seller, OrderReject(ident), ())]
            case "countered":
                return [(buyer, OrderAccept(ident), ()), (buyer, OrderReject(ident), ())]
            case "accepted":
                return self._of_accepted(ident, order, seller, buyer)
        return []

    def _of_accepted(self, ident: bytes, order: Order, seller: str, buyer: str) -> list[Step]:
        chain, state = self.chain, self.state
        hand: Step = (seller, handover(chain, ident, self._driven()), (buyer,))
        payments = [state["payment"][payment.hex()] for payment in order.payments]
        if any(payment.status == "settled" for payment in payments) and self.chance.random() < 0.9:
            vehicle = state["vehicle"][order.vin]
            changed = vehicle.material_changes != order.agreed_changes
            agreed: Step = (buyer, OrderAcknowledge(ident, material_root(order.vin, vehicle)), ())
            return [agreed] if changed else [hand]
        amount = order.price if self.chance.random() < 0.8 else replace(order.price, amount=50)
        pay: Step = (buyer, PaymentInitiate(ident, order.rail, amount), ())
        arrived = DeliveryEvent(ident, "arrived", "MUC-1", chain.now, None)
        cancel = OrderCancel(ident, "changed_mind")
        return [pay, pay, pay, pay, hand, (seller, arrived, ()), (buyer, cancel, ())]

    def _of_payment(self, ident: bytes, payment: Payment) -> list[Step]:
        following = sorted(TRANSITIONS[payment.rail].get(payment.status, ()))
        if not following:
            return []
        good = [s for s in following if s in ("authorised", "captured", "settled")]
        status = self.chance.choice(good if good and self.chance.random() < 0.8 else following)
        self.references += 1
        reference = payment.reference or self.references.to_bytes(32, "big")
        provider = NAMES[payment.provider]
        return [(provider, PaymentAttest(ident, status, payment.amount, reference), ())] * 2  # type: ignore[arg-type]

    # --- bent steps ----------------------------------------------------------------------------------------
    def _bent(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> Step:
        how = self.chance.random()
        if how < 0.25:
            return self.chance.choice(list(NAMES.values())), body, cosigners
        if how < 0.35:
            return sender, body, cosigners[1:]
        if how < 0.4:
            return sender, body, (*cosigners, "police-1")
        name = self.chance.choice(body.__struct_fields__)
        other = self._other(name)
        return sender, body if other is None else replace(body, **{name: other}), cosigners

    def _other(self, name: str) -> Any:
        """A value that this field could have, from somewhere else in the state."""
        state, chance = self.state, self.chance

        def ids(family: str) -> bytes:
            return chance.choice([bytes.fromhex(ident) for ident in state[family]] or [bytes(32)])

        match name:
            case "listing" | "order" | "payment":
                return ids(name)
            case "vin":
                return chance.choice(VINS)
            case "price" | "amount":
                return chance.choice(PRICES)
            case "rail":
                return chance.choice(RAILS)
            case "country":
                return chance.choice(("CN", "DE", "ZZ"))
            case "provider" | "receiver":
                return address(chance.choice(list(NAMES.values())))
            case "reference":
                used = [bytes.fromhex(ident) for ident in state["payment-reference"]]
                return chance.choice([*used, bytes(31), b""])
            case "status":
                return chance.choice(("settled", "refunded", "charged_back", "returned", "failed", "captured"))
            case "odometer":
                return km(chance.choice((1, 150, 9_000_000)), chance.choice(("km", "mi")))
            case "event_at_ms" | "expires_at_ms":
                return self.chain.now + chance.choice((-400 * DAY_MS, -1, 0, 6 * 60_000, 200 * DAY_MS))
            case "configuration" | "services":
                return (CARD_NUMBER,)
            case "model" | "plant" | "site":
                return "S-" + CARD_NUMBER
        return None
