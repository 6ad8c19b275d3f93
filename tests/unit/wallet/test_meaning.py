"""What a transaction means: every type shows its body and what it touches, with proven names and expected values."""

from __future__ import annotations

import json

import pytest
from node.txtypes.sale.order_types import OrderAccept
from support.chain import Chain, address
from support.life import VIN, handover
from support.ordering import acknowledge
from support.specimens import specimen
from support.stages import at
from support.vectors import story

from node.crypto.addresses import from_text, to_text
from node.errors import InvalidProof, Malformed
from node.ledger.body import type_of
from node.ledger.fields import Odometer
from node.ledger.json_form import time_to_text, to_json
from node.rpc.moments import moment_of
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.envelope import Payload, decode_signed_tx
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.meaning import ESSENCES, REFERENCES, Meaning, NotExpected, asks, check_expected, meaning
from wallet.values import Names

NAMES = Names(0, lambda text: text if text.startswith("bmw1") else _named(text), lambda _: None)


def _named(text: str) -> str:
    if text != "buyer-1":
        raise Malformed(f"{text!r} is neither an address nor a name")
    return to_text(address(text))


def shown(chain: Chain, sender: str, body, own: dict[bytes, str] | None = None) -> Meaning:
    moment = moment_of(chain.store)
    return meaning(Payload(address(sender), 1, chain.now, body), moment, moment.as_of, own or {})


def test_every_type_shows_its_whole_body_and_everything_that_it_names() -> None:
    chain, seen = story().chain, set()
    moment = moment_of(chain.store)
    for height in range(1, chain.store.height() + 1):
        for raw in chain.store.block(height).transactions:
            payload = decode_signed_tx(raw, chain.genesis_hash).payload
            body, written = payload.body, to_json(payload.body)
            found = meaning(payload, moment, moment.as_of, {})
            seen.add(type_of(body))
            assert set(written) <= set(found.facts), type_of(body)
            for name in set(written) & set(REFERENCES):
                assert any(fact.is_proven for fact in found.facts.values()), (type_of(body), name)
            essential = found.essential(is_body_known=False)
            assert essential[0] == "type" and set(essential) <= set(found.facts)
            if type(body) not in ESSENCES:
                assert {n for n, v in written.items() if v not in (None, "", [], {})} <= set(essential), (
                    "the whole body"
                )
            alone = meaning(payload, None, None, {})
            assert not any(fact.is_proven for fact in alone.facts.values())
            assert set(alone.essential(is_body_known=False)) >= {"type", "sender"}
    assert seen == set(TYPES)


def test_an_essence_is_of_a_type_and_its_facts_are_there() -> None:
    assert {kind.__struct_config__.tag for kind in ESSENCES} <= set(TYPES)
    assert {"order.accept", "order.acknowledge", "order.handover", "governance.vote", "mandate.grant"} == {
        name for name, kind in TYPES.items() if asks(kind)
    }


def test_an_acknowledgement_shows_what_the_car_is_like_now() -> None:
    life = at("accepted")
    found = shown(life.chain, "buyer-1", acknowledge(life))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (vehicle.verdict, vehicle.material_changes) == tuple(
        found.facts[name].value for name in ("verdict", "material_changes")
    )
    assert ["vin", "price", "seller", "buyer", "verdict", "material_changes"] == found.essential(is_body_known=True)


def test_parties_have_their_proven_names_and_the_names_of_own_keys() -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", handover(life.chain, life.order), {address("buyer-1"): "dealer-munich"})
    dealer, buyer = (to_text(address(name)) for name in ("dealer-munich", "buyer-1"))
    assert f"{dealer} (dealer-munich)" == found.facts["seller"].text
    assert f"{buyer} (no member, your key dealer-munich)" == found.facts["buyer"].text, "a key's name is no proven name"
    assert f"moves from {dealer} (dealer-munich) to {buyer}" in found.change
    check_expected(found, {"seller": ["dealer-munich"], "odometer": ["160km"]}, NAMES)
    with pytest.raises(Malformed):
        check_expected(found, {"buyer": ["dealer-munich"]}, NAMES)


def test_a_vote_shows_the_action_with_names() -> None:
    chain = at("").chain
    proposal = chain.do("bmw", GovernancePropose(ParameterSet("block_txs_max", 77)))
    found = shown(chain, "dealer-munich", GovernanceVote(proposal, False))
    assert chain.state(PROPOSAL, proposal).action == found.facts["action"].value
    assert found.change.endswith("approve: no.")
    action = {"type": "parameter.set", "name": "block_txs_max", "value": 77}
    check_expected(found, {"action": [json.dumps(action)], "approve": ["false"]}, NAMES)
    check_expected(found, {"action": ["type=parameter.set,name=block_txs_max,value=77"]}, NAMES)
    for other in (action | {"value": 78}, action | {"name": "keys_per_day"}):
        with pytest.raises(NotExpected, match="block_txs_max"):
            check_expected(found, {"action": [json.dumps(other)]}, NAMES)


def test_a_holder_sees_what_becomes_of_its_car() -> None:
    chain = at("handed_over").chain
    found = shown(chain, "insurer-1", specimen("vehicle.total_loss", chain, takes_title=True))
    assert address("buyer-1") == found.facts["holder"].value and found.facts["holder"].is_proven
    assert ["holder"] == found.essential(is_body_known=True)
    insurer = f"{to_text(address('insurer-1'))} (insurer-1)"
    assert f"{VIN} becomes a total loss of category S, for good; the title moves to {insurer}: yes." == found.change
    replaced = shown(chain, "workshop-berlin", specimen("odometer.replace", chain))
    assert "the old one showed" in replaced.change and "the new one shows 0 km (cluster)" in replaced.change


def test_a_mandate_says_who_may_do_what_until_when() -> None:
    chain = at("wholesale").chain
    body = specimen("mandate.grant", chain)
    found = shown(chain, "dealer-munich", body)
    agent, principal = (f"{to_text(address(name))} ({name})" for name in ("workshop-berlin", "dealer-munich"))
    assert found.change.startswith(f"{agent} may act for {principal} until {time_to_text(body.ends_at_ms)}: ")
    assert "present, respond. Cars: WBA8E9G50GNU12345, makers: -;" in found.change


def test_a_car_from_elsewhere_is_not_on_this_chain_yet() -> None:
    chain = at("").chain
    body = specimen("vehicle.import", chain)
    found = shown(chain, "dealer-munich", body)
    assert "none on the chain so far" == found.facts["vehicle"].text
    assert body.holder == found.facts["holder"].value and not found.facts["holder"].is_proven


@pytest.mark.parametrize("body", [OrderAccept(b"\x07" * 32), GovernanceVote(b"\x07" * 32, True)])
def test_what_is_not_there_is_not_signed(body) -> None:
    with pytest.raises(InvalidProof, match=f"there is no .* {'07' * 32}"):
        shown(at("").chain, "buyer-1", body)


@pytest.mark.parametrize(
    ("name", "given", "is_it"),
    [
        ("price", ["52900.00EUR"], True),
        ("price", ['{"amount": "5290000", "currency": "EUR"}'], True),
        ("price", ["52900.01EUR"], False),
        ("price", ["52900.00USD"], False),
        ("price", ["52900.00EUR", "52900.00EUR"], False),
        ("odometer", ["160km"], True),
        ("odometer", ["160mi"], False),
        ("odometer", ["160km:visual"], False),
        ("buyer", ["buyer-1"], True),
        ("seller", ["buyer-1"], False),
        ("seller", ["dealer"], False),
        ("flags", ["[]"], True),
        ("vin", [VIN], True),
        ("type", ["order.handover"], True),
    ],
)
def test_expected_values_are_compared_as_values(name: str, given: list[str], is_it: bool) -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", handover(life.chain, life.order))
    assert Odometer(160, "km", "cluster") == found.facts["odometer"].value
    if is_it:
        check_expected(found, {name: given}, NAMES)
    else:
        with pytest.raises(NotExpected, match="nothing was signed"):
            check_expected(found, {name: given}, NAMES)


def test_an_address_is_compared_not_its_text() -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", OrderAccept(life.order))
    seller = found.facts["seller"]
    assert from_text(seller.text.partition(" ")[0]) == seller.value == address("dealer-munich")
