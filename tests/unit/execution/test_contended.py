"""What a pending transaction depends on: the state keys that judging it has read, quota and replay window aside."""

from __future__ import annotations

import pytest
from support.chain import HOUR_MS, address
from support.life import VIN, Life, accept, accident, handover, maintenance, offer, register
from support.ordering import BUYER, SELLER, counter, initiate
from support.stages import at
from support.walk import Walk

from node.errors import Malformed
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.delivery import DeliveryEvent


def account(name: str) -> str:
    return f"account/{address(name).hex()}"


def member(name: str) -> str:
    return f"member/{address(name).hex()}"


def needs(life: Life, sender: str, body, *cosigners: str) -> set[str]:
    return life.chain.contended(life.chain.sign(sender, body, *cosigners))


def test_a_record_depends_on_its_car_and_its_author() -> None:
    life = at("born")
    assert {
        "chain/params", account("workshop-berlin"), member("workshop-berlin"), f"vehicle/{VIN}", f"odometer/{VIN}",
        f"conduct/{address('workshop-berlin').hex()}",
    } == needs(life, "workshop-berlin", maintenance(life.chain))  # fmt: skip


def test_what_is_not_there_counts_too() -> None:
    """A second registration of the car makes the first invalid."""
    assert f"vehicle/{VIN}" in needs(at(""), "bmw", register())


def test_a_handover_depends_on_its_car_its_money_and_both_parties() -> None:
    life = at("paid")
    found = needs(life, SELLER, handover(life.chain, life.order), BUYER)
    assert {
        f"order/{life.order.hex()}", f"vehicle/{VIN}", f"odometer/{VIN}", f"payment/{life.payment.hex()}",
        account(SELLER), account(BUYER), member(SELLER), "chain/params", "frauds/all",
    } == found  # fmt: skip


def test_an_acceptance_depends_on_what_was_shown() -> None:
    life = at("offered")
    found = needs(life, SELLER, accept(life.chain, life.order), BUYER)
    assert {
        f"order/{life.order.hex()}", f"listing/{life.listing.hex()}", f"vehicle/{VIN}", member("payment-provider-1"),
    } <= found  # fmt: skip


def test_an_offer_depends_on_the_orders_that_count_against_its_bound() -> None:
    life = at("offered")
    found = needs(life, BUYER, offer(life.chain, life.listing))
    assert {f"live-offers/{address(BUYER).hex()}", f"order/{life.order.hex()}"} <= found


@pytest.mark.parametrize("seed", range(4))
def test_quota_and_window_never_are_among_them(seed: int) -> None:
    """They change with every block, and only carrying out asks for them."""
    assert {"quota", "window"} == {name for name, family in FAMILIES.items() if not family.contended}
    walk = Walk(seed)
    seen = set()
    for _ in range(25):
        for _ in range(2):
            try:
                found = walk.chain.contended(walk._made(*walk._step()).raw)
            except Malformed:
                continue
            families = {key.partition("/")[0] for key in found}
            assert not families & {"quota", "window"}
            seen |= families
        for _ in walk.blocks(1):
            pass
    assert {"account", "member", "vehicle", "odometer", "chain"} <= seen


def test_a_run_that_records_nothing_says_nothing() -> None:
    life = at("paid")
    tx = life.chain.check(life.chain.sign(SELLER, handover(life.chain, life.order), BUYER))
    ledger = life.chain.run().judge(tx)
    assert ((), None) == (ledger.contended, ledger.reads)


def test_carrying_out_adds_nothing_to_what_judging_has_read() -> None:
    life = at("paid")
    tx = life.chain.check(life.chain.sign(SELLER, handover(life.chain, life.order), BUYER))
    run = life.chain.run(records_reads=True)
    assert run.judge(tx).contended == run.carry_out(tx).contended


def test_a_judgement_after_a_change_records_anew() -> None:
    life = at("accepted")
    body = DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now, None)
    raw = life.chain.sign(SELLER, body, lifetime_ms=HOUR_MS)
    before = life.chain.contended(raw)
    life.chain.do(BUYER, initiate(life))
    assert before == life.chain.contended(raw)
    handing = life.chain.sign(SELLER, handover(life.chain, life.order), BUYER)
    (payment,) = {key for key in life.chain.contended(handing) if key.startswith("payment/")}
    second = life.chain.do("police-1", accident(life.chain, 170))
    assert second and payment in life.chain.contended(handing)


def test_a_key_is_noted_once_and_in_order_of_reading() -> None:
    life = at("offered")
    run = life.chain.run(records_reads=True)
    tx = life.chain.check(life.chain.sign(SELLER, counter(life)))
    found = run.judge(tx).contended
    assert len(found) == len(set(found))
    assert found == life.chain.run(records_reads=True).judge(tx).contended
