"""Stop-flags: `flag.set` and `flag.clear`, and how inspections, recalls and decisions set and lift them.

The table `stop_flags` says who may set and lift each. A flag is firm; or provisional, if a single writer has set it:
then it blocks less and lapses.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final, Literal, NamedTuple

from msgspec import Meta
from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import Reader
from node.ledger.fields import Address, FlagName, Hash32, OptionalTime, Vin
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.stop_flags import StopFlag
from node.txtypes.members.conduct import (
    add_provisional_flag,
    check_not_on_hold,
    drop_provisional_flag,
    provisional_flags,
)
from node.txtypes.members.member import MEMBER, active_member, has_role
from node.txtypes.vehicle.alerts import alert_elsewhere
from node.txtypes.vehicle.guards import require_vehicle
from node.txtypes.vehicle.life import COOLDOWNS_MAX, LIFE, NO_LIFE, Cooldown, cooldowns_at, parts_taken
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import LIENS_MAX, Flag, flags_at, objected_by
from node.txtypes.vehicle.relation import NOT_INDEPENDENT, is_independent, related
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, blocks_of, vehicle_at

PaidOff = Annotated[tuple[Address, ...], Meta(max_length=LIENS_MAX)]
"""Banks that sign since their liens end with the act."""
DO_NOT_DRIVE: Final = "recall_do_not_drive"
"""The stop-flag that a car has while a recall of the class `stop_drive` is open on it."""
OWN_RIGHT: Final = ("lien", DO_NOT_DRIVE)
"""Flags that an account related to the holder may lift too: a bank gives up its own right, and a repair ends a
recall."""

FLAG_SETTER = Guard("flag_setter", "the account may not set this stop-flag",
                    "dieses Konto darf diesen Sperrvermerk nicht setzen", "该账户无权设置此禁止标记",
                    is_permission=True)  # fmt: skip
FLAG_CLEARER = Guard("flag_clearer", "these signers may not lift this stop-flag",
                     "diese Unterzeichner dürfen diesen Sperrvermerk nicht aufheben", "签署方无权解除此禁止标记",
                     is_permission=True)  # fmt: skip
FLAG_PRESENT = Guard("flag_present", "the car has this stop-flag already", "das Fahrzeug hat diesen Sperrvermerk schon",
                     "车辆已有此禁止标记")  # fmt: skip
FLAG_ABSENT = Guard("flag_absent", "the car has no such stop-flag of this setter, or it has lapsed",
                    "das Fahrzeug hat keinen solchen Sperrvermerk dieses Setzers, oder er ist erloschen",
                    "车辆没有该设置者的此禁止标记，或其已失效")  # fmt: skip
FLAGS_FULL = Guard("flags_full", "the car has as many stop-flags of this name as it can have",
                   "das Fahrzeug hat schon so viele Sperrvermerke dieses Namens wie möglich",
                   "车辆此类禁止标记已达上限")  # fmt: skip
FLAG_COOLDOWN = Guard("flag_cooldown", "the setter, or its group, has set a provisional flag on this car within 180 "
                      "days, or too many others have",
                      "der Setzer oder seine Gruppe hat in den letzten 180 Tagen einen vorläufigen Vermerk an diesem "
                      "Fahrzeug gesetzt, oder zu viele andere haben es",
                      "该设置者或其集团 180 天内已对此车设过临时标记，或其他设置者过多")  # fmt: skip
FLAGS_OPEN = Guard("flags_open", "the setter has too many provisional flags on all cars together",
                   "der Setzer hat zu viele vorläufige Vermerke an allen Fahrzeugen zusammen",
                   "该设置者在所有车辆上的临时标记过多")  # fmt: skip
FLAG_TOO_LONG = Guard("flag_too_long", "the stop-flag would last longer than it can",
                      "der Sperrvermerk würde länger gelten als erlaubt", "禁止标记期限过长")  # fmt: skip
HOLDER_MISSING = Guard("holder_missing", "the holder of the title must sign too",
                       "auch der Titelinhaber muss unterschreiben", "所有权人也须签名", is_permission=True)  # fmt: skip


# --- what a car has ---------------------------------------------------------------------------------------
def flag_of(vehicle: Vehicle, name: str, now_ms: int, setter: bytes = b"") -> Flag | None:
    """The flag of this name that has not lapsed; if there are several, that of the setter."""
    alive = (flag for flag in flags_at(vehicle.flags, now_ms) if flag.name == name)
    return next((flag for flag in alive if not setter or flag.setter == setter), None)


def is_flag_set(before: Vehicle, after: Vehicle, now_ms: int) -> bool:
    """Whether a flag was set or became firm. One that is lifted or has lapsed is no news to a buyer."""
    return not set(flags_at(after.flags, now_ms)) <= set(flags_at(before.flags, now_ms))


def country_of(reader: Reader, address: bytes, role: str, now_ms: int) -> str:
    """The country for which a member has a role, or the member's own country if the grant names none."""
    member = reader.get(MEMBER, address)
    if member is None:
        return ""
    grants = (grant.country for grant in member.grants if grant.role == role and grant.is_active(now_ms))
    return next((country for country in grants if country), member.country)


def _role_of(ledger: Ledger, address: bytes, roles: Collection[str]) -> str:
    return next((role for role in roles if has_role(ledger, address, role)), "")


# --- effects, also of inspections, recalls and decisions ----------------------------------------------------
def with_firm_flag(
    ledger: Ledger, vehicle: Vehicle, name: str, until_ms: int = 0, *, case: bytes = b"", country: str = "",
    setter: bytes = b"",
) -> Vehicle:  # fmt: skip
    """The vehicle with a firm flag that the sender, or another `setter`, sets by the vehicle's *next* record. It takes
    the place of a provisional one and of the one that it renews; of liens, of the same bank's."""
    flag = Flag(name, setter or ledger.sender, country, case, ledger.now_ms, until_ms, True, vehicle.record_count)
    return _with(ledger, vehicle, flag)


def with_confirmed_flag(ledger: Ledger, vehicle: Vehicle, name: str) -> Vehicle:
    """The vehicle with another writer's provisional flag made firm, since two unrelated writers have set it."""
    found = flag_of(vehicle, name, ledger.now_ms)
    assert found is not None, "guarded"
    longest = ledger.rules.tables.stop_flags[name].longest_days
    until = ledger.now_ms + longest * DAY_MS if longest else 0
    return _with(ledger, vehicle, replace(found, until_ms=until, is_firm=True))


def with_provisional_flag(
    ledger: Ledger, vin: str, vehicle: Vehicle, name: str, until_ms: int = 0, *, case: bytes = b"", country: str = ""
) -> Vehicle:
    """The vehicle with a provisional flag, which the sender sets by the vehicle's *next* record, or with that of
    another writer made firm. The caller checks `can_set_provisional`."""
    if flag_of(vehicle, name, ledger.now_ms) is not None:
        return with_confirmed_flag(ledger, vehicle, name)
    tables = ledger.rules.tables
    until = until_ms or ledger.now_ms + tables.stop_flags[name].provisional_days * DAY_MS
    add_provisional_flag(ledger, ledger.sender, until)
    start_cooldown(ledger, vin)
    flag = Flag(name, ledger.sender, country, case, ledger.now_ms, until, False, vehicle.record_count)
    return _with(ledger, vehicle, flag)


def start_cooldown(ledger: Ledger, vin: str) -> None:
    """The sender and its group set nothing provisional on the car for a time, also once this is gone."""
    life = ledger.get(LIFE, vin) or NO_LIFE
    rest = Cooldown(ledger.sender, ledger.now_ms + ledger.rules.tables.stop_flag_cooldown_days * DAY_MS)
    ledger.put(LIFE, vin, replace(life, cooldowns=(*cooldowns_at(life, ledger.now_ms), rest)))


def _with(ledger: Ledger, vehicle: Vehicle, flag: Flag) -> Vehicle:
    vehicle = vehicle_at(vehicle, ledger.now_ms)
    several = ledger.rules.tables.stop_flags[flag.name].count_max > 1
    old = flag_of(vehicle, flag.name, ledger.now_ms, flag.setter if several else b"")
    kept = without_flag(ledger, vehicle, old).flags if old is not None else flags_at(vehicle.flags, ledger.now_ms)
    registration = objected_by(flag, vehicle.registration, blocks_of(flag, ledger.rules), ledger.now_ms)
    flags = tuple(sorted((*kept, flag), key=lambda entry: (entry.name, entry.setter)))
    return replace(vehicle, flags=flags, registration=registration)


def without_flag(ledger: Ledger, vehicle: Vehicle, flag: Flag) -> Vehicle:
    """The vehicle without a flag, and without the flags that have lapsed."""
    if not flag.is_firm:
        drop_provisional_flag(ledger, flag.setter, flag.until_ms)
    kept = tuple(entry for entry in flags_at(vehicle.flags, ledger.now_ms) if entry != flag)
    return replace(vehicle, flags=kept)


def check_paid_off(ledger: Ledger, vin: str, vehicle: Vehicle, banks: PaidOff) -> None:
    """Notes each bank that has no lien on the car."""
    for bank in banks:
        if flag_of(vehicle, "lien", ledger.now_ms, bank) is None:
            ledger.unmet(FLAG_ABSENT, vin, need=f"lien of {to_text(bank)}")


def without_liens(ledger: Ledger, vehicle: Vehicle, banks: PaidOff) -> Vehicle:
    """The vehicle without the liens of the banks that sign."""
    for bank in banks:
        flag = flag_of(vehicle, "lien", ledger.now_ms, bank)
        assert flag is not None, "guarded"
        vehicle = without_flag(ledger, vehicle, flag)
    return vehicle


def can_set_provisional(ledger: Ledger, vin: str, vehicle: Vehicle, name: str) -> bool:
    """Whether the sender may set the flag provisionally, or make another writer's provisional flag firm."""
    found = flag_of(vehicle, name, ledger.now_ms)
    if found is not None:
        return _is_second(ledger, vin, found)
    return not _has_too_many(ledger) and not rests_until(ledger, vin)


def check_provisional(ledger: Ledger, vin: str, vehicle: Vehicle, name: str) -> None:
    """Notes why the sender may not set the flag provisionally (see `can_set_provisional`)."""
    found = flag_of(vehicle, name, ledger.now_ms)
    if found is not None:
        if not _is_second(ledger, vin, found):
            ledger.unmet(FLAG_PRESENT, vin, name, "none, or a provisional one of a setter that is not related")
        return
    if _has_too_many(ledger):
        most = ledger.rules.tables.stop_flag_provisional_max
        ledger.unmet(FLAGS_OPEN, to_text(ledger.sender), need=f"at most {most}")
    until_ms = rests_until(ledger, vin)
    if until_ms:
        ledger.unmet(FLAG_COOLDOWN, vin, name, f"from {time_to_text(until_ms)} on")


def _is_second(ledger: Ledger, vin: str, found: Flag) -> bool:
    return not found.is_firm and not related(ledger, found.setter, ledger.sender, vin, ledger.now_ms)


def _has_too_many(ledger: Ledger) -> bool:
    alive = provisional_flags(ledger, ledger.sender, ledger.now_ms)
    return len(alive) >= ledger.rules.tables.stop_flag_provisional_max


def rests_until(ledger: Ledger, vin: str) -> int:
    """The time from which the sender may set a provisional flag on the car again, or report a provisional total loss of
    it, 0 for now. It waits for its own
    cool-down and for those of its group; if the list of cool-downs is full, for the first of them."""
    resting = cooldowns_at(ledger.get(LIFE, vin) or NO_LIFE, ledger.now_ms)
    own = [entry.until_ms for entry in resting if related(ledger, entry.setter, ledger.sender)]
    if own:
        return max(own)
    return min(entry.until_ms for entry in resting) if len(resting) >= COOLDOWNS_MAX else 0


# --- the types --------------------------------------------------------------------------------------------
class _Setting(NamedTuple):
    """Whether a sender sets a flag firm or provisionally, and the role in which it does."""

    how: Literal["firm", "provisional"]
    role: str


class FlagSet(TransactionBody, tag="flag.set", frozen=True):
    """Set a stop-flag. Police, registrar and a bank with the holder's signature set it firm; an inspector alone only
    provisionally, until the holder signs or a second one that is not related sets it too. `until` empty is the longest
    time that the table allows. `case`: commitment to the sender's file. `stolen` leaves the alert `part_from_stolen` on
    the cars that parts of this one were fitted to within 90 days."""

    vin: Vin
    name: FlagName
    case: Hash32 | None
    until_ms: OptionalTime = 0
    holder_signs: bool = False
    reports_event: ClassVar[bool] = False
    headline: ClassVar[tuple[str, ...]] = ("name", "until_ms")
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "name": "odometer_investigation", "case": None, "until": "+20d",
        "holder_signs": False,
    })  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin) if self.holder_signs else None
        return (vehicle.holder,) if vehicle is not None else ()

    def _setting(self, ledger: Ledger, rule: StopFlag) -> _Setting | None:
        for signers in rule.set_by:
            needs_holder = "holder" in signers
            role = _role_of(ledger, ledger.sender, [word for word in signers if word != "holder"][:1])
            if role and len(signers) == 1 + needs_holder:
                return _Setting("firm", role)
        role = _role_of(ledger, ledger.sender, rule.provisional_by)
        return _Setting("firm" if self.holder_signs else "provisional", role) if role else None

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_not_on_hold(ledger, ledger.sender)
        rule = ledger.rules.tables.stop_flags.get(self.name)  # an unknown one is `code_unknown`
        if rule is None:
            return
        setting = self._setting(ledger, rule)
        if setting is None:
            ledger.unmet(FLAG_SETTER, to_text(ledger.sender), self.name)
            return
        if (setting.role, "holder") in rule.set_by and not self.holder_signs:
            ledger.unmet(HOLDER_MISSING, self.vin)
        self._check_until(ledger, rule, setting)
        if vehicle is None:
            return
        if setting.how == "provisional":
            check_provisional(ledger, self.vin, vehicle, self.name)
            return
        self._check_room(ledger, vehicle, rule, setting)

    def _check_until(self, ledger: Ledger, rule: StopFlag, setting: _Setting) -> None:
        given = time_to_text(self.until_ms) if self.until_ms else ""
        if 0 < self.until_ms <= ledger.now_ms or (rule.needs_until and not self.until_ms):
            ledger.unmet(EXPIRY_PASSED, self.name, given, f"after {time_to_text(ledger.now_ms)}")
        days = rule.longest_days if setting.how == "firm" else rule.provisional_days
        if days and self.until_ms > ledger.now_ms + days * DAY_MS:
            ledger.unmet(FLAG_TOO_LONG, self.name, given, f"at most {time_to_text(ledger.now_ms + days * DAY_MS)}")

    def _firm_until(self, ledger: Ledger, rule: StopFlag) -> int:
        return self.until_ms or (ledger.now_ms + rule.longest_days * DAY_MS if rule.longest_days else 0)

    def _check_room(self, ledger: Ledger, vehicle: Vehicle, rule: StopFlag, setting: _Setting) -> None:
        own = ledger.sender if rule.count_max > 1 else b""
        found = flag_of(vehicle, self.name, ledger.now_ms, own)
        if found is not None and found.is_firm:
            country = country_of(ledger, ledger.sender, setting.role, ledger.now_ms)
            is_longer = self._firm_until(ledger, rule) > found.until_ms
            if not (rule.is_renewable and found.country == country and is_longer):
                ledger.unmet(FLAG_PRESENT, self.vin, self.name)
        alive = [flag for flag in flags_at(vehicle.flags, ledger.now_ms) if flag.name == self.name]
        if found is None and len(alive) >= rule.count_max:
            ledger.unmet(FLAGS_FULL, self.vin, len(alive), f"at most {rule.count_max}")

    def apply(self, ledger: Ledger) -> None:
        vehicle, rule = ledger.the(VEHICLE, self.vin), ledger.rules.tables.stop_flags[self.name]
        setting, case = self._setting(ledger, rule), self.case or b""
        assert setting is not None, "guarded"
        country = country_of(ledger, ledger.sender, setting.role, ledger.now_ms)
        if setting.how == "provisional":
            vehicle = with_provisional_flag(
                ledger, self.vin, vehicle, self.name, self.until_ms, case=case, country=country
            )  # fmt: skip
        else:
            until = self._firm_until(ledger, rule)
            vehicle = with_firm_flag(ledger, vehicle, self.name, until, case=case, country=country)
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms, is_material=True)
        if self.name == "stolen":
            self._warn_of_parts(ledger)

    def _warn_of_parts(self, ledger: Ledger) -> None:
        """The cars that parts of the stolen one were fitted to have the alert."""
        for taken in parts_taken(ledger.get(LIFE, self.vin) or NO_LIFE, ledger.now_ms):
            alert_elsewhere(ledger, taken.vin, self, ledger.now_ms, ("part_from_stolen",))


class FlagClear(TransactionBody, tag="flag.clear", frozen=True):
    """Lift the stop-flag of a setter. `witness`: the second member that signs, if the table asks for two. The sender
    must be independent of the car's parties, except a bank that lifts its own lien."""

    vin: Vin
    name: FlagName
    setter: Address
    witness: Address | None
    case: Hash32 | None
    reports_event: ClassVar[bool] = False
    headline: ClassVar[tuple[str, ...]] = ("name",)
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "name": "odometer_investigation", "setter": "inspector-1", "witness": None,
        "case": None,
    })  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.witness,) if self.witness is not None else ()

    def _may(self, ledger: Ledger, flag: Flag, signers: tuple[str, ...], roles: Collection[str]) -> bool:
        """Whether `signers`, one line of the table, allows the sender and the witness to lift the flag together."""
        members = (ledger.sender, *self.signers(ledger))
        named = [word for word in signers if word in roles]
        if len(members) != max(1, len(named)) or self.witness == ledger.sender:
            return False
        if not all(has_role(ledger, member, role) for member, role in zip(members, named, strict=False)):
            return False
        for word in signers:
            match word:
                case "same_member":
                    is_met = ledger.sender == flag.setter and active_member(ledger, ledger.sender) is not None
                case "same_country":
                    is_met = country_of(ledger, ledger.sender, named[0], ledger.now_ms) == flag.country
                case "other_group":
                    is_met = not any(related(ledger, members[-1], one) for one in (ledger.sender, flag.setter))
                case _:
                    is_met = word in roles
            if not is_met:
                return False
        return True

    def guards(self, ledger: Ledger) -> None:
        vehicle, rules = require_vehicle(ledger, self.vin), ledger.rules.tables
        if vehicle is None:
            return
        for member in (ledger.sender, *self.signers(ledger)):
            if self._is_interested(ledger, vehicle, member):
                ledger.unmet(NOT_INDEPENDENT, to_text(member))
        flag = flag_of(vehicle, self.name, ledger.now_ms, self.setter)
        if flag is None:
            ledger.unmet(FLAG_ABSENT, self.vin, need=f"{self.name} of {to_text(self.setter)}")
            return
        for member in (ledger.sender, *self.signers(ledger)):
            if member != flag.setter:
                check_not_on_hold(ledger, member)
        if not any(self._may(ledger, flag, line, rules.roles) for line in rules.stop_flags[self.name].cleared_by):
            need = " or ".join(" + ".join(line) for line in rules.stop_flags[self.name].cleared_by)
            ledger.unmet(FLAG_CLEARER, to_text(ledger.sender), self.name, need)

    def _is_interested(self, ledger: Ledger, vehicle: Vehicle, member: bytes) -> bool:
        if self.name in OWN_RIGHT:
            return False
        return not is_independent(ledger, self.vin, vehicle, member, ledger.now_ms, ledger.now_ms)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        flag = flag_of(vehicle, self.name, ledger.now_ms, self.setter)
        assert flag is not None, "guarded"
        append_record(ledger, self.vin, without_flag(ledger, vehicle, flag), self, ledger.now_ms)
