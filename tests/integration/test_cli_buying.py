"""`bmw-wallet buy`, `order`, `order next` and `order watch`: a purchase as its parties see it, from proven state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.chain import DAY_MS, address
from support.commands import Done
from support.life import PRICE, VIN, Life, listing, offer
from support.wallet_node import HomeWallet, recent_chain, wallet_node

from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.ledger.kinds import fields_of
from node.txtypes.registry import TYPES
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.order import ORDER
from node.views.next_steps import NextSteps, next_steps
from wallet.commands.orders import WORDS

pytestmark = pytest.mark.slow

AGREED = ("--yes", "--expect", f"vin={VIN}", "--expect", "seller=dealer-munich")
DEALER, BUYER, PROVIDER = (to_text(address(name)) for name in ("dealer-munich", "buyer-1", "payment-provider-1"))


def recent(stage: str) -> Life:
    return Life(recent_chain()).to(stage)


def buy(wallet: HomeWallet, life: Life, *options: str) -> Done:
    return wallet("buy", life.listing.hex(), "--from", "buyer-1", *AGREED, *options)


# --- buy ---------------------------------------------------------------------------------------------------------
def test_an_offer_has_the_terms_of_the_listing(tmp_path: Path) -> None:
    life = recent("listed")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1")
        done = buy(wallet, life, "--wait", "--json")
        sent = done.json
        shown = wallet("order", sent["txid"], "--json").json
        assert shown == wallet("order", "show", sent["txid"], "--json").json, "`show` may be left out"
        verified = wallet("order", sent["txid"], "--verify", "--accept-old-root")
        assert 0 == verified.code and "verified at height" in verified.out and "52900.00 EUR" in verified.out
    assert "committed" == sent["status"] and f"offers to buy {VIN} from {DEALER}" in done.err
    for words in (
        "Tax in the price: standard, 19.0 %",
        "these parts: 0: balance 52900.00 EUR by bank_transfer through",
    ):
        assert words in done.err, done.err
    order = life.chain.state(ORDER, bytes.fromhex(sent["txid"]))
    assert ("offered", address("buyer-1"), address("dealer-munich")) == (order.status, order.buyer, order.seller)
    assert (order.price, order.terms.tax) == (PRICE, listing(life.chain).tax)
    (leg,) = order.terms.legs
    assert ("balance", "bank_transfer", address("payment-provider-1"), PRICE.amount, 7 * DAY_MS) == (
        leg.kind, leg.rail, leg.provider, leg.amount, leg.due_ms
    )  # fmt: skip
    assert ("on_premises", 0) == (order.terms.contract, order.terms.cancel_fee)
    assert (sent["txid"], "offered", "52900.00") == (
        shown["id"], shown["status"], f"{int(shown['terms']['price']['amount']) / 100:.2f}"
    )  # fmt: skip


def test_options_of_an_offer(tmp_path: Path) -> None:
    """Another price, with its own tax; another rail, provider, contract and time."""
    life = recent("listed")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1", "bank-1")
        given = ("--price", "51000.00EUR", "--rail", "card", "--provider", "bank-1", "--contract", "distance",
                 "--due", "40", "--expires", "+1d")  # fmt: skip
        sent = buy(wallet, life, *given, "--wait", "--json").json
        order = life.chain.state(ORDER, bytes.fromhex(sent["txid"]))
    (leg,) = order.terms.legs
    assert ("card", address("bank-1"), 5_100_000, 40 * DAY_MS) == (leg.rail, leg.provider, leg.amount, leg.due_ms)
    assert (Money(5_100_000, "EUR"), "distance") == (order.price, order.terms.contract)
    assert (190, 814_286) == (order.terms.tax.rate_permille, order.terms.tax.amount), "19 % of the net price"
    assert order.terms.reserve_ms > leg.due_ms, "the car is reserved until the price is due"
    assert abs(order.expires_at_ms - life.chain.now - DAY_MS) < 10 * 60_000


def test_what_cannot_be_bought_so_is_said_before_anything_is_signed(tmp_path: Path) -> None:
    life = recent("listed")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1")
        for options, words in (
            (("--rail", "bitcoin"), ("the seller accepts bank_transfer, card, finance", "not bitcoin")),
            (("--rail", "trade_in"), ("not trade_in",)),
            (("--price", "cheap"), ("cheap",)),
            (("--provider", "nobody"), ("nobody",)),
        ):  # fmt: skip
            refused = buy(wallet, life, *options)
            assert 2 == refused.code and all(word in refused.err for word in words), (options, refused.err)
        absent = wallet("buy", "ab" * 32, "--from", "buyer-1", *AGREED)
        assert 2 == absent.code and f"no listing {'ab' * 32}" in absent.err
        unasked = wallet("buy", life.listing.hex(), "--from", "buyer-1")
        assert 2 == unasked.code and "--expect NAME=VALUE" in unasked.err and "52900.00 EUR" in unasked.err
        buy(wallet, life, "--expect", "price=50000.00EUR").refused(1, "not_expected", "52900.00 EUR")
        tried = buy(wallet, life, "--dry-run")
        assert 0 == tried.code and "valid now" in tried.out, tried.err
        assert 0 == node.submitted


# --- order next --------------------------------------------------------------------------------------------------
def waits(wallet: HomeWallet, life: Life) -> tuple[str, dict[str, dict]]:
    """(status, steps by type) of the order."""
    shown = wallet("order", "next", life.order.hex(), "--json").json
    assert shown["verified"], "computed here, from proven values"
    return shown["status"], {step["type"]: step for step in shown["steps"]}


def test_each_stage_says_who_is_to_do_what_by_when(tmp_path: Path) -> None:
    """The same chain, and a node that serves it as it is after each step."""
    life = recent("listed")
    chain = life.chain

    def offered() -> None:
        life.order = chain.do("buyer-1", offer(chain, life.listing))

    steps = []
    for number, act in enumerate((offered, life.accepted, life.paying, life.paid, life.handed_over)):
        act()
        (home := tmp_path / str(number)).mkdir()
        with wallet_node(life.chain) as node:
            wallet = HomeWallet(home, node)
            steps.append((waits(wallet, life), wallet("order", "next", life.order.hex()).out))
    asked, accepted, paying, paid, completed = steps
    order = chain.state(ORDER, life.order)

    (status, by_type), text = asked
    assert ("offered", {"order.accept", "order.counter", "order.reject"}) == (status, set(by_type))
    assert all([DEALER] == step["by"] and step["until"] for step in by_type.values())
    assert text.startswith("offered\n") and "seller: accept the terms, until " in text and "(order.accept)" in text
    assert 3 == text.count("\n    otherwise: The offer lapses, and nobody owes anything.\n")
    assert "verified at height" in text

    (status, by_type), text = accepted
    assert ("accepted", {"payment.initiate"}) == (status, set(by_type))
    pay = by_type["payment.initiate"]
    assert ([BUYER], 0, {"amount": "5290000", "currency": "EUR"}) == (pay["by"], pay["leg"], pay["amount"])
    assert "buyer: pay 52900.00 EUR for part 0, until " in text

    (status, by_type), text = paying
    assert ("accepted", [PROVIDER]) == (status, by_type["payment.attest"]["by"])
    assert "payment-provider-1: attest the payment 52900.00 EUR for part 0" in text, "a provider by its proven name"

    (status, by_type), text = paid
    assert ("accepted", {"order.handover"}) == (status, set(by_type))
    assert {DEALER, BUYER} == set(by_type["order.handover"]["by"])
    assert "seller or buyer: sign the handover together, until " in text

    (status, by_type), text = completed
    assert ("completed", {}) == (status, by_type) and "Nothing is waited for." in text
    assert "completed" == order.status


def test_a_debt_is_waited_for_after_the_end(tmp_path: Path) -> None:
    life = recent("paid")
    life.chain.do("buyer-1", OrderCancel(life.order, "changed_mind"))
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node)
        status, by_type = waits(wallet, life)
        text = wallet("order", "next", life.order.hex()).out
    assert "unwinding" == status
    assert ([DEALER], [BUYER]) == (by_type["payment.refund"]["by"], by_type["payment.confirm_refund"]["by"])
    assert by_type["order.claim_refund"]["from"] == by_type["payment.refund"]["until"]
    assert "seller: give the money back 52900.00 EUR, until " in text
    assert "buyer: claim the refund 52900.00 EUR, from " in text


def test_an_order_that_is_not_there_and_a_node_that_lies(tmp_path: Path) -> None:
    life = recent("offered")

    def other(answer: dict) -> dict:
        for entry in answer.get("entries", ()):
            if entry["value"] and entry["key"].startswith("order/"):
                raw = bytearray.fromhex(entry["value"])
                raw[-1] ^= 1
                entry["value"] = raw.hex()
        return answer

    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node)
        wallet("order", "next", "ab" * 32).refused(1, "it is proven that there is no order", "ab" * 32)
        wallet("order", "ab" * 32).refused(1, "ab" * 32)
        assert 2 == wallet("order", "next", "5f1c").code, "an id has 64 hexadecimal digits"
        node.lies["/v1/state"] = other
        for command in ("next", "watch"):
            wallet("order", command, life.order.hex()).refused(1, "invalid_proof")


def test_every_step_has_words() -> None:
    """A step that the chain names and the wallet has no words for would end `order next`."""
    source = Path(sys.modules[next_steps.__module__].__file__ or "").read_text("utf-8")
    named = {tag for tag in TYPES if f'"{tag}"' in source}
    assert named <= set(WORDS) <= set(TYPES)
    assert {"order.handover", "payment.initiate", "order.return"} <= named
    assert {field.json_name for field in fields_of(NextSteps)} == {"order", "status", "steps"}


# --- order watch -------------------------------------------------------------------------------------------------
def test_watching_prints_each_change_until_nothing_is_waited_for(tmp_path: Path) -> None:
    life = recent("offered")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1")
        program = Path(sys.executable).with_name("bmw-wallet")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BMW_")} | wallet.settings
        command = [program, "order", "watch", life.order.hex(), "--json", "--timeout", "20"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            first = json.loads(watching.stdout.readline())
            assert ("offered", "order.accept") == (first["status"], first["steps"][0]["type"])
            left = ("tx", "order.cancel", "--order", life.order.hex(), "--reason", "changed_mind", "--from", "buyer-1")
            facts = {"vin": VIN, "price": "52900.00EUR", "seller": "dealer-munich", "buyer": "buyer-1",
                     "seller_keeps": "0.00EUR", "goes_back": "0.00EUR"}  # fmt: skip
            expected = [word for name, value in facts.items() for word in ("--expect", f"{name}={value}")]
            assert 0 == wallet(*left, "--yes", *expected, "--wait").code
            rest = [json.loads(line) for line in watching.stdout]
            assert 0 == watching.wait(30)
    assert [("cancelled", [])] == [(entry["status"], entry["steps"]) for entry in rest], "each change once"


def test_watching_gives_up(tmp_path: Path) -> None:
    life = recent("offered")
    with wallet_node(life.chain) as node:
        done = HomeWallet(tmp_path, node)("order", "watch", life.order.hex(), "--timeout", "1")
    assert 3 == done.code and "the order still waits after 1 s" in done.err
    assert 1 == done.out.count("offered\n"), "what has not changed is printed once"


def test_an_order_that_has_ended_is_shown_once(tmp_path: Path) -> None:
    life = recent("handed_over")
    with wallet_node(life.chain) as node:
        done = HomeWallet(tmp_path, node)("order", "watch", life.order.hex(), "--timeout", "30")
    assert (0, "completed\n  Nothing is waited for.\n") == (done.code, done.out)
