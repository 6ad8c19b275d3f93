"""Stop-flags: who sets and lifts each, for how long, and what a provisional one does and does not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain, address
from support.life import VIN, Life, acknowledge, flag, handover, transfer
from support.stages import Case, at, change, force, ledger_of, put_on_hold, table

from node.chain.dev_genesis import DEV_PARTIES
from node.crypto.addresses import to_text
from node.ledger.guards import GuardsUnmet
from node.rules.roles import ROLES
from node.rules.stop_flags import OPERATIONS, STOP_FLAGS
from node.txtypes.disputes.rulings import Ruling, carry_out
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.life import COOLDOWNS_MAX, LIFE, NO_LIFE, Cooldown, Repairer
from node.txtypes.vehicle.regions import LIENS_MAX, flags_at
from node.txtypes.vehicle.stop_flags import FlagClear, FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, blocks_of

OF_ROLE = {role: party.name for party in reversed(DEV_PARTIES) for role, _ in party.roles[:1]}
"""One development party for each role."""
CASE = bytes(range(32))


def setting(name: str, *, until_ms: int = 0, holder_signs: bool = False) -> FlagSet:
    return FlagSet(VIN, name, CASE, until_ms, holder_signs)


def lifting(name: str, setter: str, witness: str = "") -> FlagClear:
    return FlagClear(VIN, name, address(setter), address(witness) if witness else None, None)


def car(chain: Chain) -> Vehicle:
    found: Vehicle = chain.state(VEHICLE, VIN)
    return found


def alive(chain: Chain) -> list[tuple[str, bool]]:
    return [(entry.name, entry.is_firm) for entry in flags_at(car(chain).flags, chain.now)]


def tried(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def flagged(name: str, setter: str, *, is_firm: bool = True, until_ms: int = 0) -> Life:
    life = at("wholesale")
    change(life.chain, VEHICLE, VIN, flags=(flag(name, setter, is_firm=is_firm, until_ms=until_ms),))
    return life


def in_group(life: Life, group: str, *members: str) -> None:
    for member in members:
        change(life.chain, MEMBER, address(member), group=group)


# --- who sets ---------------------------------------------------------------------------------------------
FIRM = {
    "stolen": {"police"}, "court_hold": {"registrar"}, "unroadworthy": {"police"}, "lien": set(),
    "recall_do_not_drive": set(), "title_dispute": {"police", "registrar"},
    "odometer_investigation": {"police", "registrar"}, "identity_suspect": {"police", "registrar"},
}  # fmt: skip
PROVISIONAL = {"unroadworthy": 14, "odometer_investigation": 30, "identity_suspect": 14}
"""Flag to the days of one that an inspector sets alone."""


@pytest.mark.parametrize("name", STOP_FLAGS)
@pytest.mark.parametrize("role", ROLES)
def test_each_role_sets_what_it_may(name: str, role: str) -> None:
    life = at("wholesale")
    if role in FIRM[name]:
        life.chain.do(OF_ROLE[role], setting(name))
        assert [(name, True)] == alive(life.chain)
    elif role == "inspector" and name in PROVISIONAL:
        life.chain.do(OF_ROLE[role], setting(name))
        assert [(name, False)] == alive(life.chain)
    else:
        until_ms = life.chain.now + DAY_MS if name == "lien" else 0
        expected = ["holder_missing"] if (name, role) == ("lien", "bank") else ["flag_setter"]
        assert expected == tried(life, OF_ROLE[role], setting(name, until_ms=until_ms))


def test_a_buyer_sets_nothing() -> None:
    assert ["flag_setter"] == tried(at("wholesale"), "buyer-1", setting("stolen"))
    assert ["code_unknown"] == tried(at("wholesale"), "buyer-1", setting("too_red"))


def test_a_flag_needs_a_living_car() -> None:
    assert ["vehicle_unknown"] == tried(at(""), "police-1", setting("stolen"))
    life = at("wholesale")
    change(life.chain, VEHICLE, VIN, existence="scrapped")
    assert ["vehicle_ended"] == tried(life, "police-1", setting("stolen"))


def test_a_flag_names_its_record_and_is_material_until_it_is_lifted() -> None:
    life = at("wholesale")
    before = car(life.chain)
    life.chain.do("police-1", setting("stolen"))
    after = car(life.chain)
    (set_flag,) = after.flags
    assert (before.record_count, "DE", CASE) == (set_flag.sequence, set_flag.country, set_flag.case)
    assert before.material_changes + 1 == after.material_changes
    life.chain.do("police-1", lifting("stolen", "police-1"))
    assert () == car(life.chain).flags
    assert after.material_changes == car(life.chain).material_changes


def test_an_author_on_hold_sets_no_flag() -> None:
    life = at("wholesale")
    put_on_hold(life.chain, address("inspector-1"))
    assert ["author_on_hold"] == tried(life, "inspector-1", setting("identity_suspect"))


# --- how long ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "sender", "days"),
    [("court_hold", "registrar-1", 1_100), ("title_dispute", "police-1", 180), ("identity_suspect", "inspector-1", 14),
     ("odometer_investigation", "inspector-1", 30), ("odometer_investigation", "police-1", 180)],
)  # fmt: skip
def test_no_flag_lasts_longer_than_its_table_says(name: str, sender: str, days: int) -> None:
    life = at("wholesale")
    latest = life.chain.now + days * DAY_MS
    assert [] == tried(life, sender, setting(name, until_ms=latest))
    assert ["flag_too_long"] == tried(life, sender, setting(name, until_ms=latest + 1))
    life.chain.do(sender, setting(name))
    assert latest == car(life.chain).flags[0].until_ms


def test_a_deadline_is_ahead_and_a_lien_has_one() -> None:
    life = at("wholesale")
    assert ["expiry_passed"] == tried(life, "police-1", setting("stolen", until_ms=life.chain.now))
    assert [] == tried(life, "police-1", setting("stolen", until_ms=life.chain.now + 1))
    assert ["expiry_passed"] == tried(life, "bank-1", setting("lien", holder_signs=True), "dealer-munich")


def test_a_hold_is_renewed_by_a_registrar_of_its_country() -> None:
    life = at("wholesale")
    life.chain.do("registrar-1", setting("court_hold", until_ms=life.chain.now + DAY_MS))
    assert ["flag_present"] == tried(life, "registrar-2", setting("court_hold"))
    earlier = setting("court_hold", until_ms=life.chain.now + 1_000)
    assert ["flag_present"] == tried(life, "registrar-1", earlier)
    life.chain.do("registrar-1", setting("court_hold"))
    (renewed,) = car(life.chain).flags
    assert life.chain.now - 1_000 + 1_100 * DAY_MS == renewed.until_ms


def test_other_flags_are_not_renewed() -> None:
    life = flagged("title_dispute", "registrar-1", until_ms=at("wholesale").chain.now + DAY_MS)
    assert ["flag_present"] == tried(life, "registrar-1", setting("title_dispute"))
    life.chain.now += 2 * DAY_MS
    assert [] == tried(life, "registrar-1", setting("title_dispute"))


# --- provisional flags ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "days"), PROVISIONAL.items())
def test_a_provisional_flag_lapses(name: str, days: int) -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting(name))
    end = car(life.chain).flags[0].until_ms
    life.chain.now = end - 1
    assert [(name, False)] == alive(life.chain)
    life.chain.now = end
    assert [] == alive(life.chain)
    assert life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms == (end,)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", PROVISIONAL)
def test_a_provisional_flag_blocks_handover_and_transfer_only(name: str, operation: str) -> None:
    given = flag(name, is_firm=False, until_ms=1)
    blocked = operation in ("handover", "transfer") and operation in STOP_FLAGS[name].blocks
    assert blocked == (operation in blocks_of(given, RULESETS[1]))
    assert (operation in STOP_FLAGS[name].blocks) == (operation in blocks_of(replace(given, is_firm=True), RULESETS[1]))


def test_a_second_setter_who_is_not_related_makes_it_firm() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("odometer_investigation"))
    assert ["flag_present"] == tried(life, "inspector-1", setting("odometer_investigation"))
    life.chain.do("inspector-2", setting("odometer_investigation"))
    assert [("odometer_investigation", True)] == alive(life.chain)
    assert address("inspector-1") == car(life.chain).flags[0].setter
    assert () == life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms
    assert life.chain.state(CONDUCT, address("inspector-2")) is None


def test_a_second_setter_of_the_same_group_does_not() -> None:
    life = at("wholesale")
    in_group(life, "inspection", "inspector-1", "inspector-2")
    life.chain.do("inspector-1", setting("identity_suspect"))
    assert ["flag_present"] == tried(life, "inspector-2", setting("identity_suspect"))


def test_the_holders_signature_makes_it_firm() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("odometer_investigation"))
    body = setting("odometer_investigation", holder_signs=True)
    assert ["signature_missing"] == tried(life, "inspector-1", body)
    life.chain.do("inspector-1", body, "dealer-munich")
    assert [("odometer_investigation", True)] == alive(life.chain)
    assert () == life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms


def test_police_takes_the_place_of_a_provisional_flag() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("identity_suspect"))
    life.chain.do("police-1", setting("identity_suspect"))
    assert [("identity_suspect", True)] == alive(life.chain)
    assert address("police-1") == car(life.chain).flags[0].setter
    assert ["flag_present"] == tried(life, "inspector-2", setting("identity_suspect"))


def test_the_same_setter_and_its_group_cool_down() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("identity_suspect"))
    set_at = life.chain.now - 1_000
    assert ["flag_cooldown"] == tried(life, "inspector-1", setting("odometer_investigation"))
    assert [] == tried(life, "inspector-2", setting("odometer_investigation"))
    life.chain.now = set_at + 180 * DAY_MS - 1
    assert ["flag_cooldown"] == tried(life, "inspector-1", setting("identity_suspect"))
    in_group(life, "inspection", "inspector-1", "inspector-2")
    assert ["flag_cooldown"] == tried(life, "inspector-2", setting("identity_suspect"))
    life.chain.now += 1
    assert [] == tried(life, "inspector-1", setting("identity_suspect"))


def test_a_full_list_of_cool_downs_keeps_others_quiet() -> None:
    life = at("wholesale")
    until = life.chain.now + DAY_MS
    resting = tuple(Cooldown(bytes([number]) * 20, until) for number in range(COOLDOWNS_MAX))
    force(life.chain, LIFE, VIN, replace(life.chain.state(LIFE, VIN) or NO_LIFE, cooldowns=resting))
    assert ["flag_cooldown"] == tried(life, "inspector-1", setting("identity_suspect"))
    assert [] == tried(life, "police-1", setting("identity_suspect"))
    life.chain.now = until
    life.chain.do("inspector-1", setting("identity_suspect"))
    assert [address("inspector-1")] == [entry.setter for entry in life.chain.state(LIFE, VIN).cooldowns]


def test_five_provisional_flags_on_all_cars_are_enough() -> None:
    life = at("wholesale")
    ends = tuple(life.chain.now + day * DAY_MS for day in range(1, 6))
    force(life.chain, CONDUCT, address("inspector-1"), replace(NO_CONDUCT, provisional_until_ms=ends))
    assert ["flags_open"] == tried(life, "inspector-1", setting("identity_suspect"))
    life.chain.now = ends[0]
    life.chain.do("inspector-1", setting("identity_suspect"))
    kept = life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms
    assert 5 == len(kept)
    assert ends[1:] == tuple(end for end in kept if end in ends)


# --- liens ------------------------------------------------------------------------------------------------
def with_lien(stage: str = "wholesale", holder: str = "dealer-munich") -> Life:
    life = at(stage)
    body = setting("lien", until_ms=life.chain.now + 365 * DAY_MS, holder_signs=True)
    life.chain.do("bank-1", body, holder)
    return life


def test_a_bank_has_one_lien_on_a_car_and_a_car_has_four() -> None:
    life = with_lien()
    body = setting("lien", until_ms=life.chain.now + DAY_MS, holder_signs=True)
    assert ["flag_present"] == tried(life, "bank-1", body, "dealer-munich")
    bank = life.chain.state(MEMBER, address("bank-1")).grants
    change(life.chain, MEMBER, address("insurer-1"), grants=bank)
    assert [] == tried(life, "insurer-1", body, "dealer-munich")
    others = tuple(flag("lien", name) for name in ("police-1", "carrier-1", "bmw"))
    change(life.chain, VEHICLE, VIN, flags=(*car(life.chain).flags, *others))
    assert LIENS_MAX == len(car(life.chain).flags)
    assert ["flags_full"] == tried(life, "insurer-1", body, "dealer-munich")


def test_a_lien_lapses_at_its_end() -> None:
    life = with_lien()
    life.chain.now = car(life.chain).flags[0].until_ms
    assert [] == alive(life.chain)


def test_a_transfer_waits_for_the_bank_or_is_signed_by_it() -> None:
    life = with_lien()
    body = transfer(life.chain, "dealer-shanghai", 200)
    assert ["stop_flag"] == tried(life, "dealer-munich", body, "dealer-shanghai")
    other = replace(body, paid_off=(address("insurer-1"),))
    assert ["flag_absent", "stop_flag"] == tried(life, "dealer-munich", other, "dealer-shanghai", "insurer-1")
    paid = replace(body, paid_off=(address("bank-1"),))
    assert ["signature_missing"] == tried(life, "dealer-munich", paid, "dealer-shanghai")
    life.chain.do("dealer-munich", paid, "dealer-shanghai", "bank-1")
    assert (address("dealer-shanghai"), ()) == (car(life.chain).holder, car(life.chain).flags)


def test_a_handover_waits_for_the_bank_or_is_signed_by_it() -> None:
    life = with_lien("paid")
    change_agreed(life)
    body = handover(life.chain, life.order)
    assert ["stop_flag"] == tried(life, "dealer-munich", body, "buyer-1")
    life.chain.do("dealer-munich", replace(body, paid_off=(address("bank-1"),)), "buyer-1", "bank-1")
    assert (address("buyer-1"), ()) == (car(life.chain).holder, car(life.chain).flags)


def change_agreed(life: Life) -> None:
    life.chain.do("buyer-1", acknowledge(life.chain, life.order))


def test_a_bank_that_signs_lifts_no_other_block() -> None:
    life = with_lien()
    change(life.chain, VEHICLE, VIN, flags=(*car(life.chain).flags, flag("stolen")))
    paid = transfer(life.chain, "dealer-shanghai", 200, paid_off=(address("bank-1"),))
    assert ["stop_flag"] == tried(life, "dealer-munich", paid, "dealer-shanghai", "bank-1")


# --- who lifts --------------------------------------------------------------------------------------------
LIFTED = {
    "stolen": [("police-1", ""), ("police-1", "registrar-1"), ("police-1", "registrar-2")],
    "lien": [("bank-1", ""), ("registrar-1", ""), ("registrar-2", "")],
    "court_hold": [("registrar-1", "")],
    "unroadworthy": [],
    "recall_do_not_drive": [],
    "title_dispute": [("registrar-1", ""), ("registrar-2", "")],
    "odometer_investigation": [("inspector-1", "")],
    "identity_suspect": [("police-1", "inspector-1"), ("police-1", "inspector-2")],
}
SETTERS = {"lien": "bank-1", "court_hold": "registrar-1", "odometer_investigation": "inspector-1"}
WITNESSES = ("", "registrar-1", "registrar-2", "inspector-1", "inspector-2", "arbiter-1")
MEMBERS = (
    "police-1", "registrar-1", "registrar-2", "bank-1", "inspector-1", "inspector-2", "workshop-berlin", "arbiter-1",
    "insurer-1", "dealer-shanghai",
)  # fmt: skip


@pytest.mark.parametrize("name", STOP_FLAGS)
def test_each_flag_is_lifted_by_whom_its_table_names(name: str) -> None:
    setter = SETTERS.get(name, "police-1")
    life = flagged(name, setter)
    for sender in MEMBERS:
        for witness in WITNESSES:
            if sender == witness:
                continue
            cosigners = (witness,) if witness else ()
            expected = [] if (sender, witness) in LIFTED[name] else ["flag_clearer"]
            assert expected == tried(life, sender, lifting(name, setter, witness), *cosigners), (sender, witness)


def test_the_witness_of_an_identity_is_of_another_group_than_the_setter() -> None:
    life = flagged("identity_suspect", "inspector-1", is_firm=False, until_ms=at("wholesale").chain.now + DAY_MS)
    assert ["flag_clearer"] == tried(
        life, "police-1", lifting("identity_suspect", "inspector-1", "inspector-1"), "inspector-1"
    )
    assert [] == tried(life, "police-1", lifting("identity_suspect", "inspector-1", "inspector-2"), "inspector-2")
    in_group(life, "inspection", "inspector-1", "inspector-2")
    assert ["flag_clearer"] == tried(
        life, "police-1", lifting("identity_suspect", "inspector-1", "inspector-2"), "inspector-2"
    )


def test_whoever_lifts_anothers_flag_is_not_on_hold() -> None:
    life = flagged("identity_suspect", "inspector-1", is_firm=False, until_ms=at("wholesale").chain.now + DAY_MS)
    both = lifting("identity_suspect", "inspector-1", "inspector-2")
    put_on_hold(life.chain, address("inspector-2"))
    assert ["author_on_hold"] == tried(life, "police-1", both, "inspector-2")
    own = flagged("odometer_investigation", "inspector-1")
    put_on_hold(own.chain, address("inspector-1"))
    assert [] == tried(own, "inspector-1", lifting("odometer_investigation", "inspector-1"))


def test_police_of_another_country_needs_a_registrar() -> None:
    life = flagged("stolen", "police-1")
    change(life.chain, VEHICLE, VIN, flags=(replace(flag("stolen"), country="CN"),))
    assert ["flag_clearer"] == tried(life, "police-1", lifting("stolen", "police-1"))
    assert [] == tried(life, "police-1", lifting("stolen", "police-1", "registrar-1"), "registrar-1")


@pytest.mark.parametrize(("name", "setter"), [("stolen", "registrar-1"), ("lien", "police-1")])
def test_what_is_not_there_or_of_another_is_not_lifted(name: str, setter: str) -> None:
    life = flagged("stolen", "police-1")
    assert ["flag_absent"] == tried(life, "police-1", lifting(name, setter))


def test_what_has_lapsed_is_not_lifted() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("odometer_investigation"))
    assert [] == tried(life, "inspector-1", lifting("odometer_investigation", "inspector-1"))
    life.chain.now = car(life.chain).flags[0].until_ms
    raw = life.chain.sign("inspector-1", lifting("odometer_investigation", "inspector-1"))
    with pytest.raises(GuardsUnmet) as caught:
        life.chain.build(raw)
    [unmet] = caught.value.unmet
    need = f"odometer_investigation of {to_text(address('inspector-1'))}"
    assert ("flag_absent", "", need) == (unmet.code, unmet.have, unmet.need)


def test_whoever_lifts_a_flag_has_a_distance() -> None:
    life = flagged("stolen", "police-1")
    in_group(life, "cars", "dealer-munich", "police-1")
    assert ["not_independent"] == tried(life, "police-1", lifting("stolen", "police-1"))
    in_group(life, "cars", "bmw")
    in_group(life, "", "dealer-munich")  # its former holder
    assert ["not_independent"] == tried(life, "police-1", lifting("stolen", "police-1"))
    in_group(life, "", "bmw")
    assert [] == tried(life, "police-1", lifting("stolen", "police-1"))
    in_group(life, "cars", "workshop-berlin")
    repaired = Repairer(address("workshop-berlin"), 0, life.chain.now)
    force(life.chain, LIFE, VIN, replace(life.chain.state(LIFE, VIN), repairers=(repaired,)))
    assert ["not_independent"] == tried(life, "police-1", lifting("stolen", "police-1"))
    life.chain.now += 180 * DAY_MS
    assert [] == tried(life, "police-1", lifting("stolen", "police-1"))


def test_a_bank_gives_its_own_right_up() -> None:
    life = flagged("lien", "bank-1")
    in_group(life, "cars", "dealer-munich", "bank-1")
    assert [] == tried(life, "bank-1", lifting("lien", "bank-1"))


def test_a_lifted_provisional_flag_does_not_count_any_more() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("odometer_investigation"))
    life.chain.do("inspector-1", lifting("odometer_investigation", "inspector-1"))
    assert () == life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms
    assert ["flag_cooldown"] == tried(life, "inspector-1", setting("identity_suspect"))


def test_an_annulled_record_takes_its_flag_with_it() -> None:
    life = at("wholesale")
    life.chain.do("inspector-1", setting("identity_suspect"))
    ledger = ledger_of(life.chain, address("arbiter-1"))
    ruling = Ruling("annulled", VIN, car(life.chain).flags[0].sequence, "flag.set")
    ruled = carry_out(ledger, ruling, car(life.chain))
    assert ((), False) == (ruled.vehicle.flags, ruled.is_material)
    assert () == ledger.the(CONDUCT, address("inspector-1")).provisional_until_ms


# --- one refusal for each guard ------------------------------------------------------------------------------
def _present(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, flags=(flag("stolen"),))


def _four_liens(life: Life) -> None:
    liens = tuple(flag("lien", name) for name in ("police-1", "carrier-1", "insurer-1", "dealer-shanghai"))
    change(life.chain, VEHICLE, VIN, flags=liens)


def _resting(life: Life) -> None:
    life.chain.do("inspector-1", setting("odometer_investigation"))


def _five_alive(life: Life) -> None:
    ends = (life.chain.now + DAY_MS,) * 5
    force(life.chain, CONDUCT, address("inspector-1"), replace(NO_CONDUCT, provisional_until_ms=ends))


def _related(life: Life) -> None:
    _present(life)
    in_group(life, "cars", "dealer-munich", "police-1")


def _lien(life: Life, *, holder_signs: bool = True) -> FlagSet:
    return setting("lien", until_ms=life.chain.now + DAY_MS, holder_signs=holder_signs)


@table(
    Case("set by nobody who may", "wholesale", "carrier-1", lambda life: setting("stolen"), ("flag_setter",)),
    Case("set twice", "wholesale", "police-1", lambda life: setting("stolen"), ("flag_present",), (), _present),
    Case("a fifth lien", "wholesale", "bank-1", _lien, ("flags_full",), ("dealer-munich",), _four_liens),
    Case("a lien without the holder", "wholesale", "bank-1", lambda life: _lien(life, holder_signs=False),
         ("holder_missing",)),
    Case("a lien without an end", "wholesale", "bank-1", lambda life: setting("lien", holder_signs=True),
         ("expiry_passed",), ("dealer-munich",)),
    Case("again within 180 days", "wholesale", "inspector-1", lambda life: setting("identity_suspect"),
         ("flag_cooldown",), (), _resting),
    Case("a sixth on all cars", "wholesale", "inspector-1", lambda life: setting("identity_suspect"),
         ("flags_open",), (), _five_alive),
    Case("for 15 days", "wholesale", "inspector-1",
         lambda life: setting("identity_suspect", until_ms=life.chain.now + 15 * DAY_MS), ("flag_too_long",)),
    Case("lifted by nobody who may", "wholesale", "bank-1", lambda life: lifting("stolen", "police-1"),
         ("flag_clearer",), (), _present),
    Case("lifted where there is none", "wholesale", "police-1", lambda life: lifting("stolen", "police-1"),
         ("flag_absent",)),
    Case("lifted by one of the holder's group", "wholesale", "police-1", lambda life: lifting("stolen", "police-1"),
         ("not_independent",), (), _related),
)  # fmt: skip
def test_a_stop_flag(case: Case) -> None:
    assert case.codes == case.run()
