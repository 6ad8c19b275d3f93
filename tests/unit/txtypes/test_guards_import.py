"""Guards of `vehicle.import`, and of the registration that follows a voided one."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from support.chain import DAY_MS, START_MS, address
from support.damage import give_role, group
from support.foreign import FOREIGN, imported
from support.governing import carry_out
from support.life import VIN, Life, register, where
from support.stages import Case, at, change, force, ledger_of, put_on_hold, table, use_up_acts

from node import limits
from node.ledger.body import TransactionBody
from node.rules.vin import check_digit
from node.txtypes.chain.actions import RoleGrant
from node.txtypes.members.makers import MAKERS, MAKERS_MAX, Makers, maker_since, with_maker
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.birth import void_import
from node.txtypes.vehicle.imports import Finding, PastEvent
from node.txtypes.vehicle.vehicle import VEHICLE

OF_BMW = "WBA8E9G50GNU77777"


def body(vin: str = FOREIGN, **changes) -> Callable[[Life], TransactionBody]:
    """`changes` may be functions of the life."""
    return lambda life: imported(
        life.chain, vin, **{name: value(life) if callable(value) else value for name, value in changes.items()}
    )


def case(name: str, make: Callable[[Life], TransactionBody], *codes: str, signed=("inspector-1",), before=None) -> Case:
    return Case(name, "", "dealer-munich", make, codes, signed, before or (lambda life: None))


def findings(life: Life, *but: str, **severities: str) -> tuple[Finding, ...]:
    """The specimen's, without `but`; severities by item, the dots left out."""
    kept = [f for f in imported(life.chain).findings if f.item not in but]
    return tuple(replace(f, severity=severities.get("i" + f.item.replace(".", ""))) for f in kept)


def history(life: Life, at_ms: int) -> tuple[PastEvent, ...]:
    return (replace(imported(life.chain).history[0], at_ms=at_ms),)


def na_vin(year: str = "3") -> str:
    plain = f"1HGCM8263{year}A004352"
    return plain[:8] + check_digit(plain) + plain[9:]


def wrong_digit(vin: str) -> str:
    return vin[:8] + ("1" if vin[8] != "1" else "2") + vin[9:]


def same_group(life: Life) -> None:
    change(life.chain, MEMBER, address("dealer-munich"), group="inspection-south")


def on_hold(life: Life) -> None:
    put_on_hold(life.chain, address("dealer-munich"))


def two_hundred(life: Life) -> None:
    use_up_acts(life.chain, address("dealer-munich"), "vehicle.import", limits.IMPORTS_PER_DAY_MAX)


def yesterday(life: Life) -> None:
    two_hundred(life)
    life.chain.now += DAY_MS


def there(life: Life) -> None:
    life.chain.do("dealer-munich", imported(life.chain), "inspector-1")


def suspended(life: Life) -> None:
    [grant] = life.chain.state(MEMBER, address("bmw")).grants
    change(life.chain, MEMBER, address("bmw"), grants=(replace(grant, wmis=("WMW",)),))


@table(
    case("a car of a maker that is not here", body()),
    Case("no dealer", "", "workshop-berlin", body(holder="workshop-berlin"), ("role_missing",), ("inspector-1",)),
    case("it is here", body(), "vehicle_exists", before=there),
    Case(
        "it was born here",
        "born",
        "dealer-munich",
        body(VIN, grade="A", confirmed_by="bmw"),
        ("vehicle_exists",),
        ("inspector-1", "bmw"),
    ),
    case("its inspector does not sign", body(), "signature_missing", signed=()),
    case("for another, who signs", body(holder="buyer-1"), signed=("inspector-1", "buyer-1")),
    case("for another, who does not", body(holder="buyer-1"), "signature_missing"),
    case("NA, good digit", body(na_vin(), vin_scheme="NA", produced_year=2003)),
    case("NA, wrong digit", body(wrong_digit(na_vin()), vin_scheme="NA", produced_year=2003), "vin_check_digit"),
    case("NA, made the year before", body(na_vin(), vin_scheme="NA", produced_year=2002)),
    case("NA, made another year", body(na_vin(), vin_scheme="NA"), "vin_year_code"),
    case("CN, of the year or thirty years before", body(na_vin("L"), vin_scheme="CN", produced_year=1990)),
    case("CN, made another year", body(na_vin("L"), vin_scheme="CN", produced_year=1993), "vin_year_code"),
    case("CN, year U", body(na_vin()[:9] + "U" + na_vin()[10:], vin_scheme="CN"), "vin_check_digit", "vin_year_code"),
    case("the event a week ago", body(event_at_ms=lambda life: life.chain.now - limits.ACT_AGE_MAX_MS)),
    case("longer ago", body(event_at_ms=lambda life: life.chain.now - limits.ACT_AGE_MAX_MS - 1), "event_not_now"),
    case("in the future", body(event_at_ms=lambda life: life.chain.now + 301_000), "event_in_future"),
    case("made in the future", body(produced_year=2027, first_registered_on="2026-01-01"), "event_in_future"),
    case("registered in the year before", body(first_registered_on="2018-01-01")),
    case("registered long before it was made", body(first_registered_on="2017-12-31"), "event_before_birth"),
    case("a history of before it was made", body(history=lambda life: history(life, 1_000)), "event_before_birth"),
    case("registered in the future", body(first_registered_on="2027-01-01"), "event_in_future"),
    case("a history after the import", body(history=lambda life: history(life, life.chain.now + 1)), "event_in_future"),
    case("a history until now", body(history=lambda life: history(life, life.chain.now))),
    case("another model", body(where=where(model="YARIS")), "model_differs"),
    case("a site of its own", body(where=where("MUC-1", "PRIUS"))),
    case("a site of nobody", body(where=where("MUC-9", "PRIUS")), "site_unknown"),
    case("a dealer on hold", body(), "author_on_hold", before=on_hold),
    case(
        "an inspector on hold",
        body(),
        "author_on_hold",
        before=lambda life: put_on_hold(life.chain, address("inspector-1")),
    ),
    case(
        "a registrar on hold",
        body(grade="B", confirmed_by="registrar-1"),
        "author_on_hold",
        signed=("inspector-1", "registrar-1"),
        before=lambda life: put_on_hold(life.chain, address("registrar-1")),
    ),
    case("200 today", body(), "acts_exhausted", before=two_hundred),
    case("200 yesterday", body(), before=yesterday),
    case("an unknown country", body(origin_country="ZZ"), "code_unknown"),
    case("from Kosovo", body(origin_country="XK")),
)
def test_import(case: Case) -> None:
    assert case.codes == case.run()


@table(
    case("who is no inspector", body(inspector="workshop-berlin"), "role_missing", signed=("workshop-berlin",)),
    case("the inspector is the holder", body(holder="inspector-1"), "not_independent"),
    case("of one group with the dealer", body(), "not_independent", before=same_group),
    case("another inspector", body(inspector="inspector-2"), signed=("inspector-2",), before=same_group),
    case("without the identification", body(findings=lambda life: findings(life, "0.2")), "inspection_unfit"),
    case("without the odometer", body(findings=lambda life: findings(life, "O1")), "inspection_unfit"),
    case("identity in doubt", body(findings=lambda life: findings(life, i02="major")), "inspection_unfit"),
    case(
        "a severity that the item has not", body(findings=lambda life: findings(life, i01="minor")), "inspection_unfit"
    ),
    case("a defect elsewhere", body(findings=lambda life: findings(life, i01="major"))),
)
def test_inspection(case: Case) -> None:
    assert case.codes == case.run()


@table(
    case("C, confirmed by somebody", body(confirmed_by="registrar-1"), "grade_unsigned",
         signed=("inspector-1", "registrar-1")),
    case("D", body(grade="D")),
    case("B, confirmed by a registrar", body(grade="B", confirmed_by="registrar-1"),
         signed=("inspector-1", "registrar-1")),
    case("B, confirmed by the dealer itself", body(grade="B", confirmed_by="dealer-munich"), "not_independent",
         before=lambda life: give_role(life.chain, "dealer-munich", "registrar")),
    case("B, confirmed by a registrar of the inspector's group", body(grade="B", confirmed_by="registrar-1"),
         "not_independent", signed=("inspector-1", "registrar-1"),
         before=lambda life: group(life.chain, "inspection", "registrar-1", "inspector-1")),
    case("B, confirmed by the police", body(grade="B", confirmed_by="police-1"), "grade_unsigned",
         signed=("inspector-1", "police-1")),
    case("B, confirmed by nobody", body(grade="B"), "grade_unsigned"),
    case("B, without the signature", body(grade="B", confirmed_by="registrar-1"), "signature_missing"),
    case("A, by another maker", body(grade="A", confirmed_by="bmw"), "grade_unsigned", signed=("inspector-1", "bmw")),
    case("A, by its maker", body(OF_BMW, grade="A", confirmed_by="bmw"), signed=("inspector-1", "bmw")),
    case("made before the maker joined", body(OF_BMW, produced_year=2025)),
    case("made in the year it joined", body(OF_BMW, produced_year=2026, first_registered_on="2026-01-01",
         history=()), "birth_expected"),
    case("made since, by its maker", body(OF_BMW, produced_year=2026, first_registered_on="2026-01-01", history=(),
         grade="A", confirmed_by="bmw"), signed=("inspector-1", "bmw")),
    case("made since, the maker has lost the WMI", body(OF_BMW, produced_year=2026, first_registered_on="2026-01-01",
         history=()), before=suspended),
    case("made since, by nobody of this chain", body(produced_year=2026, first_registered_on="2026-01-01",
         history=())),
)  # fmt: skip
def test_grade(case: Case) -> None:
    assert case.codes == case.run()


# --- the VIN of a voided import ----------------------------------------------------------------------------
def squatted(life: Life) -> None:
    """A car of BMW's before it joined, which was imported and then found to be false."""
    life.chain.do("dealer-munich", imported(life.chain, VIN, produced_year=2025, history=()), "inspector-1")


def voided(life: Life) -> None:
    squatted(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    force(life.chain, VEHICLE, VIN, void_import(ledger_of(life.chain), VIN, vehicle))


def scrapped(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, existence="scrapped")


@table(
    Case("imported", "", "bmw", lambda life: register(), ("vehicle_exists",), (), squatted),
    Case("voided", "", "bmw", lambda life: register(), (), (), voided),
    Case("voided, by another", "", "dealer-munich", lambda life: register(), ("role_missing",), (), voided),
    Case("voided, imported again", "", "dealer-munich", body(VIN, produced_year=2025), ("vehicle_exists",),
         ("inspector-1",), voided),
    Case("scrapped", "born", "bmw", lambda life: register(), ("vehicle_exists",), (), scrapped),
)  # fmt: skip
def test_a_voided_vin_can_be_registered(case: Case) -> None:
    assert case.codes == case.run()


# --- makers ------------------------------------------------------------------------------------------------
def manufacturer(*wmis: str) -> RoleGrant:
    return RoleGrant(address("dealer-shanghai"), "manufacturer", wmis, "", (), 0, 0)


def test_governance_names_the_makers_of_an_identifier() -> None:
    chain = at("").chain
    assert address("bmw") == chain.state(MAKERS, "WBA").makers[0].address
    assert START_MS == chain.state(MAKERS, "WBA").makers[0].since_ms
    assert chain.state(MAKERS, "JTD") is None
    assert carry_out(chain, manufacturer("JTD", "WBA")) == "carried_out"
    assert [address("dealer-shanghai")] == [maker.address for maker in chain.state(MAKERS, "JTD").makers]
    assert [address("bmw"), address("dealer-shanghai")] == [m.address for m in chain.state(MAKERS, "WBA").makers]


def test_the_first_maker_that_still_is_one_counts() -> None:
    chain = at("").chain
    carry_out(chain, manufacturer("WBA"))

    class Reader:
        def get(self, family, ident):
            return chain.state(family, ident)

    assert address("bmw") == maker_since(Reader(), "WBA", chain.now).address
    [grant] = chain.state(MEMBER, address("bmw")).grants
    change(chain, MEMBER, address("bmw"), grants=(replace(grant, wmis=("WMW",)),))
    assert address("dealer-shanghai") == maker_since(Reader(), "WBA", chain.now).address
    assert maker_since(Reader(), "JTD", chain.now) is None


def test_the_list_of_makers_is_bounded_and_keeps_the_first_time() -> None:
    makers = Makers(())
    for n in range(MAKERS_MAX + 2):
        makers = with_maker(makers, bytes([n]) * 20, n)
    assert list(range(MAKERS_MAX)) == [maker.since_ms for maker in makers.makers]
    assert makers == with_maker(makers, bytes(20), 99)
