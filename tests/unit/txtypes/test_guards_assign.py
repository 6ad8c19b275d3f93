"""Title that moves without a sale: who may send it, what both sides sign, and what follows."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, km, listing
from support.registering import claimed, deregistered, exported, put, registered, root
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.rules.odometer import DECLARED, INTERESTED
from node.txtypes.members.mandate import MANDATE, MandateGrant, covers
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.assign import TitleAssign
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.regions import CLAIM_MS, Duty, Flag
from node.txtypes.vehicle.stop_flags import FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE

HEIR = "buyer-1"


def gift(life: Life, receiver: str = HEIR, **changes: Any) -> TitleAssign:
    body: TitleAssign = specimen("title.assign", life.chain, receiver=address(receiver), **changes)
    return body


def decreed(life: Life, reason: str = "inheritance", receiver: str = HEIR, **changes: Any) -> TitleAssign:
    """By a registrar, who has not seen the car."""
    return gift(life, receiver, **{"reason": reason, "odometer": None} | changes)


def lien(*banks: str) -> Any:
    def before(life: Life) -> None:
        flags = tuple(Flag("lien", address(bank), "", b"", 0, life.chain.now + DAY_MS, True, 0) for bank in banks)
        change(life.chain, VEHICLE, VIN, flags=flags)

    return before


def flagged(name: str) -> Any:
    def before(life: Life) -> None:
        change(life.chain, VEHICLE, VIN, flags=(Flag(name, address("police-1"), "DE", b"", 0, 0, True, 0),))

    return before


def changed(**changes: Any) -> Any:
    return lambda life: change(life.chain, VEHICLE, VIN, **changes)


def then(*steps: Any) -> Any:
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def another_bank(life: Life) -> None:
    """payment-provider-1 is a bank too."""
    member = life.chain.state(MEMBER, address("payment-provider-1"))
    change(life.chain, MEMBER, address("payment-provider-1"),
           grants=(*member.grants, replace(member.grants[0], role="bank")))  # fmt: skip


@table(
    Case("a gift", "born", "bmw", gift, (), (HEIR,)),
    Case("a gift of another's car", "born", "dealer-munich", gift, ("not_the_holder",), (HEIR,)),
    Case("a gift to oneself", "born", "bmw", lambda life: gift(life, "bmw"), ("same_holder",)),
    Case("a gift that the receiver has not signed", "born", "bmw", gift, ("signature_missing",)),
    Case("a gift that shows something else", "born", "bmw", lambda life: gift(life, material_root=bytes(32)),
         ("disclosure_stale",), (HEIR,)),
    Case("a gift without a reading", "born", "bmw", lambda life: gift(life, odometer=None), ("odometer_missing",),
         (HEIR,)),
    Case("a gift of long ago", "born", "bmw", lambda life: gift(life, event_at_ms=life.chain.now - 7 * DAY_MS - 1),
         ("event_not_now",), (HEIR,), before=lambda life: setattr(life.chain, "now", life.chain.now + 9 * DAY_MS)),
    Case("a gift in future", "born", "bmw", lambda life: gift(life, event_at_ms=life.chain.now + 3_600_000),
         ("event_in_future",), (HEIR,)),
    Case("a gift of no known reason", "born", "bmw", lambda life: gift(life, reason="whim"),
         ("code_unknown", "role_missing"), (HEIR,)),
    Case("a gift of a listed car", "listed", "dealer-munich", gift, ("market_live",), (HEIR,)),
    Case("a gift of an unknown car", "", "bmw", gift, ("vehicle_unknown",), (HEIR,)),
    Case("a gift of a scrapped car", "born", "bmw", gift, ("vehicle_ended",), (HEIR,),
         before=changed(existence="scrapped")),
    Case("a gift of a stolen car", "born", "bmw", gift, ("stop_flag",), (HEIR,), before=flagged("stolen")),
    Case("a gift of an unroadworthy car", "born", "bmw", gift, (), (HEIR,), before=flagged("unroadworthy")),
    Case("a gift with a duty, to a private person", "born", "bmw", gift, ("duty_open",), (HEIR,),
         before=changed(duties=(Duty("rebuild", 0, 0),))),
    Case("a gift with a duty, to a dealer", "born", "bmw", lambda life: gift(life, "dealer-munich"), (),
         ("dealer-munich",), before=changed(duties=(Duty("rebuild", 0, 0),))),
    Case("a gift of a car with a false odometer", "born", "bmw", gift, ("verdict_illogical",), (HEIR,),
         before=changed(verdict="ILLOGICAL")),
    Case("a gift that says so", "born", "bmw", lambda life: gift(life, discloses=("odometer",)), (), (HEIR,),
         before=changed(verdict="ILLOGICAL")),
    Case("a gift of a financed car", "born", "bmw", gift, (), (HEIR, "bank-1"), before=lien("bank-1")),
    Case("a gift of a financed car without the bank", "born", "bmw", gift, ("signature_missing",), (HEIR,),
         before=lien("bank-1")),
    Case("a gift by the registrar", "born", "registrar-1", gift, ("not_the_holder",), (HEIR,), before=registered),
)  # fmt: skip
def test_gifts(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("inheritance", "born", "registrar-1", decreed, (), (HEIR,), before=registered),
    Case("court", "born", "registrar-1", lambda life: decreed(life, "court"), (), (HEIR,), before=registered),
    Case("divorce", "born", "registrar-1", lambda life: decreed(life, "divorce"), (), (HEIR,), before=registered),
    Case("inheritance by the holder", "born", "bmw", lambda life: decreed(life, odometer=km(5)), ("role_missing",),
         (HEIR,), before=registered),
    Case("inheritance without the heir", "born", "registrar-1", decreed, ("signature_missing",), before=registered),
    Case("inheritance by another country", "born", "registrar-2", decreed, ("role_scope",), (HEIR,),
         before=registered),
    Case("inheritance by the country that had it last", "born", "registrar-1", decreed, (), (HEIR,),
         before=deregistered),
    Case("inheritance after an export, by the country it left", "born", "registrar-1", decreed, (), (HEIR,),
         before=exported),
    Case("inheritance of a car that was never registered", "born", "registrar-1", decreed, (), (HEIR,)),
    Case("inheritance of a car that was never registered, by another country", "born", "registrar-2", decreed,
         ("role_scope",), (HEIR,)),
    Case("inheritance of a new car of a private person, where its maker is", "born", "registrar-1",
         lambda life: decreed(life, receiver="bank-1"), (), ("bank-1",), before=changed(holder=address(HEIR))),
    Case("inheritance of a car that nobody here has made, from a private person", "born", "registrar-2",
         lambda life: decreed(life, receiver="bank-1"), (), ("bank-1",),
         before=changed(holder=address(HEIR), maker=bytes(20))),
    Case("inheritance after a claim took effect, by the country before", "born", "registrar-1", decreed,
         ("role_scope",), (HEIR,),
         before=then(claimed, lambda life: setattr(life.chain, "now", life.chain.now + CLAIM_MS))),
    Case("inheritance after a claim took effect", "born", "registrar-2", decreed, (), (HEIR,),
         before=then(claimed, lambda life: setattr(life.chain, "now", life.chain.now + CLAIM_MS))),
    Case("inheritance against a court's hold", "born", "registrar-1", decreed, ("stop_flag",), (HEIR,),
         before=then(registered, flagged("court_hold"))),
    Case("repossession", "born", "registrar-1", lambda life: decreed(life, "repossession", "bank-1"), (), ("bank-1",),
         before=then(registered, lien("bank-1"))),
    Case("repossession by a bank without a lien", "born", "registrar-1",
         lambda life: decreed(life, "repossession", "bank-1"), ("lien_missing",), ("bank-1",), before=registered),
    Case("repossession by a bank whose lien has lapsed", "born", "registrar-1",
         lambda life: decreed(life, "repossession", "bank-1"), ("lien_missing",), ("bank-1",),
         before=then(registered, lien("bank-1"),
                     lambda life: setattr(life.chain, "now", life.chain.now + DAY_MS))),
    Case("repossession while another bank has a lien", "born", "registrar-1",
         lambda life: decreed(life, "repossession", "bank-1"), ("signature_missing",), ("bank-1",),
         before=then(registered, another_bank, lien("bank-1", "payment-provider-1"))),
    Case("repossession that the other bank signs", "born", "registrar-1",
         lambda life: decreed(life, "repossession", "bank-1"), (), ("bank-1", "payment-provider-1"),
         before=then(registered, another_bank, lien("bank-1", "payment-provider-1"))),
)  # fmt: skip
def test_acts_of_an_authority(case: Case) -> None:
    assert case.codes == case.run()


def test_a_gift_moves_the_title_and_keeps_the_registration() -> None:
    life = at("born")
    chain = life.chain
    registered(life)
    before = chain.state(VEHICLE, VIN)
    chain.do("bmw", gift(life), HEIR)
    found = chain.state(VEHICLE, VIN)
    assert (address(HEIR), 1, before.registration) == (found.holder, found.transfer_count, found.registration)
    assert (0, [address("bmw")]) == (
        found.material_changes, [former.holder for former in chain.state(LIFE, VIN).holders]
    )  # fmt: skip
    assert chain.now - 1000 == found.title_since_ms
    [reading] = chain.state(ODOMETER, VIN).readings
    assert (13_000_000, INTERESTED) == (reading.metres, reading.standing)


def test_a_reading_counts_only_if_a_trader_a_workshop_or_an_inspector_signs() -> None:
    life = at("handed_over")
    chain = life.chain
    body = replace(gift(life, "police-1"), odometer=km(999_999))
    chain.do(HEIR, body, "police-1")
    assert DECLARED == chain.state(ODOMETER, VIN).readings[-1].standing


def test_an_authority_may_name_a_reading_that_nobody_counts() -> None:
    life = at("born")
    registered(life)
    life.chain.do("registrar-1", decreed(life, odometer=km(40)), HEIR)
    assert [DECLARED] == [reading.standing for reading in life.chain.state(ODOMETER, VIN).readings]


def test_a_repossession_ends_the_banks_lien_and_no_other() -> None:
    life = at("born")
    chain = life.chain
    registered(life)
    another_bank(life)
    lien("bank-1", "payment-provider-1")(life)
    shown = root(chain)
    chain.do("registrar-1", decreed(life, "repossession", "bank-1"), "bank-1", "payment-provider-1")
    found = chain.state(VEHICLE, VIN)
    assert (address("bank-1"), [address("payment-provider-1")]) == (found.holder, [f.setter for f in found.flags])
    assert 0 == found.material_changes and shown != root(chain)


def test_mandates_for_the_car_end_with_a_gift() -> None:
    life = at("born")
    chain = life.chain
    mandate = chain.do("bmw", MandateGrant(address("inspector-1"), (VIN,), (), ("present",), chain.now + 9 * DAY_MS))
    found = chain.state(MANDATE, mandate)
    assert covers(found, "present", address("bmw"), VIN, chain.state(VEHICLE, VIN).title_since_ms, chain.now)
    chain.do("bmw", gift(life), HEIR)
    chain.do(HEIR, gift(life, "bmw"), "bmw")
    assert not covers(found, "present", address("bmw"), VIN, chain.state(VEHICLE, VIN).title_since_ms, chain.now)


def test_what_was_shown_counts_when_the_block_is_made() -> None:
    """The registrar writes a usage brand between the receiver's signature and the block."""
    life = at("born")
    chain = life.chain
    raw = chain.sign("bmw", gift(life), HEIR)
    chain.do("registrar-1", put(chain, usage="rental"))
    assert ["disclosure_stale"] == chain.unmet(raw)
    chain.do("bmw", gift(life), HEIR)
    assert address(HEIR) == chain.state(VEHICLE, VIN).holder


def test_a_given_car_can_be_listed_by_who_has_it_now() -> None:
    life = at("born")
    chain = life.chain
    chain.do("bmw", gift(life, "dealer-munich"), "dealer-munich")
    assert [] == chain.unmet(chain.sign("dealer-munich", listing(chain)))
    assert ["not_a_party"] == chain.unmet(chain.sign("bmw", listing(chain)))


def test_a_bank_sets_its_lien_and_the_car_is_bound_by_it() -> None:
    """By real transactions: the lien of a bank, which the holder signs, binds gift and export."""
    life = at("born")
    chain = life.chain
    chain.do("bank-1", FlagSet(VIN, "lien", None, chain.now + 90 * DAY_MS, True), "bmw")
    assert ["signature_missing"] == chain.unmet(chain.sign("bmw", gift(life), HEIR))
    chain.do("bmw", gift(life), HEIR, "bank-1")
    assert ["lien"] == [flag.name for flag in chain.state(VEHICLE, VIN).flags]
