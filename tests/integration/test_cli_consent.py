"""Nobody signs blind: what the wallet shows comes from proven state, and a program signs only what it expects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chain import Chain, address
from support.governing import CHANGE, propose
from support.life import Life, accident, attest, offer, terms
from support.wallet_node import HomeWallet, WalletNode, recent_chain, wallet_node

from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.ledger.json_form import to_json
from node.txtypes.chain.governance import PROPOSAL
from node.txtypes.sale.negotiation import OrderCounter
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, material_root

pytestmark = pytest.mark.slow

VIN = "WBA8E9G50GNU12345"
SALE = {
    "vin": VIN, "price": "92900.00EUR", "seller": "dealer-munich", "buyer": "buyer-1", "title_to": "buyer-1",
    "trade_in_vin": "",
}  # fmt: skip
ACCEPTED = SALE | {"kept_if_buyer_leaves": "0.00EUR"}
HANDED_OVER = SALE | {"goes_back": "0.00EUR"}


def expected(values: dict[str, str]) -> list[str]:
    return ["--yes", *(word for name, value in values.items() for word in ("--expect", f"{name}={value}"))]


@pytest.fixture(scope="module")
def sale() -> tuple[Chain, Life]:
    """A counter-offer of 92,900 EUR waits for the buyer, who would buy at a distance and so signs alone."""
    chain = recent_chain()
    life = Life(chain).to("listed")
    life.order = chain.do("buyer-1", offer(chain, life.listing, terms=terms(contract="distance")))
    countered = terms(Money(9_290_000, "EUR"), contract="distance")
    chain.do("dealer-munich", OrderCounter(life.order, 0, countered, chain.now + 5 * 86_400_000))
    return chain, life


@pytest.fixture(scope="module")
def node(sale: tuple[Chain, Life]) -> Iterator[WalletNode]:
    with wallet_node(sale[0]) as started:
        yield started


@pytest.fixture
def wallet(node: WalletNode, tmp_path: Path) -> HomeWallet:
    node.lies.clear()
    return HomeWallet(tmp_path, node).has("buyer-1", "dealer-munich")


def cheap(answer: dict) -> dict:
    """The lie of a node about a price."""
    return answer | {"terms": answer["terms"] | {"price": {"amount": "5290000", "currency": "EUR"}}}


def other_value(answer: dict) -> dict:
    """The lie of a node about the value of an order; also asked for a single value, unproven."""
    for entry in answer.get("entries", ()):
        if entry["value"] and entry["key"].startswith("order/"):
            raw = bytearray.fromhex(entry["value"])
            raw[-1] ^= 1
            entry["value"] = raw.hex()
    return answer


def test_an_acceptance_shows_the_proven_price_and_is_signed_only_as_expected(
    wallet: HomeWallet, node: WalletNode, sale: tuple[Chain, Life]
) -> None:
    chain, life = sale
    accept = ("tx", "order.accept", "--order", life.order.hex(), "--from", "buyer-1")
    node.lies["/v1/orders/"] = cheap
    assert "52900.00" in wallet("order", life.order.hex()).out, "the node lies about the price"
    unasked = wallet(*accept)
    assert 2 == unasked.code and "--expect NAME=VALUE" in unasked.err
    assert "92900.00 EUR" in unasked.err and "52900.00" not in unasked.err
    for text in (
        VIN, "330I", f"{to_text(address('dealer-munich'))} (dealer-munich, your key dealer-munich)",
        f"{to_text(address('buyer-1'))} (no member, your key buyer-1)", "The car is reserved for",
    ):  # fmt: skip
        assert text in unasked.err, (text, unasked.err)
    bare = wallet(*accept, "--yes")
    assert 2 == bare.code
    assert all(f"--expect {name}=VALUE" in bare.err for name in ACCEPTED), bare.err
    for name, value, words in (
        ("price", "52900.00EUR", ("92900.00 EUR", "52900.00EUR")),
        ("vin", "WBA8E9G50GNU99999", (VIN,)),
        ("seller", "bmw", ("dealer-munich",)),
        ("buyer", "dealer-munich", ("no member",)),
    ):  # fmt: skip
        wallet(*accept, *expected(ACCEPTED | {name: value})).refused(1, "not_expected", name, *words)
    for name in ACCEPTED:
        partly = {other: value for other, value in ACCEPTED.items() if other != name}
        assert 2 == wallet(*accept, *expected(partly)).code, f"{name} is not given"
    for name, value in (("prise", "1"), ("price", "cheap"), ("until", "soon")):
        assert 2 == wallet(*accept, *expected(ACCEPTED | {name: value})).code, name
    wallet(*accept, *expected(ACCEPTED), "--expect", "price=1.00EUR").refused(1, "not_expected")
    assert (0, "countered") == (node.submitted, chain.state(ORDER, life.order).status), "nothing was signed"
    done = wallet(*accept, *expected(ACCEPTED), "--wait", "--json").json
    assert ("committed", "accepted") == (done["status"], chain.state(ORDER, life.order).status)


def test_a_lie_about_the_state_itself_signs_nothing(
    wallet: HomeWallet, node: WalletNode, sale: tuple[Chain, Life]
) -> None:
    node.lies["/v1/state"] = other_value
    before = node.submitted
    order = sale[1].order.hex()
    for command in (
        ("tx", "order.accept", "--order", order, "--round", "1", "--material-root", "ab" * 32, "--from", "buyer-1"),
        ("tx", "order.handover", "--order", order, "--odometer", "160km", "--material-root", "ab" * 32, "--from",
         "dealer-munich", "--dry-run", "--cosign", "buyer-1"),
    ):  # fmt: skip
        wallet(*command, *expected(ACCEPTED)).refused(1, "invalid_proof")
    nothing = ("--order", "ab" * 32, "--round", "0", "--material-root", "ab" * 32)
    wallet("tx", "order.accept", *nothing, "--from", "buyer-1", *expected(ACCEPTED)).refused(1, "ab" * 32)
    assert before == node.submitted


def test_a_cosigner_sees_the_sale_behind_the_handover_of_another(
    wallet: HomeWallet, sale: tuple[Chain, Life], tmp_path: Path
) -> None:
    file = tmp_path / "handover.json"
    making = ("tx", "order.handover", "--order", sale[1].order.hex(), "--odometer", "160km", "--from", "dealer-munich",
              "-o", file)  # fmt: skip
    assert 2 == wallet(*making).code and not file.exists()
    assert 0 == wallet(*making, *expected(HANDED_OVER)).code
    file.write_text(json.dumps(json.loads(file.read_text()) | {"summary": {"price": "1.00 EUR"}}))
    before = file.read_bytes()
    cosign = ("cosign", file, "--from", "buyer-1")
    shown = wallet(*cosign)
    assert 2 == shown.code
    for text in ("92900.00 EUR", VIN, "160 km (cluster)", "dealer-munich", "The title of", "for good"):
        assert text in shown.err, (text, shown.err)
    whole = HANDED_OVER | {"type": "order.handover", "odometer": "160km"}
    assert 2 == wallet(*cosign, *expected(HANDED_OVER)).code, "type and odometer come from a file of another party"
    wallet(*cosign, *expected(whole | {"odometer": "61km"})).refused(1, "odometer is 160 km")
    wallet(*cosign, *expected(whole | {"type": "order.cancel"})).refused(1, "order.handover")
    assert before == file.read_bytes()
    assert 0 == wallet(*cosign, *expected(whole)).code
    assert 2 == len(json.loads(file.read_text())["signatures"])


def test_what_is_expected_is_compared_also_where_nobody_would_ask(wallet: HomeWallet, sale: tuple[Chain, Life]) -> None:
    listing, before = sale[1].listing.hex(), sale[0].store.height()
    offering = ("tx", "order.offer", "--listing", listing, "--terms", json.dumps(to_json(terms())), "--expires-at",
                "+1d", "--from", "buyer-1")  # fmt: skip
    wallet(*offering, *expected({"vin": "WBA8E9G50GNU99999"})).refused(1, "not_expected", VIN)
    assert before == sale[0].store.height()


def test_a_step_of_a_deal_is_shown_also_where_nobody_is_asked(tmp_path: Path) -> None:
    """A provider that attests sees the car, the price and who deals, and a lie about them signs nothing."""
    chain = recent_chain()
    life = Life(chain).to("paying")
    body = tmp_path / "attest.json"
    body.write_text(json.dumps(to_json(attest(chain, life.payment))))
    with wallet_node(chain) as node:
        wallet = HomeWallet(tmp_path, node).has("payment-provider-1")
        attesting = ("tx", "payment.attest", "--body", body, "--from", "payment-provider-1")
        node.lies["/v1/state"] = other_value
        wallet(*attesting).refused(1, "invalid_proof")
        node.lies.clear()
        assert 0 == node.submitted
        done = wallet(*attesting, "--wait")
        assert 0 == done.code, done.err
    seller, buyer = (to_text(address(name)) for name in ("dealer-munich", "buyer-1"))
    for text in (VIN, "52900.00 EUR", f"{seller} (dealer-munich)", f"{buyer} (no member)", "proven at height"):
        assert text in done.err, (text, done.err)


def test_a_block_that_is_old_proves_nothing_about_now(tmp_path: Path) -> None:
    """A node that withholds newer blocks could prove what was true before them."""
    chain = recent_chain()
    chain.now -= 15 * 60_000
    life = Life(chain).to("offered")
    with wallet_node(chain) as node:
        wallet = HomeWallet(tmp_path, node).has("dealer-munich")
        accept = ("tx", "order.accept", "--order", life.order.hex(), "--from", "dealer-munich")
        sale = ACCEPTED | {"price": "52900.00EUR"}
        wallet(*accept, *expected(sale)).refused(3, "15 minutes old", "name another node")
        assert 0 == node.submitted


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_a_person_is_asked_on_a_terminal(sale: tuple[Chain, Life], tmp_path: Path, answer: str, code: int) -> None:
    chain = recent_chain()
    life = Life(chain).to("offered")
    with wallet_node(chain) as node:
        wallet = HomeWallet(tmp_path, node).has("dealer-munich", "buyer-1")
        accept = ("tx", "order.accept", "--order", life.order.hex(), "--from", "dealer-munich", "--cosign", "buyer-1")
        question = "Sign this with dealer-munich, buyer-1?"
        done, shown = wallet.on_a_terminal(*accept, question=question, answer=answer)
        assert code == done, shown
        assert shown.index("52900.00 EUR") < shown.index("Sign this with")
        assert (1 - code) == node.submitted


def test_a_vote_shows_the_proven_action(wallet: HomeWallet, node: WalletNode, sale: tuple[Chain, Life]) -> None:
    chain = sale[0]
    proposal = propose(chain, CHANGE)
    vote = ("tx", "governance.vote", "--proposal", proposal.hex(), "--approve", "--from", "dealer-munich")
    shown = wallet(*vote)
    assert 2 == shown.code
    for text in ("parameter.set", "block_txs_max", "100", "(bmw)", "needed power", "27", "total power", "40"):
        assert text in shown.err, (text, shown.err)
    action = {"type": "parameter.set", "name": "block_txs_max", "value": 100}
    assert 2 == wallet(*vote, "--yes").code
    other = json.dumps(action | {"value": 1_000_000})
    wallet(*vote, *expected({"action": other})).refused(1, "not_expected", "block_txs_max")
    assert () == chain.state(PROPOSAL, proposal).no and 1 == len(chain.state(PROPOSAL, proposal).yes)
    assert 0 == wallet(*vote, *expected({"action": json.dumps(action)}), "--wait").code
    assert address("dealer-munich") in chain.state(PROPOSAL, proposal).yes


def test_other_types_show_every_field_of_the_body_to_a_cosigner(wallet: HomeWallet, tmp_path: Path) -> None:
    """Also offline, where it is said that nothing is proven."""
    file = tmp_path / "keys.json"
    making = ("tx", "account.update_keys", "--keys", "buyer-1", "--keys", "dealer-munich", "--threshold", "1")
    made = wallet(*making, "--from", "buyer-1", "--offline", "-o", file)
    assert 0 == made.code and "Nothing of this is proven" in made.err and "threshold" in made.err
    cosign = ("cosign", file, "--from", "dealer-munich", "--offline")
    shown = wallet(*cosign)
    assert 2 == shown.code and "Nothing of this is proven" in shown.err
    missing = wallet(*cosign, "--yes").err
    assert all(f"--expect {name}=VALUE" in missing for name in ("type", "sender", "keys", "threshold")), missing
    whole = {"type": "account.update_keys", "sender": "buyer-1", "threshold": "1"}
    keys = ["--expect", "keys=buyer-1", "--expect", "keys=dealer-munich"]
    wallet(*cosign, *expected(whole), *keys[:2]).refused(1, "keys is")
    assert 0 == wallet(*cosign, *expected(whole), *keys).code


def test_an_acknowledgement_names_the_car_as_it_was_shown(tmp_path: Path) -> None:
    chain = recent_chain()
    life = Life(chain).to("accepted")
    chain.do("workshop-berlin", accident(chain, 160))
    facts = SALE | {"price": "52900.00EUR", "verdict": chain.state(VEHICLE, VIN).verdict, "material_changes": "1"}
    with wallet_node(chain) as node:
        wallet = HomeWallet(tmp_path, node).has("buyer-1")
        acknowledge = ("tx", "order.acknowledge", "--order", life.order.hex(), "--from", "buyer-1", *expected(facts))
        stale = wallet(*acknowledge, "--material-root", "00" * 32, "--dry-run")
        assert 1 == stale.code and "disclosure_stale" in stale.err and "Shown:" not in stale.err
        done = wallet(*acknowledge, "--wait", "--json")
        assert "committed" == done.json["status"] and f"Shown: {VIN}" in done.err
        unknown = wallet("tx", "order.acknowledge", "--order", "00" * 32, "--from", "buyer-1")
        assert 2 == unknown.code and "--order: there is no order" in unknown.err
    agreed = chain.state(ORDER, life.order).agreed_root
    assert material_root(VIN, chain.state(VEHICLE, VIN)) == agreed
