"""Cars that live while everything goes wrong: each step is a transaction that stands on the one before."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from node.chain.dev_genesis import DEV_PARTIES, Party
from node.ledger.body import TransactionBody
from node.txtypes.payment.payment import PaymentInitiate
from node.txtypes.sale.offer import OrderAccept
from support.life import PRICE, attest, handover, listing, maintenance, offer, register, transfer

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

DEALER, PROVIDER, WORKSHOP, BUYER = "dealer-munich", "payment-provider-1", "workshop-berlin", "buyer-1"
OTHERS = ("bank-1",)
"""A listing names them among those that it would take a payment from."""
STEP_MS = 400
AGAIN_MS = 2_000
"""Who has not seen its transaction committed asks another node."""

Step = tuple[TransactionBody, tuple[str, ...]]
"""What is to be signed, and by whom; the first is the sender."""


def parties() -> list[Party]:
    """Of a car's life, besides its maker: none of them validates."""
    wanted = (DEALER, PROVIDER, WORKSHOP, BUYER, *OTHERS)
    return [Party(p.name, p.country, p.roles, 0, p.is_member) for p in DEV_PARTIES if p.name in wanted]


class Now:
    """What the builders of `support.life` ask of a chain: its state as a client sees it, and the time."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def now(self) -> int:
        return self._world.now

    def state(self, family: Any, ident: Any) -> Any:
        raw = self._world.best().store.state.get(family.key(ident))
        return None if raw is None else family.decode(raw)


def life_of(maker: str, vin: str, chain: Any) -> Generator[Step, bytes]:
    """From the works to a second service. Every step is sent the id of its transaction once that is committed."""
    yield register(vin), (maker,)
    yield transfer(chain, vin=vin), (maker, DEALER)
    listed = yield listing(chain, vin), (DEALER,)
    order = yield offer(chain, listed), (BUYER,)
    yield OrderAccept(order), (DEALER,)
    payment = yield PaymentInitiate(order, "bank_transfer", PRICE), (BUYER,)
    yield attest(payment, reference=vin.encode()), (PROVIDER,)
    yield handover(chain, order), (DEALER, BUYER)
    yield maintenance(chain, 15_000, vin), (WORKSHOP,)
    yield maintenance(chain, 30_000, vin), (WORKSHOP,)


class Lives:
    def __init__(self, world: World) -> None:
        self._world = world
        self.steps = 0
        """Committed, of all cars."""

    def begin(self, node: SimulatedNode) -> None:
        """`node`'s member makes a car."""
        vin = self._world.submissions.new_vin()
        life = life_of(node.name, vin, Now(self._world))
        self._sign(life, next(life))

    def _sign(self, life: Generator[Step, bytes], step: Step) -> None:
        body, signers = step
        self._follow(life, self._world.submissions.sign_for(body, *signers), 0)

    def _follow(self, life: Generator[Step, bytes], raw: bytes, asked_ms: int) -> None:
        """Until it is committed; then the next step."""
        world = self._world
        able = [node for node in world.honest() if node.is_up]
        txid = world.checked(raw).txid
        if txid in world.checks.committed and able:
            self.steps += 1
            world.faults["life_step"] += 1
            try:
                self._sign(life, life.send(txid))
            except StopIteration:
                world.faults["life_done"] += 1
            return
        if able and world.now >= asked_ms + AGAIN_MS:
            asked_ms = world.now
            world.submissions.submit(world.chance("lives").choice(able), raw)
        world.later(STEP_MS, self._follow, life, raw, asked_ms)
