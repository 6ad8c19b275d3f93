"""Random walks over the ledger: natural steps and bent ones, in blocks; what each block did is kept for checks.

A walk is its seed. Natural steps are what the parties of a sale would do next (`support.dealing`, `support.paying`);
bent ones have another sender, a missing signature or a field from somewhere else. What does not hold is tried in the
same block run, and must leave no trace there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from node.chain.block import EMPTY_COMMIT, Commit, block_id_of
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.execution.block_run import BlockRun
from node.execution.block_validation import execute_block, seal_block
from node.ledger.body import TransactionBody, type_of
from node.ledger.family import Family
from node.ledger.guards import GuardsUnmet
from node.ledger.overlay import Ledger, Overlay
from node.ledger.signed import assemble
from node.txtypes.disputes.order_dispute_types import OrderResolve
from node.txtypes.envelope import CheckedTx
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.listing import status_now
from node.txtypes.sale.order import is_live
from node.txtypes.vehicle.stop_flags import FlagClear, FlagSet
from node.txtypes.vehicle.vehicle import Vehicle, market_of
from support.bending import Bending
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.dealing import VINS, Dealing
from support.life import accident, km, maintenance, read, register, transfer
from support.paying import NAMES, Paying, State, Step
from support.rarely import Rarely
from support.reversing import Reversing
from support.unsigned import unsigned
from wallet.txfile import sign_payload

RARE_SHARE = 0.15
STEPS_OF_A_BLOCK = (1, 2, 4, 6, 9)
PAUSES = (1_000, 1_000, 1_000, 60_000, 60_000, HOUR_MS, 8 * HOUR_MS)
LONG_PAUSES = (4 * DAY_MS, 8 * DAY_MS, 15 * DAY_MS, 31 * DAY_MS, 61 * DAY_MS)
PARTY_PAIRS = (("bmw", "dealer-munich"), ("dealer-munich", "dealer-shanghai"), ("dealer-shanghai", "bmw"))


@dataclass(frozen=True)
class Block:
    """What was accepted, and the state before and after: of one transaction, or of a height as a whole.

    `unmet` gives the codes of the guards that a transaction of the sender, the body and the cosigners would not meet at
    that time; a walk that has no such dry run leaves it out.
    """

    height: int
    time_ms: int
    before: State
    after: State
    accepted: tuple[CheckedTx, ...]
    unmet: Callable[..., list[str]] | None = None
    is_whole: bool = False


@dataclass
class Seen:
    """What a walk has met, so that its checks are known not to be empty."""

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    attested: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of accepted orders that were ended."""
    decided: Counter[str] = field(default_factory=Counter)
    """What arbiters have voted for about orders."""
    deals: Counter[str] = field(default_factory=Counter)
    """What the orders that were handed over had."""
    largest: Counter[str] = field(default_factory=Counter)
    """Bytes of the largest value of each family."""

    def update(self, other: Seen) -> None:
        for name in ("accepted", "refused", "attested", "reasons", "decided", "deals"):
            getattr(self, name).update(getattr(other, name))
        self.largest |= other.largest


def state_of(chain: Chain) -> State:
    """Every state value by family and id."""
    found: State = {name: {} for name in FAMILIES}
    for key, raw in chain.store.kv.scan(b"S", b"T"):
        family, _, ident = key[1:].decode("ascii").partition("/")
        found[family][ident] = FAMILIES[family].decode(raw)
    return found


def after_changes(state: State, changes: Overlay) -> State:
    """The state with what a transaction or a block has written."""
    after = dict(state)
    for key, (family, value) in changes.items():
        name, ident = family.name, key.partition(b"/")[2].decode("ascii")
        if after[name] is state[name]:
            after[name] = dict(state[name])
        if value is None:
            after[name].pop(ident, None)
        else:
            after[name][ident] = value
    return after


class LiveChain(Chain):
    """A chain whose parties see what the block that is being built has changed so far."""

    def __init__(self) -> None:
        super().__init__()
        self.live = state_of(self)

    def state(self, family: Family[Any], ident: str | bytes) -> Any:
        return self.live[family.name].get(ident.hex() if isinstance(ident, bytes) else ident)


class WatchedRun(BlockRun):
    """Keeps the ledger of the newest transaction."""

    ledger: Ledger

    def _ledger(self, txid: bytes, sender: bytes, payload_bytes: bytes) -> Ledger:
        self.ledger = super()._ledger(txid, sender, payload_bytes)
        return self.ledger


class Walk(Bending):
    """`is_signed`: whether signatures and certificates are computed; see `support.unsigned`. `seen`: what the walk has
    met so far."""

    def __init__(self, seed: int, *, is_signed: bool = True) -> None:
        self.chance, self.is_signed, self.tried = Random(seed), is_signed, 0
        self.chain = LiveChain()
        self.seen = Seen()
        self.dealing = Dealing(self.chance, self.chain)
        self.paying = Paying(self.chance, self.chain)
        self.reversing = Reversing(self.chance, self.chain)
        self.rarely = Rarely(seed, self.chance, self.chain, self.dealing)

    def steps(self, count: int) -> Iterator[Block]:
        """Of `count` transactions each that is accepted; and each height as a whole, once it is committed."""
        while self.tried < count:
            yield from self._block()

    def blocks(self, count: int) -> Iterator[Block]:
        """Heights as a whole."""
        for _ in range(count):
            *_, whole = self._block()
            yield whole

    @property
    def state(self) -> State:
        return self.chain.live

    @state.setter
    def state(self, found: State) -> None:
        self.chain.live = found

    # --- one block ---------------------------------------------------------------------------------------
    def _block(self) -> Iterator[Block]:
        chain, chance = self.chain, self.chance
        store = chain.store
        run = WatchedRun(store.state, store.tree, store.head(), chain.genesis_hash, chain.now)
        height, begin, accepted, refusals = store.height() + 1, self.state, list[CheckedTx](), self.seen.refused.total()

        def unmet(sender: str, body: TransactionBody, *cosigners: str) -> list[str]:
            ledger = run.carry_out(unsigned(chain, sender, body, *cosigners))
            return [guard.code for guard in ledger.unmet_guards]

        for _ in range(chance.choice(STEPS_OF_A_BLOCK)):
            before = self.state
            tx = self._tried(run)
            if tx is not None:
                accepted.append(tx)
                yield Block(height, chain.now, before, self.state, (tx,), unmet)
        self._commit(run, accepted, is_traced=self.seen.refused.total() > refusals and chance.random() < 0.25)
        yield Block(height, chain.now, begin, self.state, tuple(accepted), unmet, is_whole=True)
        chain.now += chance.choice(LONG_PAUSES if chance.random() < 0.05 else PAUSES)

    def _tried(self, run: WatchedRun) -> CheckedTx | None:
        self.tried += 1
        sender, body, cosigners = self._step()
        try:
            tx = self._made(sender, body, cosigners)
        except Malformed:
            self.seen.refused["malformed"] += 1
            return None
        try:
            run.add(tx)
        except GuardsUnmet as error:
            if not error.unmet:
                raise AssertionError("refused without a reason") from error
            self.seen.refused.update(guard.code for guard in error.unmet)
            return None
        self._note(body)
        self.state = after_changes(self.state, run.ledger.changes)
        return tx

    def _commit(self, run: WatchedRun, accepted: list[CheckedTx], *, is_traced: bool) -> None:
        """`is_traced`: judged again by a run that never saw what was refused; the same root, or a refusal has left a
        trace."""
        store = self.chain.store
        head, result = store.head(), run.finish()
        last = store.commit(head.height) if head.height else EMPTY_COMMIT
        block = seal_block(run, result, head, head.validators.proposer(head.height + 1, 0), (), last)
        if is_traced:
            result = execute_block(block, accepted, store.state, store.tree, head, self.chain.genesis_hash)
        certificate = Commit(block.header.height, 0, block_id_of(block.header, self.chain.genesis_hash), ())
        store.commit_block(block, result, self.chain.commit_for(block) if self.is_signed else certificate)
        self.state = after_changes(self.state, run._overlay.changes)
        for key, value in result.changes.items():
            if value is not None:
                family = key.partition(b"/")[0].decode("ascii")
                self.seen.largest[family] = max(self.seen.largest[family], len(value))

    def _made(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> CheckedTx:
        """Past the wallet's own checks: what a program that means no good would send. Raises `Malformed`."""
        chain = self.chain
        tx = unsigned(chain, sender, body, *cosigners)
        if not self.is_signed:
            return tx
        keys = [(address(name), dev_key("account", name)) for name in dict.fromkeys((sender, *cosigners))]
        signatures = [sign_payload(tx.payload_bytes, chain.genesis_hash, who, key) for who, key in keys]
        return chain.check(assemble(tx.payload_bytes, signatures))

    def _note(self, body: TransactionBody) -> None:
        seen = self.seen
        seen.accepted[type_of(body)] += 1
        if isinstance(body, PaymentAttest):
            seen.attested[body.kind] += 1
        elif isinstance(body, OrderResolve):
            seen.decided[body.decision.action] += 1
        elif isinstance(body, OrderCancel | OrderHandover):
            order = self.state["order"][body.order.hex()]
            if isinstance(body, OrderCancel):
                seen.reasons[body.reason] += order.status == "accepted"
            else:
                terms = order.terms
                had = dict(trade_in=terms.trade_in, finance=terms.finance, agent=order.agent, paid=order.net)
                seen.deals.update(name for name, value in had.items() if value)
                seen.deals["parts"] += len(order.payments) > 1

    # --- steps -------------------------------------------------------------------------------------------
    def _step(self) -> Step:
        self.dealing.state = self.paying.state = self.reversing.state = self.rarely.state = self.state
        if self.chance.random() < RARE_SHARE and (rare := self.rarely.step(self.seen.refused)):
            return self.chance.choice(rare)
        weights, makers = zip(*self._natural(), strict=True)
        steps: list[Step] = []
        while not steps:
            steps = self.chance.choices(makers, weights)[0]()
        sender, body, cosigners = self.chance.choice(steps)
        if self.chance.random() < 0.2:
            return self._bent(sender, body, cosigners)
        return sender, body, cosigners

    def _natural(self) -> Iterator[tuple[float, Callable[[], list[Step]]]]:
        """(weight, maker of steps): the further a sale has come the likelier is its next step."""
        state, now, deal = self.state, self.chain.now, self.dealing
        yield 4 if len(state["vehicle"]) < len(VINS) else 0.3, self._births
        for vin, vehicle in state["vehicle"].items():
            yield 0.3 if market_of(vehicle, now).status != "off" else 2, partial(self._of_vehicle, vin, vehicle)
        for ident, found in state["listing"].items():
            if found.vin and found.status in ("open", "reserved") and now < found.expires_at_ms:
                weight = (
                    4 if status_now(bytes.fromhex(ident), found, state["vehicle"][found.vin], now) == "open" else 0.2
                )
                yield weight, partial(deal.of_listing, bytes.fromhex(ident), found)
        for ident, order in state["order"].items():
            if not order.vin and order.status in ("offered", "accepted"):
                continue  # of a car that is still to be built: see `support.rarely`
            weight = 14 if is_live(order, now) else 1.0 if order.net else 0.2 if order.accepted_at_ms else 0.02
            yield weight, partial(deal.of_order, bytes.fromhex(ident), order)
        for ident, payment in state["payment"].items():
            yield self.paying.urgency(payment), partial(self.paying.of_payment, bytes.fromhex(ident), payment)
        yield from self._reversed()
        for ident, mandate in state["mandate"].items():
            yield 0.05, partial(deal.of_mandate, bytes.fromhex(ident), mandate)

    def _reversed(self) -> Iterator[tuple[float, Callable[[], list[Step]]]]:
        state, undo = self.state, self.reversing
        for ident, order in state["order"].items():
            if order.accepted_at_ms:
                weight = 4 if order.status == "withdrawn" else 0.5 if order.status == "completed" else 0.05
                yield weight, partial(undo.of_order, bytes.fromhex(ident), order)
        for ident, claims in state["order-claims"].items():
            yield 1.5, partial(undo.of_claims, bytes.fromhex(ident), claims)
        for ident, dispute in state["order-dispute"].items():
            yield 0 if dispute.closed_at_ms else 8, partial(undo.of_dispute, bytes.fromhex(ident), dispute)
        yield 0.8, undo.new_case
        for ident, case in state["case"].items():
            yield 0.01 if case.closed_at_ms else 0.4, partial(undo.of_case, bytes.fromhex(ident), case)

    def _births(self) -> list[Step]:
        unborn = [vin for vin in VINS if vin not in self.state["vehicle"]]
        return [("bmw", register(vin), ()) for vin in unborn or VINS]

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
        flags = {flag.name for flag in vehicle.flags}
        if "stolen" in flags:
            steps += [("police-1", FlagClear(vin, "stolen", address("police-1"), None, None), ())] * 8
        elif self.chance.random() < 0.05:
            steps += [("police-1", FlagSet(vin, "stolen", None), ())] * 3
        if "lien" in flags:
            steps.append(("bank-1", FlagClear(vin, "lien", address("bank-1"), None, None), ()))
        steps += [(a, transfer(chain, b, value, vin), (b,)) for a, b in PARTY_PAIRS if a == holder]
        return steps + self.dealing.of_vehicle(vin, vehicle)
