"""`bmw-wallet buy`, `order`, `order next` and `order watch`: a purchase as its parties see it, from proven state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.commands import Done
from support.life import PRICE, VIN, Life, listing, offer
from support.specimens import specimen
from support.wallet_node import HomeWallet, recent_chain, wallet_node

from node.codec import encode
from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.ledger.kinds import fields_of
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.listing import Listing
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import Payment
from node.txtypes.vehicle.vehicle import Vehicle
from node.views.next_steps import NextSteps, next_steps
from wallet.commands.orders import WORDS

pytestmark = pytest.mark.slow

AGREED = ("--yes", "--expect", f"vin={VIN}", "--expect", "seller=dealer-munich")
AT_ITS_PRICE = ("--expect", "price=52900.00EUR")
DEALER, BUYER, PROVIDER = (to_text(address(name)) for name in ("dealer-munich", "buyer-1", "payment-provider-1"))


def recent(stage: str) -> Life:
    return Life(recent_chain()).to(stage)


def buy(wallet: HomeWallet, life: Life, *options: str) -> Done:
    """At the listing's price, unless the options name one."""
    named = () if "--price" in options or any(o.startswith("price=") for o in options) else AT_ITS_PRICE
    return wallet("buy", life.listing.hex(), "--from", "buyer-1", *AGREED, *named, *options)


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
        absent = wallet("buy", "ab" * 32, "--from", "buyer-1", *AGREED, *AT_ITS_PRICE)
        assert 2 == absent.code and f"no listing {'ab' * 32}" in absent.err
        unasked = wallet("buy", life.listing.hex(), "--from", "buyer-1")
        assert 2 == unasked.code and "--expect NAME=VALUE" in unasked.err and "52900.00 EUR" in unasked.err
        unpriced = wallet("buy", life.listing.hex(), "--from", "buyer-1", *AGREED)
        assert 2 == unpriced.code and "--expect price=VALUE" in unpriced.err, "a seller may have raised it meanwhile"
        buy(wallet, life, "--expect", "price=50000.00EUR").refused(1, "not_expected", "52900.00 EUR")
        tried = buy(wallet, life, "--dry-run")
        assert 0 == tried.code and "valid now" in tried.out, tried.err
        assert 0 == node.submitted


# --- a node that lies --------------------------------------------------------------------------------------------
LIAR = address("dealer-shanghai")
SOLD = ("listing", "order", "payment", "vehicle")


def told_otherwise(entry: dict[str, Any]) -> None:
    """Another price, counterparty, title, provider or amount, in a value that decodes as well as the true one."""
    family = FAMILIES[entry["key"].partition("/")[0]]
    value = family.decode(bytes.fromhex(entry["value"]))
    high = Money(9_999_900, "EUR")
    match value:
        case Listing():
            rails = tuple(replace(accepted, providers=(address("bank-1"),)) for accepted in value.rails[:2])
            value = replace(value, price=high, rails=rails)
        case Order():
            [leg] = value.terms.legs
            terms = replace(value.terms, price=high, legs=(replace(leg, amount=high.amount),))
            value = replace(value, seller=LIAR, terms=terms)
        case Payment():
            value = replace(value, amount=high, provider=LIAR)
        case Vehicle():
            value = replace(value, holder=LIAR, record_count=77)
    entry["value"] = encode(value).hex()


def lying_about(*families: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The lie about these values, in answers with proofs and without."""

    def lie(answer: dict[str, Any]) -> dict[str, Any]:
        for entry in answer.get("entries", [answer]):
            if entry.get("value") and entry["key"].startswith(families):
                told_otherwise(entry)
        return answer

    return lie


def test_a_lie_without_a_proof_changes_nothing_of_what_is_bought(tmp_path: Path) -> None:
    """A node once told another price to the wallet that put the terms together than to the one that proved them, and a
    program signed them."""
    life = recent("listed")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1")
        disclosed = buy(wallet, life, "--dry-run").err.partition("The transaction:")[0]
        assert disclosed.startswith(f"Disclosed: {VIN}, 3 records, 0 accidents")
        for path in ("/v1/state/", "/v1/listings", "/v1/vehicles", "/v1/orders"):
            node.lies[path] = lying_about(*SOLD) if path == "/v1/state/" else lambda answer: {"price": 7}
        done = buy(wallet, life, "--wait", "--json")
        order = life.chain.state(ORDER, bytes.fromhex(done.json["txid"]))
        assert disclosed == done.err.partition("The transaction:")[0]
    [leg] = order.terms.legs
    assert (PRICE, address("dealer-munich"), VIN) == (order.price, order.seller, order.vin)
    assert ("bank_transfer", address("payment-provider-1"), PRICE.amount) == (leg.rail, leg.provider, leg.amount)


def test_an_offer_at_a_price_that_is_no_more_is_refused(tmp_path: Path) -> None:
    """A node that proves first what was true, then what is: nobody buys at the old price."""
    life, kept = recent("listed"), list[dict[str, Any]]()
    with wallet_node(life.chain) as node:
        node.lies["/v1/state"] = lambda answer: kept.append(answer) or answer
        assert 0 == buy(HomeWallet(tmp_path, node).has("buyer-1"), life, "--dry-run").code
    lower = specimen("listing.update", life.chain, {"listing": life.listing})
    life.chain.do("dealer-munich", lower)
    first = next(n for n, answer in enumerate(kept) if answer["entries"][0]["key"].startswith("member/")) + 1
    with wallet_node(life.chain) as node:
        (home := tmp_path / "late").mkdir()
        wallet, old = HomeWallet(home, node).has("buyer-1"), kept[:first]
        node.lies["/v1/state"] = lambda answer: old.pop(0) if old else answer
        refused = buy(wallet, life)
    assert not old and "price                 52900.00 EUR" in refused.err, refused.err
    assert 1 == refused.code and "listing_version: " in refused.err and "the listing has changed" in refused.err


def test_what_is_proven_otherwise_is_neither_shown_nor_signed(tmp_path: Path) -> None:
    """Price, counterparty, title, provider, amount of a payment."""
    life = recent("paying")
    order = life.order.hex()
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1", "dealer-munich")
        commands = {
            ("order", "next", order): ("order", "payment"),
            ("order", "watch", order, "--timeout", "1"): ("order", "payment"),
            ("buy", life.listing.hex(), "--from", "buyer-1", *AGREED, *AT_ITS_PRICE): ("listing", "vehicle"),
            ("tx", "order.handover", "--order", order, "--odometer", "160km", "--from", "dealer-munich", "--cosign",
             "buyer-1", *AGREED): ("order", "vehicle", "payment"),
            ("tx", "order.cancel", "--order", order, "--reason", "changed_mind", "--from", "buyer-1", *AGREED):
                ("order", "vehicle", "payment"),
        }  # fmt: skip
        for command, families in commands.items():
            for family in families:
                node.lies["/v1/state"] = lying_about(family)
                wallet(*command).refused(1, "invalid_proof")
        node.lies.clear()
        honest = wallet("order", "next", order)
        assert 0 == honest.code
        node.lies |= {path: lambda answer: {"price": 7} for path in ("/v1/state/", "/v1/orders", "/v1/payments")}
        assert honest == wallet("order", "next", order)
        assert 0 == node.submitted, "nothing was signed"


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
