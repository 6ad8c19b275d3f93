"""Sales on a running network: many orders brought as far as asked at once, and transactions raced to two nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, cycle, permutations
from threading import Barrier
from typing import Any, NamedTuple

from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork, LocalNode
from node.ledger.body import TransactionBody
from node.ledger.json_form import time_from_text
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, net_of
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import address
from support.deals import PROVIDER, accepting, handing
from support.life import attest, initiate, listing, offer, register, transfer
from support.processes import PRODUCED_ON, Fleet, status_of, submit, submit_batch, wait_for, wait_height
from wallet.client import NodeClient

SELLER, BUYER = "dealer-munich", "buyer-1"

Step = tuple[str, TransactionBody, tuple[str, ...]]
"""Sender, body, who signs besides."""


@dataclass
class Sale:
    """A car, and what was made of its sale so far."""

    vin: str
    seller: str = SELLER
    listing: bytes = b""
    order: bytes = b""
    payment: bytes = b""


class Raced(NamedTuple):
    """Two transactions that exclude each other, of which one was committed. `node`: the one that the other was sent to;
    `accepted`: whether it took it before it refused it; `answer`: what it says of it."""

    won: str
    lost: str
    lost_raw: bytes
    node: LocalNode
    accepted: bool
    answer: dict[str, Any]


class NetworkSales:
    """Implements `Readable` over the nodes of a running network."""

    def __init__(self, network: LocalNetwork) -> None:
        self.nodes: list[LocalNode] = network.nodes
        self.now = 0
        """Time of the newest block that every node has."""
        self.sales: list[Sale] = []
        self.network = network
        self._fleet = Fleet(genesis_hash(network.genesis))
        self._client = NodeClient([self.nodes[0].url])
        self._pairs = cycle(permutations(self.nodes, 2))
        self._numbers = count(1)
        self.settle(1)

    # --- as a chain ---
    def state(self, family: Any, ident: Any) -> Any:
        raw = self._client.state_value(family.key(ident))
        return None if raw is None else family.decode(raw)

    def settle(self, height: int) -> None:
        """Wait until every node has the block."""
        wait_height(self.nodes, height)
        self.now = time_from_text(self.nodes[0].get("/v1/status")["head"]["time"])

    def sign(self, step: Step) -> bytes:
        name, body, cosigners = step
        return self._fleet.sign(name, body, *cosigners)

    def do(self, steps: Sequence[Step]) -> list[bytes]:
        """Send the steps to one node, and wait until every node has committed them; their txids."""
        results = submit_batch(self.nodes[0], [self.sign(step) for step in steps])
        txids = [result["txid"] for result in results]
        assert {"pending"} == {result["status"] for result in results}, results
        for txid in txids:
            wait_for(lambda txid=txid: status_of(self.nodes[0], txid) != "pending", 20, f"a decision on {txid}")
        places = [self.nodes[0].get(f"/v1/transactions/{txid}") for txid in txids]
        assert {"committed"} == {place["status"] for place in places}, places
        self.settle(max(place["height"] for place in places))
        return [bytes.fromhex(txid) for txid in txids]

    # --- sales ---
    def begin(self, number: int, stage: str, seller: str = SELLER) -> list[Sale]:
        """So many sales of new cars, up to a stage of `STAGES`."""
        found = [Sale(self._fleet.vin(next(self._numbers)), seller) for _ in range(number)]
        self.sales += found
        for name in STAGES[: STAGES.index(stage) + 1]:
            self.step(name, found)
        return found

    def step(self, name: str, sales: list[Sale]) -> None:
        """One more stage for each of the sales."""
        txids = self.do([_STEPS[name](self, sale) for sale in sales])
        kept = {"listed": "listing", "offered": "order", "paying": "payment"}.get(name)
        for sale, txid in zip(sales, txids, strict=True):
            if kept is not None:
                setattr(sale, kept, txid)

    # --- races ---
    def race(self, first: Step, second: Step) -> Raced:
        """Send two transactions at the same moment, each to a node of its own, which take turns. Exactly one has to be
        committed, on every node."""
        raws, pair, ready = [self.sign(first), self.sign(second)], next(self._pairs), Barrier(2)

        def send(node: LocalNode, raw: bytes) -> tuple[int, dict[str, Any]]:
            ready.wait(10)
            return submit(node, raw, "?wait=commit&timeout_ms=15000")

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(send, pair, raws))
        assert [200, 422] == sorted(status for status, _ in answers), answers
        lost = 0 if answers[0][0] == 422 else 1
        won, answer = answers[1 - lost][1], answers[lost][1]
        assert "committed" == won["status"], won
        self.settle(won["height"])
        about = answer["transaction"]
        return Raced(won["txid"], about["txid"], raws[lost], pair[lost], about["accepted"], answer)

    # --- what must be true afterwards ---
    def check_consistent(self) -> None:
        """The nodes have one state root. Title, order and money of every sale fit together, as every node says."""
        height = max(node.height() for node in self.nodes)
        self.settle(height)
        roots = {node.get(f"/v1/blocks/{height}")["header"]["state_root"] for node in self.nodes}
        assert 1 == len(roots), roots
        for sale in self.sales:
            self._check_sale(sale)

    def _check_sale(self, sale: Sale) -> None:
        vehicle, order = self.state(VEHICLE, sale.vin), self.state(ORDER, sale.order) if sale.order else None
        is_sold = order is not None and order.status == "completed"
        assert vehicle.holder == (order.buyer if is_sold else address(sale.seller)), sale
        if order is None:
            return
        assert (vehicle.market.order == sale.order) == (order.status == "accepted"), sale
        payments = [self.state(PAYMENT, ident) for ident in order.payments]
        assert {sale.order} >= {payment.order for payment in payments}, sale
        assert order.net == sum(net_of(payment) for payment in payments) <= order.price.amount, sale
        assert not is_sold or order.net == order.price.amount, sale


_STEPS: dict[str, Callable[[NetworkSales, Sale], Step]] = {
    "born": lambda chain, sale: ("bmw", register(sale.vin, produced_on=PRODUCED_ON), ()),
    "wholesale": lambda chain, sale: ("bmw", transfer(chain, sale.seller, vin=sale.vin), (sale.seller,)),
    "listed": lambda chain, sale: (sale.seller, listing(chain, sale.vin), ()),
    "offered": lambda chain, sale: (BUYER, offer(chain, sale.listing), ()),
    "accepted": lambda chain, sale: accept_step(chain, sale, BUYER),
    "paying": lambda chain, sale: (BUYER, initiate(sale.order), ()),
    "paid": lambda chain, sale: settled_step(chain, sale),
}
STAGES = tuple(_STEPS)


def accept_step(chain: NetworkSales, sale: Sale, *buyer: str) -> Step:
    """`buyer`: signs too, where the contract is made on the premises."""
    return sale.seller, accepting(chain, sale.order), buyer


def settled_step(chain: NetworkSales, sale: Sale, reference: bytes = b"") -> Step:
    """The provider attests that the money has come; its entry's name is the payment's unless another is given."""
    return PROVIDER, attest(chain, sale.payment, reference=reference or sale.payment), ()


def handover_step(chain: NetworkSales, sale: Sale, value: int = 160) -> Step:
    return sale.seller, handing(chain, sale.order, value), (BUYER,)
