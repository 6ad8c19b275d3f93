"""A long chain of mixed transactions from a seed: what replay and the benchmarks are measured on.

`LoadChain(kv).grow(50_000)` writes blocks of about 1,000 transactions. Cars are born, serviced, damaged, moved between
dealers and sold with payment and handover; each transaction holds at its place, nothing is refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from node.chain.block import EMPTY_COMMIT
from node.chain.dev_genesis import DEV_PARTIES
from node.crypto.dev_keys import dev_key
from node.execution.block_run import BlockRun
from node.execution.block_validation import seal_block
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer
from node.ledger.params import ChainParams
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.sale.listing_types import ListingCreate
from node.txtypes.sale.negotiation import OrderOffer
from support.chain import DAY_MS, Chain, address, dev_test_genesis
from support.deals import PROVIDER, accepting, handing
from support.life import accident, attest, initiate, listing, maintenance, offer, read, register, transfer
from support.signing import sign_transaction

VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
DEALERS = ("dealer-munich", "dealer-shanghai")
READINGS_A_DAY = 7
MANY_IN_ONE = ChainParams(weight_per_account_day=10**12, keys_per_account_day=10**8)
"""One private account stands for all buyers."""


Step = tuple[str, TransactionBody, tuple[str, ...]]
"""Sender, body, who signs besides."""


@dataclass
class Car:
    vin: str
    holder: str = "bmw"
    km: int = 10
    sale: int = 0
    """How many steps of a sale are done, 0 where none is under way."""
    listing: bytes = b""
    order: bytes = b""
    payment: bytes = b""
    readings: dict[tuple[str, int], int] = field(default_factory=dict)


class LoadChain(Chain):
    """Blocks of mixed transactions; the same seed makes the same chain."""

    def __init__(self, kv=None, *, seed: int = 1, depth: int = 18, genesis=None, block_ms: int = 20_000) -> None:
        super().__init__(genesis or dev_test_genesis(depth, MANY_IN_ONE), kv)
        self.random = random.Random(seed)
        self.cars: list[Car] = []
        self.block_ms = block_ms
        self._keys = {p.name: (address(p.name), dev_key("account", p.name)) for p in DEV_PARTIES}
        self._consensus = {address(p.name): dev_key("consensus", p.name) for p in DEV_PARTIES if p.power}
        self._sale_steps: tuple[Callable[[Car], Step], ...] = (
            self._list, self._offer, self._accept, self._initiate, self._attest, self._hand_over,
        )  # fmt: skip
        self._run: BlockRun | None = None
        self._selling: list[Car] = []

    def grow(self, count: int, block_txs: int = 1_000) -> None:
        """`count` more transactions."""
        while count > 0:
            self.load_block(min(block_txs, count))
            count -= block_txs

    def load_block(self, count: int) -> None:
        head = self.store.head()
        self._run = run = self.run()
        for _ in range(count):
            self._step(run)
        self._run = None
        result = run.finish()
        last = self.store.commit(head.height) if head.height else EMPTY_COMMIT
        proposer = head.validators.entries[head.height % len(head.validators)].address
        block = seal_block(run, result, head, proposer, (), last)
        self.store.commit_block(block, result, self.commit_for(block))
        self.last_result = result
        self.now += self.block_ms

    def state(self, family, ident):
        """As the block that is being made has it, or else the head."""
        if self._run is None:
            return super().state(family, ident)
        return self._run._overlay.get(family, family.key(ident))

    # --- one transaction ------------------------------------------------------------------------------
    def _step(self, run: BlockRun) -> None:
        if not self.cars or self.random.random() < 0.18:
            car = Car(self._new_vin())
            self.cars.append(car)
            sender, body, cosigners = "bmw", self._register(car), ()
        else:
            car, (sender, body, cosigners) = self._next()
        tx = self._signed(sender, body, cosigners)
        run.add(tx)
        if isinstance(body, ListingCreate):
            car.listing = tx.txid
        elif isinstance(body, OrderOffer):
            car.order = tx.txid
        elif isinstance(body, PaymentInitiate):
            car.payment = tx.txid

    def _signed(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> CheckedTx:
        self._salt += 1
        raw = sign_transaction(
            self._keys[sender][0],
            body,
            [self._keys[name] for name in (sender, *cosigners)],
            self.genesis_hash,
            salt=self._salt,
            expires_at_ms=self.now + self.random.randrange(10 * 60_000, 20 * 3_600_000),
        )
        return CheckedTx(decode_signed_tx(raw, self.genesis_hash))

    def _next(self) -> tuple[Car, Step]:
        while True:
            # Sales go on briskly: live offers of one buyer are capped.
            among = self._selling if len(self._selling) > 10 or self.random.random() < 0.2 else self.cars
            if not among:
                continue
            car = among[self.random.randrange(len(among))]
            made = self._for(car)
            if made is not None:
                return car, made

    def _for(self, car: Car) -> Step | None:
        if car.sale:
            return self._sale(car)
        kind = self.random.random()
        if kind < 0.36:
            return self._if_fresh(car, "workshop-berlin", self._maintenance)
        if kind < 0.62:
            return self._if_fresh(car, self.random.choice(("inspector-1", *DEALERS)), self._odometer)
        if kind < 0.69:
            return self._if_fresh(car, "police-1", self._accident)
        if car.holder == "buyer-1":
            return None
        if kind < 0.88:
            return self._transfer(car)
        return self._sale(car) if car.holder in DEALERS else self._transfer(car)

    def _sale(self, car: Car) -> Step:
        made = self._sale_steps[car.sale](car)
        if car.sale == 0:
            self._selling.append(car)
        car.sale = (car.sale + 1) % len(self._sale_steps)
        if car.sale == 0:
            self._selling.remove(car)
        return made

    def _may_read(self, car: Car, author: str) -> bool:
        key = (author, self.now // DAY_MS)
        car.readings[key] = car.readings.get(key, 0) + 1
        return car.readings[key] <= READINGS_A_DAY

    def _if_fresh(self, car: Car, author: str, make: Callable[[Car], TransactionBody]) -> Step | None:
        return (author, make(car), ()) if self._may_read(car, author) else None

    def _km(self, car: Car) -> Odometer:
        car.km += self.random.randrange(1, 40)
        return Odometer(car.km, "km", "cluster")

    # --- bodies ---------------------------------------------------------------------------------------
    def _new_vin(self) -> str:
        number, serial = len(self.cars) // 10_000, ""
        for _ in range(5):
            serial = VIN_LETTERS[number % 33] + serial
            number //= 33
        return f"WBA8E9{self.random.choice('ABCDEFGH')}{serial}{self.random.choice('KLM')}{len(self.cars) % 10_000:04}"

    def _register(self, car: Car) -> TransactionBody:
        return register(car.vin)

    def _maintenance(self, car: Car) -> TransactionBody:
        return maintenance(self, vin=car.vin, odometer=self._km(car))

    def _odometer(self, car: Car) -> TransactionBody:
        return read(car.vin, self._km(car), self.now)

    def _accident(self, car: Car) -> TransactionBody:
        return accident(self, vin=car.vin, odometer=self._km(car))

    def _transfer(self, car: Car) -> Step | None:
        sender, receiver = car.holder, self.random.choice([d for d in DEALERS if d != car.holder])
        if not self._may_read(car, sender):
            return None
        body = transfer(self, receiver, vin=car.vin, odometer=self._km(car))
        car.holder = receiver
        return sender, body, (receiver,)

    def _list(self, car: Car) -> Step:
        return car.holder, listing(self, car.vin), ()

    def _offer(self, car: Car) -> Step:
        return "buyer-1", offer(self, car.listing), ()

    def _accept(self, car: Car) -> Step:
        return car.holder, accepting(self, car.order), ("buyer-1",)

    def _initiate(self, car: Car) -> Step:
        return "buyer-1", initiate(car.order), ()

    def _attest(self, car: Car) -> Step:
        return PROVIDER, attest(self, car.payment, reference=car.payment), ()

    def _hand_over(self, car: Car) -> Step:
        seller, car.holder = car.holder, "buyer-1"
        return seller, handing(self, car.order, odometer=self._km(car)), ("buyer-1",)
