"""Views: what a node answers at a height is what anybody computes from values that are proven there."""

from __future__ import annotations

import json
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support import rulesets
from support.chain import DAY_MS, Chain, address
from support.governing import carry_out, chain_with, give, propose, vote
from support.life import PRICE, VIN, Life, accident, attest
from support.life import terms as plain
from support.light import ChainSource, light_client
from support.selling import BUYER, SELLER, begin, cancel, counter, leg, ordered, pay, terms
from support.specimens import specimen
from support.stages import at, change, force, fork
from support.vectors import story
from support.views import listed, view_of
from support.walk import Walk

from node.crypto.addresses import to_text
from node.errors import InvalidProof, Malformed, OperatorError
from node.ledger.family import AsOf, Family, GivenReader, MissingKey, Reader
from node.ledger.fields import Money
from node.ledger.json_form import to_json
from node.ledger.kinds import fields_of
from node.ledger.params import PARAMS_KEY
from node.rpc.moments import moment_of
from node.txtypes.chain.actions import ParameterSet, RulesetActivate
from node.txtypes.chain.governance import PROPOSAL
from node.txtypes.history import is_late, record_view
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.registry import FAMILIES
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.disclosure import Disclosure
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.claims import ORDER_CLAIMS, Claim, OrderClaims
from node.txtypes.vehicle.record import Face
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.light import LightClient

SHOWN = [family for family in FAMILIES.values() if family.view is not None]


def proven(light: LightClient, family: Family[Any], ident: str) -> dict[str, Any]:
    """The view over proven values alone."""

    def compute(reader: Reader, as_of: AsOf) -> dict[str, Any]:
        value = reader.get(family, ident)
        assert value is not None
        return to_json(family.view.of(ident, value, reader, as_of))  # type: ignore[union-attr]

    return light.verified_view(compute)


def values(chain: Chain, family: Family[Any]) -> list[str]:
    return [ident for ident, _ in chain.store.values(family)]


def assert_the_same(chain: Chain, folder: Path) -> int:
    light = light_client(ChainSource(chain), folder, accept_old_root=True)
    count = 0
    for family in SHOWN:
        for ident in values(chain, family):
            assert view_of(chain, family, ident) == proven(light, family, ident), (family.name, ident)
            count += 1
    return count


# --- the same over HTTP and over proofs --------------------------------------------------------------------
@pytest.mark.parametrize("stage", Life.STAGES)
def test_a_moment_and_proven_values_give_the_same_view(stage: str, tmp_path: Path) -> None:
    life = at(stage)
    propose(life.chain, ParameterSet("block_txs_max", 77))
    assert assert_the_same(life.chain, tmp_path) > 20


@pytest.mark.parametrize("days", [8, 31, 61, 200])
def test_whatever_has_lapsed_has_lapsed_for_both(days: int, tmp_path: Path) -> None:
    life = at("offered")
    life.chain.do(SELLER, counter(life))
    propose(life.chain, ParameterSet("block_txs_max", 77))
    life.chain.now += days * DAY_MS
    life.chain.produce()
    assert_the_same(life.chain, tmp_path)
    statuses = {name: view_of(life.chain, family, ident)["status"] for name, family, ident in (
        ("order", ORDER, life.order), ("listing", LISTING, life.listing))}  # fmt: skip
    assert {"order": "expired", "listing": "open" if days < 30 else "expired"} == statuses


@pytest.mark.parametrize("seed", range(3))
def test_random_lives_are_seen_alike(seed: int, tmp_path: Path) -> None:
    walk = Walk(seed)
    for number, _ in enumerate(walk.blocks(45)):
        if number % 15 == 14:
            assert_the_same(walk.chain, tmp_path)


def test_a_disclosure_and_a_history_are_seen_alike(tmp_path: Path) -> None:
    life = at("listed")
    chain, light = life.chain, light_client(ChainSource(life.chain), tmp_path)
    moment = moment_of(chain.store)

    def disclosed(reader: Reader, as_of: AsOf) -> Disclosure:
        found = reader.get(LISTING, life.listing)
        assert found is not None
        return Disclosure.of(life.listing.hex(), found, reader, as_of)

    assert disclosed(moment, moment.as_of) == light.verified_view(disclosed)
    for _, raw in chain.store.records(VIN, 0, 100):
        assert record_view(VIN, raw, moment) == light.verified_view(
            lambda reader, _, raw=raw: record_view(VIN, raw, reader)
        )


def test_an_absent_value_is_proven_too(tmp_path: Path) -> None:
    light = light_client(ChainSource(at("born").chain), tmp_path)
    assert light.verified_view(lambda reader, _: reader.get(VEHICLE, "WBA8E9G50GNU99999")) is None


# --- proven values ----------------------------------------------------------------------------------------
def test_a_key_that_was_not_given_is_named() -> None:
    reader = GivenReader({VEHICLE.key(VIN): None})
    assert reader.get(VEHICLE, VIN) is None
    with pytest.raises(MissingKey) as caught:
        reader.get(MEMBER, address("bmw"))
    assert MEMBER.key(address("bmw")) == caught.value.key


class Asked(ChainSource):
    """Counts what it is asked for."""

    def states(self, keys, height=0):  # type: ignore[no-untyped-def]
        self.asked.append(len(keys))
        return super().states(keys)


def test_all_keys_of_a_view_are_of_one_height(tmp_path: Path) -> None:
    """A key that is found to lack is asked for alone; if a block was made meanwhile, all are asked for again (see
    `test_what_is_shown_is_of_one_height`)."""
    life = at("paid")
    source = Asked(life.chain)
    light = light_client(source, tmp_path)
    proven(light, ORDER, life.order.hex())
    assert len(source.asked) > 1 and {1} == set(source.asked)


def test_a_node_that_answers_other_keys_is_not_believed(tmp_path: Path) -> None:
    chain = at("born").chain
    for tamper in (
        lambda answer: changed(answer, entries=answer.entries[:-1]),
        lambda answer: changed(answer, entries=(*answer.entries, *answer.entries)),
        lambda answer: changed(answer, entries=tuple(reversed(answer.entries))),
    ):
        light = light_client(ChainSource(chain, tamper), tmp_path / "other")
        with pytest.raises(Malformed, match="other state keys"):
            light.verified_states((VEHICLE.key(VIN), PARAMS_KEY))


def test_one_forged_value_of_several_is_not_believed(tmp_path: Path) -> None:
    chain = at("born").chain

    def forged(answer):  # type: ignore[no-untyped-def]
        first, second = answer.entries
        return changed(answer, entries=(first, changed(second, value=b"\x00" + (second.value or b""))))

    light = light_client(ChainSource(chain, forged), tmp_path)
    with pytest.raises(InvalidProof):
        light.verified_states((PARAMS_KEY, VEHICLE.key(VIN)))


def test_a_ruleset_that_this_software_does_not_know_ends_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = rulesets.learn(monkeypatch)
    chain = at("born").chain
    carry_out(chain, RulesetActivate(2, chain.store.height() + 5, second.hash))
    light = light_client(ChainSource(chain), tmp_path)
    assert 1 == light.verified_view(lambda reader, as_of: as_of.rules.number), "the head is still judged by ruleset 1"
    while chain.store.head().params.ruleset == 1:
        chain.produce()
    assert 2 == light.verified_view(lambda reader, as_of: as_of.rules.number)
    monkeypatch.delitem(RULESETS, 2)
    with pytest.raises(OperatorError, match="install a newer version"):
        light.verified_view(lambda reader, as_of: as_of.rules.number)


# --- what a view says ----------------------------------------------------------------------------------------
def test_a_view_has_all_fields_of_its_value_and_each_fact_once() -> None:
    for family in SHOWN:
        fields = [field.json_name for field in fields_of(family.view)]  # type: ignore[arg-type]
        assert len(fields) == len(set(fields)), family.name
        assert {field.json_name for field in fields_of(family.kind)} <= set(fields), family.name


@pytest.mark.parametrize("family", SHOWN, ids=lambda family: family.name)
def test_a_view_is_json(family: Family[Any]) -> None:
    chain = fork(story().chain)
    if family is CONDUCT:
        force(chain, CONDUCT, address("bmw"), NO_CONDUCT)
    if family is ORDER_CLAIMS:
        claim = Claim(VIN, address("buyer-1"), address("bmw"), Money(1, "EUR"), "price", 0)
        force(chain, ORDER_CLAIMS, bytes(32), OrderClaims((claim,)))
    (ident, *_) = values(chain, family)
    assert json.loads(json.dumps(view_of(chain, family, ident)))


def test_an_order_shows_its_payments_and_names_and_whether_it_is_paid() -> None:
    life = at("paid")
    shown = view_of(life.chain, ORDER, life.order)
    assert ("dealer-munich", "", True) == (shown["seller_name"], shown["buyer_name"], shown["is_paid"])
    assert shown["terms"]["price"] == shown["settled"] == shown["final"]
    (payment,) = shown["payments"]
    assert (life.payment.hex(), "final", 5_290_000, 5_290_000, 0) == (
        payment["id"], payment["status"], payment["net"], payment["final"], payment["excess"],
    )  # fmt: skip
    assert [] == shown["debts"]


def test_an_order_shows_what_has_come_of_each_part_and_what_of_it_is_final() -> None:
    held = tuple(
        replace(rail, hold_ms=DAY_MS) for rail in at("listed").chain.state(LISTING, at("listed").listing).rails
    )
    life = ordered(terms(leg(100), leg(PRICE.amount - 100, due_days=8)), rails=held)
    pay(life, 1, 400)
    shown = view_of(life.chain, ORDER, life.order)
    assert [(0, 0), (400, 0)] == [(part["net"], part["final"]) for part in shown["legs"]]
    assert (("400", "0", False)) == (shown["settled"]["amount"], shown["final"]["amount"], shown["is_paid"])
    due = [part["due"] for part in shown["legs"]]
    assert sorted(due) == due and shown["accepted_at"] < due[0]
    life.chain.now += DAY_MS
    life.chain.produce()
    assert [0, 400] == [part["final"] for part in view_of(life.chain, ORDER, life.order)["legs"]]


@pytest.mark.parametrize(
    ("stage", "end", "word"),
    [
        ("accepted", "lapsed", "expired"),
        ("accepted", "cancelled", "cancelled"),
        ("paid", "lapsed", "unwinding"),
        ("paid", "cancelled", "unwinding"),
        ("declared", "cancelled", "unwinding"),
        ("returned", "cancelled", "unwound"),
        ("returned", "lapsed", "unwound"),
    ],
)
def test_one_word_says_how_an_order_ended(stage: str, end: str, word: str) -> None:
    life = at("accepted" if stage in ("accepted", "declared") else "paid")
    if stage == "declared":
        life.chain.do(BUYER, specimen("payment.declare", life.chain, {"payment": begin(life)}))
    if stage == "returned":
        life.chain.do("payment-provider-1", attest(life.chain, life.payment, "returned", b"back"))
    if end == "cancelled":
        life.chain.do(BUYER, cancel(life))
    else:
        life.chain.now = life.chain.state(ORDER, life.order).hold_until_ms
        life.chain.produce()
    assert word == view_of(life.chain, ORDER, life.order)["status"]
    assert ("cancelled" if end == "cancelled" else "accepted") == life.chain.state(ORDER, life.order).status


def test_an_offer_falls_with_a_new_version_of_its_listing() -> None:
    life = at("offered")
    assert "offered" == view_of(life.chain, ORDER, life.order)["status"]
    change(life.chain, LISTING, life.listing, version=2)
    assert "fallen" == view_of(life.chain, ORDER, life.order)["status"]
    assert "offered" == life.chain.state(ORDER, life.order).status, "nothing is written"


def test_a_car_is_summed_up_in_one_word() -> None:
    words = [
        view_of(at(stage).chain, VEHICLE, VIN)["summary"] for stage in ("born", "listed", "accepted", "handed_over")
    ]
    assert ["new", "listed", "reserved", "in_use"] == words


def test_roles_are_those_of_now() -> None:
    chain = at("").chain
    grants = chain.state(MEMBER, address("bank-1")).grants
    ends = chain.now + DAY_MS
    change(chain, MEMBER, address("bank-1"), grants=(replace(grants[0], ends_at_ms=ends), *grants[1:]))
    assert ["bank", "payment_provider"] == view_of(chain, MEMBER, address("bank-1"))["roles"]
    chain.now = ends
    chain.produce()
    assert ["payment_provider"] == view_of(chain, MEMBER, address("bank-1"))["roles"]
    assert to_text(address("bank-1")) not in {m["address"] for m in listed(chain, MEMBER, role="bank")["members"]}


def test_an_account_shows_its_member() -> None:
    chain = at("").chain
    assert "bmw" == view_of(chain, ACCOUNT, address("bmw"))["member"]["name"]
    assert view_of(chain, ACCOUNT, address("buyer-1"))["member"] is None
    assert "bmw" == view_of(chain, ACCOUNT, address("buyer-1"))["sponsor_name"]


def proposals(chain: Chain, status: str) -> list[str]:
    return [entry["id"] for entry in listed(chain, PROPOSAL, status=status)["proposals"]]


def test_a_proposal_shows_the_power_of_its_votes_and_what_it_needs() -> None:
    """Of the set as it is now: a vote of a member without power counts nothing."""
    chain = chain_with(10, 20, 20)
    waiting = propose(chain, ParameterSet("block_txs_max", 77))
    assert "open" == vote(chain, waiting, "dealer-munich")

    def shown() -> tuple[int, ...]:
        view = view_of(chain, PROPOSAL, waiting)
        return tuple(view[name] for name in ("yes_power", "no_power", "needed_power", "total_power"))

    assert (30, 0, 34, 50) == shown()
    give(chain, {"dealer-munich": 20, "dealer-shanghai": 10})
    assert (20, 0, 21, 30) == shown()
    assert "refused" == vote(chain, waiting, "dealer-shanghai", approve=False)
    assert (20, 10, 21, 30) == shown()
    assert [waiting.hex()] == proposals(chain, "refused")


# --- lists ----------------------------------------------------------------------------------------------------
def test_what_is_open_is_listed_until_it_has_lapsed_by_its_expiry() -> None:
    life = at("offered")
    chain = life.chain
    proposal = propose(chain, ParameterSet("block_txs_max", 77)).hex()
    assert 1 == len(listed(chain, PROPOSAL)["proposals"]) == len(listed(chain, LISTING)["listings"])
    assert ([proposal], []) == (proposals(chain, "open"), proposals(chain, "expired"))
    chain.now += 15 * DAY_MS
    chain.produce()
    assert ([], [proposal]) == (proposals(chain, "open"), proposals(chain, "expired"))
    assert ([], 1) == (listed(chain, PROPOSAL)["proposals"], len(listed(chain, LISTING)["listings"]))
    chain.now += 20 * DAY_MS
    chain.produce()
    assert [] == listed(chain, LISTING)["listings"] == listed(chain, LISTING, vin=VIN)["listings"]


def test_a_reserved_listing_is_listed_again_once_its_reservation_has_lapsed() -> None:
    life = ordered(plain(reserve_ms=8 * DAY_MS))
    chain = life.chain
    for asked in ({}, {"vin": VIN}, {"seller": to_text(address(SELLER))}):
        assert [] == listed(chain, LISTING, **asked)["listings"]
    chain.now += 8 * DAY_MS
    chain.produce()
    for asked in ({}, {"vin": VIN}, {"seller": to_text(address(SELLER))}):
        assert [life.listing.hex()] == [entry["id"] for entry in listed(chain, LISTING, **asked)["listings"]]


def test_pages_of_a_list_follow_each_other_and_find_everything_once() -> None:
    chain = at("").chain
    whole = [entry["address"] for entry in listed(chain, MEMBER)["members"]]
    found, cursor = [], ""
    while True:
        page = listed(chain, MEMBER, 3, cursor)
        found += [entry["address"] for entry in page["members"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]
    assert whole == found and len(whole) == len(set(whole)) == 20


def test_a_list_by_two_indexes_is_what_is_in_both() -> None:
    life = at("handed_over")
    life.chain.do("police-1", accident(life.chain, 500))
    by_both = listed(life.chain, ORDER, vin=VIN, party=to_text(address(BUYER)))["orders"]
    assert [life.order.hex()] == [entry["id"] for entry in by_both]
    assert [] == listed(life.chain, ORDER, vin=VIN, party=to_text(address("bmw")))["orders"]


def test_a_report_is_late_after_a_day_and_a_birth_never_is() -> None:
    """A car is registered days or months after it was produced, and nobody is late with that."""
    born = Face(0, bytes(32), 5, 100 * DAY_MS, address("bmw"), "bmw", "vehicle.register", 10 * DAY_MS)
    assert not is_late(born)
    for kind, after_ms, late in (
        ("accident.report", DAY_MS + 1, True), ("accident.report", DAY_MS, False), ("order.handover", 2 * DAY_MS, True),
        ("title.transfer", 2 * DAY_MS, True), ("vehicle.register", 2 * DAY_MS, False),
    ):  # fmt: skip
        assert late == is_late(replace(born, kind=kind, event_at_ms=born.time_ms - after_ms)), (kind, after_ms)
