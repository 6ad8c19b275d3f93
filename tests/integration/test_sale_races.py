"""Sales on four real processes: of two transactions that exclude each other, sent to two nodes at the same moment,
exactly one is committed, and every node says why the other is not; a node is killed right after it has accepted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request

import pytest
from support.chain import address
from support.commands import PASSPHRASE, Done, process
from support.deals import with_car
from support.life import initiate, offer, terms
from support.network_sales import (
    BUYER,
    SELLER,
    NetworkSales,
    Raced,
    Sale,
    Step,
    accept_step,
    handover_step,
    settled_step,
)
from support.processes import (
    answered,
    check_no_fork,
    free_base_port,
    running_network,
    status_of,
    submit,
    submit_batch,
    wait_for,
)

from node.chain.genesis import genesis_hash
from node.ledger.guards import GUARDS
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.order_family import ORDER
from wallet.txfile import TxDocument, write_document

pytestmark = pytest.mark.network

ROUNDS = 4
"""Races of each kind. After three kinds each node has raced each other one, in both places."""
DEALER = "dealer-shanghai"
"""Buys as a business: the seller's signature alone accepts its offer."""

NO_PORT = 9
WAIT = "?wait=commit&timeout_ms=15000"
Rivals = Iterator[tuple[Step, Step]]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkSales]:
    with running_network(tmp_path_factory.mktemp("market"), consensus__block_interval_min_ms=50) as network:
        yield NetworkSales(network)
        check_no_fork(network)


# --- two that exclude each other ----------------------------------------------------------------------------------
def two_handovers(market: NetworkSales) -> Rivals:
    """With two readings."""
    for sale in market.begin(ROUNDS, "paid"):
        yield handover_step(market, sale, 160), handover_step(market, sale, 161)


def handover_and_cancellation(market: NetworkSales) -> Rivals:
    """Both have signed the handover, and the buyer changes its mind."""
    for sale in market.begin(ROUNDS, "paid"):
        yield handover_step(market, sale), (BUYER, OrderCancel(sale.order, "changed_mind"), ())


def two_buyers(market: NetworkSales) -> Rivals:
    """The seller accepts two offers for one car."""
    sales, trade = market.begin(ROUNDS, "offered"), terms(contract="business")
    orders = market.do([(DEALER, offer(market, sale.listing, terms=trade), ()) for sale in sales])
    for sale, order in zip(sales, orders, strict=True):
        rival = Sale(sale.vin, order=order)
        market.sales.append(rival)
        yield accept_step(market, sale, BUYER), accept_step(market, rival)


def one_car_in_payment_of_two_orders(market: NetworkSales) -> Rivals:
    """The buyer gives the same car in payment of two others; the seller accepts both."""
    traded, sales = market.begin(ROUNDS, "wholesale", DEALER), market.begin(2 * ROUNDS, "listed")
    offers: list[Step] = []
    for sale, car in zip(sales, traded * 2, strict=True):
        agreed = with_car(terms(contract="business"), market, car.vin, 1_000_000, address(SELLER))
        offers.append((DEALER, offer(market, sale.listing, terms=agreed), ()))
    for sale, order in zip(sales, market.do(offers), strict=True):
        sale.order = order
    for one, other in zip(sales[:ROUNDS], sales[ROUNDS:], strict=True):
        yield accept_step(market, one), accept_step(market, other)


def two_payments_of_one_price(market: NetworkSales) -> Rivals:
    """The buyer pays twice."""
    for sale in market.begin(ROUNDS, "accepted"):
        yield (BUYER, initiate(sale.order), ()), (BUYER, initiate(sale.order), ())


def two_attestations_of_one_payment(market: NetworkSales) -> Rivals:
    """Two programs of the provider see the money come, and name two entries."""
    for sale in market.begin(ROUNDS, "paying"):
        yield settled_step(market, sale, sale.payment), settled_step(market, sale, sale.order)


def one_transfer_for_two_payments(market: NetworkSales) -> Rivals:
    """The provider attests one entry for two cars."""
    sales = market.begin(2 * ROUNDS, "paying")
    for one, other in zip(sales[::2], sales[1::2], strict=True):
        yield settled_step(market, one, one.payment), settled_step(market, other, one.payment)


KINDS: dict[Callable[[NetworkSales], Rivals], str] = {
    two_handovers: "order_status", handover_and_cancellation: "order_status", two_buyers: "listing_closed",
    one_car_in_payment_of_two_orders: "market_live", two_payments_of_one_price: "payment_exceeds_price",
    two_attestations_of_one_payment: "attest_sequence", one_transfer_for_two_payments: "reference_used",
}  # fmt: skip
"""Two rivals, and the guard that the one that comes too late meets first."""


@pytest.mark.parametrize("rivals", KINDS, ids=lambda rivals: rivals.__name__)
def test_one_of_two_is_committed_and_the_other_is_told_why(
    market: NetworkSales, rivals: Callable[[NetworkSales], Rivals]
) -> None:
    for one, other in rivals(market):
        check_told(market, market.race(one, other), KINDS[rivals])
    market.check_consistent()


def check_told(market: NetworkSales, raced: Raced, code: str) -> None:
    """Whoever asks which node ever is told the same: who waited, who asks for the status, who sends it again."""
    check_reason(raced.answer, code)
    for node in market.nodes:
        assert "committed" == status_of(node, raced.won)
        wait_for(lambda node=node: status_of(node, raced.lost) != "pending", 10, "the decision")
        found = status_of(node, raced.lost)
        assert found == "rejected" or (found == "unknown" and not (node is raced.node and raced.accepted))
        if found == "rejected":
            german = Request(f"{node.url}/v1/transactions/{raced.lost}", headers={"Accept-Language": "de"})
            check_reason(node.get(f"/v1/transactions/{raced.lost}"), code)
            check_reason(answered(german)[1], code, GUARDS[code].de)
        status, answer = submit(node, raced.lost_raw)
        assert 422 == status
        check_reason(answer, code)


def check_reason(answer: dict, code: str, words: str = "") -> None:
    reason = answer["unmet"][0]
    assert code == reason["code"], answer
    assert (words or GUARDS[code].en) in reason["text"], answer


def test_whose_wallet_comes_too_late_reads_why(market: NetworkSales, tmp_path: Path) -> None:
    """Buyer and seller each send a handover that both have signed, from their own wallet through their own node."""
    [sale] = market.begin(1, "paid")
    files = [tmp_path / "seller.json", tmp_path / "buyer.json"]
    ident = genesis_hash(market.network.genesis)
    for file, value in zip(files, (160, 161), strict=True):
        signed = decode_signed_tx(market.sign(handover_step(market, sale, value)), ident)
        write_document(file, TxDocument(ident, signed.payload_bytes, signed.signatures))

    def send(number: int) -> Done:
        return process(
            "bmw-wallet", "submit", files[number], "--wait", "--accept-old-root", "--node", market.nodes[number].url,
            BMW_WALLET_HOME=str(tmp_path / str(number)), BMW_WALLET_PASSPHRASE=PASSPHRASE,
            BMW_WALLET_GENESIS=str(market.network.genesis_file),
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        won, lost = sorted(pool.map(send, range(2)), key=lambda done: done.code)
    assert (0, 1) == (won.code, lost.code), (won, lost)
    assert "status      committed, proven" in won.out
    assert "order_status" in lost.err and "the order is not in the right state (have: completed" in lost.err
    assert "`bmw-wallet outbox` shows what became of it" in lost.err
    market.check_consistent()


# --- nothing that was accepted is lost ------------------------------------------------------------------------------
@pytest.mark.parametrize("is_alone", [False, True], ids=["linked", "alone"])
def test_a_handover_outlives_the_node_that_accepted_it(market: NetworkSales, is_alone: bool) -> None:
    """Three handovers are accepted by a node that is killed at its answer. The first waits for it. The second is sent
    again through another node; for the third order another handover is sent there. `is_alone`: nobody has heard of them
    when the node is killed."""
    victim, *others = market.nodes
    sales = market.begin(3, "paid")
    waiting, again, late = (market.sign(handover_step(market, sale)) for sale in sales)
    rival = market.sign(handover_step(market, sales[2], 161))
    if is_alone:
        victim.kill()
        victim.start("--peer", f"127.0.0.1:{NO_PORT}", "--p2p-port", str(free_base_port()))
        wait_for(lambda: victim.height() >= 0, 30, "the node answers")
    results = submit_batch(victim, [waiting, again, late])
    victim.kill()
    assert ["pending"] * 3 == [result["status"] for result in results], results
    txids = [result["txid"] for result in results]

    status, answer = submit(others[0], again, WAIT)
    assert (200, "committed", txids[1]) == (status, answer["status"], answer["txid"])
    status, answer = submit(others[1], rival, WAIT)
    assert status == 200 or (status == 422 and not is_alone), answer
    victim.start()
    wait_for(victim.is_ready, 30, "the node is back")
    for node in market.nodes:
        wait_for(lambda node=node: {"committed"} == {status_of(node, t) for t in txids[:2]}, 30, "both are committed")
    wait_for(lambda: status_of(victim, txids[2]) != "pending", 30, "the third is decided")
    if status == 200:
        told = victim.get(f"/v1/transactions/{txids[2]}")
        check_told(market, Raced(answer["txid"], txids[2], late, victim, True, told), "order_status")
    else:
        about = answer["transaction"]
        check_told(market, Raced(txids[2], about["txid"], rival, others[1], about["accepted"], answer), "order_status")
    market.check_consistent()
    assert ["completed"] * 3 == [market.state(ORDER, sale.order).status for sale in sales]
