"""What the wallet lists about a party: proposals with the power of their votes, cars, orders; and what it computes."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from support.chain import address
from support.governing import CHANGE, power, propose, vote
from support.life import Life, register
from support.specimens import specimen
from support.wallet_node import HomeWallet, WalletNode, recent_chain, wallet_node

from node.crypto.addresses import to_text
from node.crypto.hashing import commitment

pytestmark = pytest.mark.slow

VIN = "WBA8E9G50GNU12345"


@pytest.fixture(scope="module")
def life() -> Life:
    """A car was delivered and not yet handed over; its manufacturer has another one."""
    chain = recent_chain()
    life = Life(chain)
    life.to("accepted")
    chain.do("dealer-munich", specimen("delivery.schedule", chain, {"order": life.order}))
    life.paying(), life.paid(), life.delivered()
    chain.do("bmw", register("WBA8E9G50GNU12346"))
    return life


@pytest.fixture(scope="module")
def node(life: Life) -> Iterator[WalletNode]:
    with wallet_node(life.chain) as started:
        yield started


@pytest.fixture
def wallet(node: WalletNode, tmp_path: Path) -> HomeWallet:
    node.lies.clear()
    return HomeWallet(tmp_path, node)


# --- governance ---
def test_proposals_by_status_with_powers_and_threshold(wallet: HomeWallet, node: WalletNode, life: Life) -> None:
    chain = life.chain
    waiting = propose(chain, CHANGE).hex()
    refused = propose(chain, power("dealer-munich", 9))
    assert "refused" == vote(chain, refused, "dealer-munich", "workshop-berlin", approve=False)
    carried = propose(chain, power("dealer-munich", 11))
    assert "carried_out" == vote(chain, carried, "dealer-munich", "workshop-berlin")
    by_status = {"open": waiting, "refused": refused.hex(), "carried_out": carried.hex()}
    for status, ident in by_status.items():
        for verify in ((), ("--verify",)):
            (shown,) = wallet("proposals", "--status", status, "--json", *verify).json["proposals"]
            assert (ident, status, "bmw") == (shown["id"], shown["status"], shown["proposer_name"])
    for status in ("failed", "expired"):
        assert {"proposals": []} == wallet("proposals", "--status", status, "--json", "--verify").json
    assert "10 of 41 power, 28 needed" in wallet("proposals").out
    lied = {"yes_power": 40, "action": {"type": "parameter.set", "name": "block_txs_max", "value": 5}}
    node.lies["/v1/proposals"] = lambda answer: answer | {"proposals": [p | lied for p in answer["proposals"]]}
    assert "40 of 41" in wallet("proposals").out, "the node lies"
    proven = wallet("proposals", "--verify").out
    assert "10 of 41 power, 28 needed" in proven and "value 100" in proven
    shown = wallet("proposal", waiting, "--json").json
    assert (10, 0, 28, 41, "open", 100) == (
        *(shown[name] for name in ("yes_power", "no_power", "needed_power", "total_power", "status")),
        shown["action"]["value"],
    )
    assert shown["verified"]["height"] == chain.store.height()
    assert "(bmw)" in wallet("proposal", waiting).out
    wallet("proposal", "ab" * 32).refused(1, "proven that there is no proposal")


# --- cars and orders ---
def test_cars_and_orders_of_an_account_are_proven(wallet: HomeWallet, node: WalletNode, life: Life) -> None:
    wallet.has("bmw", "dealer-munich", "buyer-1")
    assert {VIN, "WBA8E9G50GNU12346"} == {car["vin"] for car in wallet("cars", "--json").json["cars"]}
    held = wallet("cars", "dealer-munich")
    assert VIN in held.out and "GNU12346" not in held.out and "verified at height" in held.out
    for verify in ((), ("--verify",)):
        account = wallet("account", "buyer-1", "--json", *verify).json
        assert [] == account["cars"]
        price = {"amount": "5290000", "currency": "EUR"}
        assert [{"id": life.order.hex(), "vin": VIN, "status": "accepted", "price": price}] == account["orders"]
        assert [VIN] == [car["vin"] for car in wallet("account", "dealer-munich", "--json", *verify).json["cars"]]
    foreign = {"vehicles": [{"vin": VIN, "holder": to_text(address("buyer-1"))}], "cursor": None}
    node.lies[f"/v1/accounts/{to_text(address('buyer-1'))}/vehicles"] = lambda _: foreign
    assert [] == wallet("cars", "buyer-1", "--json").json["cars"], "the node lies"
    node.lies[f"/v1/accounts/{to_text(address('buyer-1'))}/vehicles"] = lambda _: {"vehicles": [{"vin": "/../x"}]}
    wallet("cars", "buyer-1").refused(1, "VIN")
    node.lies.clear()
    assert 0 == wallet("key", "new", "no-account-yet").code
    assert 0 == wallet("cars").code


def test_an_orders_amounts_are_money_for_people(wallet: HomeWallet, life: Life) -> None:
    for verify in ((), ("--verify",)):
        shown = wallet("order", life.order.hex(), *verify)
        assert "amount 52900.00 EUR" in shown.out and "5290000" not in shown.out, shown.out
    (leg,) = wallet("order", life.order.hex(), "--json").json["terms"]["legs"]
    assert 5_290_000 == leg["amount"]


# --- computed ---
def test_commitments_and_references_are_computed_by_the_wallet(wallet: HomeWallet, tmp_path: Path) -> None:
    made = wallet("ref", "commitment", "invoice", "2026-1", "--json").json
    salt = bytes.fromhex(made["salt"])
    assert commitment("invoice", salt, b"2026-1").hex() == made["commitment"]
    again = wallet("ref", "commitment", "invoice", "2026-1", "--salt", made["salt"], "--json").json
    assert made == again
    assert made["salt"] != wallet("ref", "commitment", "invoice", "2026-1", "--json").json["salt"]
    assert 2 == wallet("ref", "payment", "de89-1").code, "the entry of an account can be guessed"
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 32)
    keyed = hmac.digest(b"s" * 32, b"DE89-1", "sha256").hex()
    for told in ("DE89-1", "de89-1", " DE89-1 "):
        assert {"entry": keyed} == wallet("ref", "payment", "--secret-file", secret, told, "--json").json
    secret.write_bytes(b"short")
    wallet("ref", "payment", "--secret-file", secret, "DE89-1").refused(3, "32")
    for wrong in ("00" * 31, "x" * 64):
        assert 2 == wallet("ref", "commitment", "invoice", "1", "--salt", wrong).code
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF")
    digest = sha256(b"%PDF").hexdigest()
    assert f"sha256={digest},size=4,media_type=application/pdf\n" == wallet("ref", "document", file).out
    assert digest == wallet("ref", "document", file, "--json").json["sha256"]
    wallet("ref", "document", tmp_path / "none").refused(3, "none")
