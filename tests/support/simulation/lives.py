"""Lives of cars during the faults: a sequence of transactions, each of which depends on the one before."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from node.chain.dev_genesis import DEV_PARTIES, Party
from node.ledger.body import TransactionBody
from support.deals import accepting, handing
from support.life import attest, initiate, listing, maintenance, offer, register, transfer

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

DEALER, PROVIDER, WORKSHOP, BUYER = "dealer-munich", "payment-provider-1", "workshop-berlin", "buyer-1"
OTHERS = ("bank-1",)
"""Who pays and lends besides, by the listing."""
STEP_MS = 400
AGAIN_MS = 2_000
"""After this a client submits an uncommitted transaction to another node."""

Step = tuple[TransactionBody, tuple[str, ...]]
"""Transaction body and its signers; the first is the sender."""


def parties() -> list[Party]:
    """Parties of a car's life besides its manufacturer: none is a validator."""
    wanted = (DEALER, PROVIDER, WORKSHOP, BUYER, *OTHERS)
    return [Party(p.name, p.country, p.roles, 0, p.is_member) for p in DEV_PARTIES if p.name in wanted]


class Now:
    """The chain as the builders of `support.life` need it: state as a client sees it, and time."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def now(self) -> int:
        return self._world.now

    def state(self, family: Any, ident: Any) -> Any:
        raw = self._world.best().store.state.get(family.key(ident))
        return None if raw is None else family.decode(raw)


def life_of(maker: str, vin: str, chain: Any) -> Generator[Step, bytes]:
    """A car's life from production to its second service. Each step receives the committed transaction's id."""
    yield register(vin), (maker,)
    yield transfer(chain, vin=vin), (maker, DEALER)
    listed = yield listing(chain, vin), (DEALER,)
    order = yield offer(chain, listed), (BUYER,)
    yield accepting(chain, order), (DEALER, BUYER)
    payment = yield initiate(order), (BUYER,)
    yield attest(chain, payment, reference=vin.encode()), (PROVIDER,)
    yield handing(chain, order), (DEALER, BUYER)
    yield maintenance(chain, 15_000, vin), (WORKSHOP,)
    yield maintenance(chain, 30_000, vin), (WORKSHOP,)


class Lives:
    def __init__(self, world: World) -> None:
        self._world = world
        self.steps = 0
        """Committed steps of all cars."""

    def begin(self, node: SimulatedNode) -> None:
        """Start the life of a car made by `node`'s member."""
        vin = self._world.submissions.new_vin()
        life = life_of(node.name, vin, Now(self._world))
        self._sign(life, next(life))

    def _sign(self, life: Generator[Step, bytes], step: Step) -> None:
        body, signers = step
        self._follow(life, self._world.submissions.sign_for(body, *signers), 0)

    def _follow(self, life: Generator[Step, bytes], raw: bytes, asked_ms: int) -> None:
        """Wait until the transaction is committed, then take the next step."""
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
