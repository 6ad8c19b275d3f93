"""`vehicle.total_loss`: firm with the holder, provisional without; what falls, what moves, what is lazy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.damage import INSURER, WORKSHOP, brands, give_role, group, last_sequence, life_of, loss, outcome_of
from support.disputing import amend
from support.life import VIN, Life, accept, attest, handover, initiate, km, listing, offer, transfer
from support.ordering import BUYER, SELLER, codes_of
from support.stages import Case, at, change, force, ledger_of, table, use_up_acts

from node import limits
from node.ledger.family import AsOf
from node.rules.brands import TOTAL_LOSS_CATEGORIES
from node.txtypes.members.conduct import CONDUCT, LOSSES_MAX, NO_CONDUCT
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.regions import Flag
from node.txtypes.vehicle.vehicle import VEHICLE, VehicleView, existence_now

SECOND = "carrier-1"


def second_insurer(life: Life) -> None:
    give_role(life.chain, SECOND, "insurer")


def existence(life: Life) -> str:
    return existence_now(life.chain.state(VEHICLE, VIN), life.chain.now)


def conditions(life: Life) -> set[str]:
    ledger = ledger_of(life.chain)
    return set(conditions_of(ledger, VIN, life.chain.state(VEHICLE, VIN), life.chain.now, ledger.rules))


def write_off(life: Life, sender: str = INSURER, *cosigners: str, **changes: object) -> None:
    life.chain.do(sender, loss(life.chain, holder_signs=bool(cosigners), **changes), *cosigners)


# --- guards -----------------------------------------------------------------------------------------------
def firm(life: Life) -> None:
    write_off(life, INSURER, "bmw")


def alone(life: Life) -> None:
    write_off(life)


def alone_and_a_month_later(life: Life) -> None:
    alone(life)
    life.chain.now += 30 * DAY_MS


def undecided(life: Life) -> None:
    alone(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    change(life.chain, VEHICLE, VIN, loss=replace(vehicle.loss, disputed_until_ms=life.chain.now + 60 * DAY_MS))
    life.chain.now += 60 * DAY_MS


def by_a_relative(life: Life) -> None:
    second_insurer(life)
    group(life.chain, "insurers", INSURER, SECOND)
    alone(life)


def imported_lately(life: Life) -> None:
    life.chain.now += 20 * DAY_MS
    change(life.chain, VEHICLE, VIN, origin="imported", covered_since_ms=life.chain.now, grade="C")


def flagged(name: str):
    def before(life: Life) -> None:
        flag = Flag(name, address("police-1"), "DE", b"", life.chain.now, 0, True, 0)
        change(life.chain, VEHICLE, VIN, flags=(flag,))

    return before


def other_insurer_before(life: Life) -> None:
    second_insurer(life)
    alone(life)


def taken_back(life: Life) -> None:
    """After 27 days the insurer amends what it has reported alone."""
    alone(life)
    life.chain.now += 27 * DAY_MS
    life.chain.do(INSURER, amend(life.chain, last_sequence(life.chain), reason="duplicate"))


def taken_back_by_a_relative(life: Life) -> None:
    second_insurer(life)
    group(life.chain, "insurers", INSURER, SECOND)
    taken_back(life)


def taken_back_long_ago(life: Life) -> None:
    taken_back(life)
    life.chain.now += 153 * DAY_MS


def sixteen_alive(life: Life) -> None:
    ends = tuple(life.chain.now + day * DAY_MS for day in range(1, LOSSES_MAX + 1))
    force(life.chain, CONDUCT, address(INSURER), replace(NO_CONDUCT, losses_until_ms=ends))


def thirty_today(life: Life) -> None:
    use_up_acts(life.chain, address(INSURER), "damage.alone", limits.DAMAGE_ALONE_PER_DAY_MAX)


@table(
    Case("an insurer alone", "born", INSURER, lambda life: loss(life.chain)),
    Case("with the holder", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), (), ("bmw",)),
    Case("said to be signed", "born", INSURER, lambda life: loss(life.chain, holder_signs=True),
         ("signature_missing",)),
    Case("the title needs the holder", "born", INSURER, lambda life: loss(life.chain, takes_title=True),
         ("signature_missing",)),
    Case("the title with the holder", "born", INSURER, lambda life: loss(life.chain, takes_title=True), (), ("bmw",)),
    Case("a workshop", "born", WORKSHOP, lambda life: loss(life.chain, odometer=km(120)),
         ("role_missing",)),
    Case("an unknown category", "born", INSURER, lambda life: loss(life.chain, "C"), ("code_unknown",)),
    Case("an unknown cause", "born", INSURER, lambda life: loss(life.chain, cause="age"), ("code_unknown",)),
    Case("long ago", "born", INSURER, lambda life: loss(life.chain, event_at_ms=life.chain.now - 7 * DAY_MS - 1),
         ("event_not_now",), before=lambda life: setattr(life.chain, "now", life.chain.now + 20 * DAY_MS)),
    Case("a title from before the import", "born", INSURER,
         lambda life: loss(life.chain, takes_title=True, event_at_ms=life.chain.now - 8 * DAY_MS), ("event_not_now",),
         ("bmw",), before=imported_lately),
    Case("an agent's mandate", "born", INSURER, lambda life: loss(life.chain, mandate=bytes(32)),
         ("mandate_missing",)),
    Case("firm already", "born", INSURER, lambda life: loss(life.chain), ("already_total_loss",), before=firm),
    Case("said already", "born", INSURER, lambda life: loss(life.chain), ("already_total_loss",), before=alone),
    Case("said already by a relative", "born", SECOND, lambda life: loss(life.chain), ("already_total_loss",),
         before=by_a_relative),
    Case("firm by time", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), ("already_total_loss",),
         ("bmw",), before=alone_and_a_month_later),
    Case("undecided, and said again", "born", INSURER, lambda life: loss(life.chain), ("already_total_loss",),
         before=undecided),
    Case("the holder signs later", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), (), ("bmw",),
         before=alone),
    Case("a second insurer", "born", SECOND, lambda life: loss(life.chain), before=other_insurer_before),
    Case("a stolen car's title", "born", INSURER, lambda life: loss(life.chain, takes_title=True), (), ("bmw",),
         before=flagged("stolen")),
    Case("a disputed title", "born", INSURER, lambda life: loss(life.chain, takes_title=True), ("stop_flag",),
         ("bmw",), before=flagged("title_dispute")),
    Case("alone again within 180 days", "born", INSURER, lambda life: loss(life.chain), ("loss_cooldown",),
         before=taken_back),
    Case("a relative within 180 days", "born", SECOND, lambda life: loss(life.chain), ("loss_cooldown",),
         before=taken_back_by_a_relative),
    Case("again with the holder", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), (), ("bmw",),
         before=taken_back),
    Case("alone again after 180 days", "born", INSURER, lambda life: loss(life.chain), before=taken_back_long_ago),
    Case("a seventeenth car at a time", "born", INSURER, lambda life: loss(life.chain), ("losses_open",),
         before=sixteen_alive),
    Case("with the holder, whatever is open", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), (),
         ("bmw",), before=sixteen_alive),
    Case("the 31st alone today", "born", INSURER, lambda life: loss(life.chain), ("acts_exhausted",),
         before=thirty_today),
    Case("the 31st today with the holder", "born", INSURER, lambda life: loss(life.chain, holder_signs=True), (),
         ("bmw",), before=thirty_today),
    Case("of a disputed title, without it", "born", INSURER, lambda life: loss(life.chain), before=flagged(
         "title_dispute")),
)  # fmt: skip
def test_writing_a_car_off(case: Case) -> None:
    assert case.codes == case.run()


# --- firm -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("category", TOTAL_LOSS_CATEGORIES)
def test_with_the_holder_it_is_a_total_loss_at_once(category: str) -> None:
    life = at("born")
    write_off(life, INSURER, "bmw", category=category, cause="flood_salt")
    assert "total_loss" == existence(life)
    assert brands(life.chain) == dict.fromkeys((*TOTAL_LOSS_CATEGORIES[category], "flood_salt"), "confirmed")
    assert {"total_loss"} == conditions(life)
    assert 1 == life.chain.state(VEHICLE, VIN).material_changes
    seen = VehicleView.of(VIN, life.chain.state(VEHICLE, VIN), ledger_of(life.chain), AsOf(life.chain.now, RULESETS[1]))
    assert ("total_loss", "total_loss") == (seen.existence, seen.summary)


def test_the_title_moves_with_its_liens() -> None:
    life = at("wholesale")
    change(life.chain, VEHICLE, VIN, flags=(
        Flag("lien", address("bank-1"), "DE", b"", life.chain.now, life.chain.now + 900 * DAY_MS, True, 0),
    ))  # fmt: skip
    life.chain.do(INSURER, loss(life.chain, takes_title=True), "dealer-munich")
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (address(INSURER), "lien") == (vehicle.holder, vehicle.flags[0].name)
    assert address("dealer-munich") == life_of(life.chain).holders[-1].holder


def test_an_insurer_that_holds_the_title_needs_nobody() -> None:
    life = at("born")
    change(life.chain, VEHICLE, VIN, holder=address(INSURER))
    write_off(life, takes_title=True)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ("total_loss", 0) == (existence(life), vehicle.transfer_count)


def test_a_listing_and_its_offers_fall() -> None:
    life = at("offered")
    write_off(life, INSURER, SELLER)
    assert "withdrawn" == life.chain.state(LISTING, life.listing).status
    assert "off" == life.chain.state(VEHICLE, VIN).market.status
    order = life.chain.state(ORDER, life.order)
    assert "fallen" == status_of(order, ledger_of(life.chain), life.chain.now)
    assert "listing_closed" in codes_of(life, SELLER, accept(life.chain, life.order), BUYER)
    again = listing(life.chain)
    assert ["total_loss"] == codes_of(life, SELLER, again)
    assert [] == codes_of(life, SELLER, replace(again, discloses=("total_loss",)))


def test_of_an_open_order_money_only_goes_back() -> None:
    life = at("paid")
    write_off(life, INSURER, SELLER)
    assert "withdrawn" == life.chain.state(LISTING, life.listing).status
    handing_over = handover(life.chain, life.order)
    codes = life.chain.unmet(life.chain.sign(SELLER, handing_over, BUYER))
    assert {"order_not_reserving", "total_loss", "acknowledgement_missing"} <= set(codes)
    assert "order_not_reserving" in codes_of(life, BUYER, initiate(life.order))
    life.chain.do(BUYER, OrderCancel(life.order, "vehicle_lost"))
    life.chain.do("payment-provider-1", attest(life.chain, life.payment, "refunded", b"back"))
    order = life.chain.state(ORDER, life.order)
    assert ("cancelled", 0) == (order.status, order.net)
    assert "off" == life.chain.state(VEHICLE, VIN).market.status


def test_an_order_without_money_takes_none() -> None:
    life = at("accepted")
    assert [] == codes_of(life, BUYER, initiate(life.order))
    write_off(life, INSURER, SELLER)
    assert ["order_not_reserving"] == codes_of(life, BUYER, initiate(life.order))


def test_a_wreck_goes_to_those_who_deal_in_wrecks() -> None:
    life = at("born")
    firm(life)
    assert [] == life.chain.unmet(life.chain.sign("bmw", transfer(life.chain), "dealer-munich"))


# --- provisional ------------------------------------------------------------------------------------------
def test_an_insurer_alone_blocks_the_handover_for_thirty_days_and_then_binds() -> None:
    life = at("paid")
    write_off(life)
    assert ("in_service" if life.chain.state(VEHICLE, VIN).existence != "born" else "born") == existence(life)
    assert {"totalled": "pending", "salvage": "pending"} == brands(life.chain)
    assert {"total_loss_provisional", "brand_open"} == conditions(life)
    assert "reserved" == life.chain.state(LISTING, life.listing).status
    codes = life.chain.unmet(life.chain.sign(SELLER, handover(life.chain, life.order), BUYER))
    assert "total_loss_provisional" in codes
    assert "provisional" in outcome_of(life.chain, last_sequence(life.chain))
    life.chain.now += 30 * DAY_MS - 1001
    assert {"total_loss_provisional", "brand_open"} == conditions(life)
    life.chain.now += 1
    assert {"total_loss"} == conditions(life)
    assert "total_loss" == existence(life)


def test_what_is_no_longer_provisional_takes_no_place() -> None:
    """Since it was taken back, or somebody has confirmed it."""
    for end in (taken_back, confirmed):
        life = at("born")
        end(life)
        conduct = life.chain.state(CONDUCT, address(INSURER))
        assert ((), [address(INSURER)]) == (
            conduct.losses_until_ms, [entry.setter for entry in life_of(life.chain).cooldowns]
        ), end.__name__  # fmt: skip


def confirmed(life: Life) -> None:
    alone(life)
    assert (life.chain.now - 1_000 + 30 * DAY_MS,) == life.chain.state(CONDUCT, address(INSURER)).losses_until_ms
    write_off(life, INSURER, "bmw")


def test_a_loss_before_the_sale_that_is_told_after_it_is_an_alert() -> None:
    life = at("wholesale")
    title_since = life.chain.state(VEHICLE, VIN).title_since_ms
    write_off(life, event_at_ms=title_since - 1)
    assert ["late_disclosure"] == [alert.code for alert in life.chain.state(VEHICLE, VIN).alerts]


def test_disputed_and_undecided_it_leaves_only_its_brands() -> None:
    life = at("born")
    alone(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    change(
        life.chain, VEHICLE, VIN, loss=replace(vehicle.loss, disputed_until_ms=life.chain.now + 60 * DAY_MS),
        brands=tuple(replace(brand, disputed_until_ms=life.chain.now + 60 * DAY_MS) for brand in vehicle.brands),
    )  # fmt: skip
    assert "total_loss_provisional" in conditions(life)
    life.chain.now += 30 * DAY_MS
    assert {"brand_open"} == conditions(life)
    life.chain.now += 30 * DAY_MS
    assert {"totalled": "undecided", "salvage": "undecided"} == brands(life.chain)
    assert "born" == existence(life)


def test_a_second_insurer_confirms_what_both_say() -> None:
    life = at("listed")
    second_insurer(life)
    write_off(life, category="S", cause="fire")
    write_off(life, SECOND, category="B", cause="fire")
    assert "total_loss" == existence(life)
    assert brands(life.chain) == {
        "fire": "confirmed", "parts_only": "pending", "salvage": "pending", "totalled": "confirmed",
    }  # fmt: skip
    assert "withdrawn" == life.chain.state(LISTING, life.listing).status


def test_even_when_the_first_is_undecided() -> None:
    life = at("born")
    second_insurer(life)
    undecided(life)
    write_off(life, SECOND)
    assert "total_loss" == existence(life)


def test_a_fraud_is_no_second_insurer() -> None:
    life = at("born")
    second_insurer(life)
    alone(life)
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address(INSURER), "", life.chain.now - DAY_MS),)))
    assert ["already_total_loss"] == life.chain.unmet(life.chain.sign(SECOND, loss(life.chain)))


def test_an_annulled_loss_is_gone_and_can_happen_again() -> None:
    life = at("born")
    firm(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    change(life.chain, VEHICLE, VIN, loss=replace(vehicle.loss, state="annulled"))
    assert "born" == existence(life)
    write_off(life, INSURER, "bmw")
    assert "total_loss" == existence(life)


# --- imported cars ----------------------------------------------------------------------------------------
def test_a_loss_before_the_import_leaves_its_brands_and_an_alert() -> None:
    life = at("born")
    change(life.chain, VEHICLE, VIN, origin="imported", covered_since_ms=life.chain.now, grade="C")
    life.chain.now += 30 * DAY_MS
    long_ago = life.chain.now - 31 * DAY_MS
    write_off(life, INSURER, "bmw", event_at_ms=long_ago, odometer=km(10))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ("born", None) == (existence(life), vehicle.loss)
    assert {"totalled": "confirmed", "salvage": "confirmed"} == brands(life.chain)
    [alert] = vehicle.alerts
    assert ("late_disclosure", "confirmed") == (alert.code, alert.state)
    assert "before_import" in outcome_of(life.chain, last_sequence(life.chain))
    after = loss(life.chain, event_at_ms=vehicle.covered_since_ms)
    assert ["event_not_now"] == life.chain.unmet(life.chain.sign(INSURER, after))


def test_two_losses_before_the_import_confirm_nothing_for_a_later_one() -> None:
    """What an insurer says of the time before is no first voice for a loss of now."""
    life = at("born")
    second_insurer(life)
    change(life.chain, VEHICLE, VIN, origin="imported", covered_since_ms=life.chain.now, grade="C")
    life.chain.now += DAY_MS
    write_off(life, event_at_ms=life.chain.now - 2 * DAY_MS)
    write_off(life, SECOND)
    assert "pending" == life.chain.state(VEHICLE, VIN).loss.state


def test_the_offer_names_what_an_insurer_says() -> None:
    """A provisional loss is material when it is told."""
    life = at("listed")
    before = offer(life.chain, life.listing)
    alone(life)
    assert ["disclosure_stale"] == codes_of(life, BUYER, before)
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
