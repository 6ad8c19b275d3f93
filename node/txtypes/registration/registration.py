"""Registration of a car with the authorities of countries: at most one has it registered or suspended.

Deadlines are lazy (see `vehicle.regions.registration_lapses`): a temporary registration ends, an export counts as
exported after 180 days, a claim takes effect after 30.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from msgspec.structs import replace

from node import limits
from node.ledger.body import Transitions
from node.ledger.example import Example
from node.ledger.fields import (
    Hash32,
    OptionalTime,
    RegistrationCountry,
    RegistrationEndReason,
    RegistrationKind,
    RegistrationSuspension,
    RegistrationUsage,
    Vin,
)
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.rules.outcomes import CLAIM_OBJECTED, CLAIM_OPENED, CLAIM_TAKES_EFFECT, RECALL_BEFORE_ACCEPT
from node.txtypes.vehicle.alerts import close_alert
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.conditions import TOTAL_LOSS, check_flags, check_shown, consenting
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.regions import (
    CLAIM_MS,
    EXPORT_MS,
    Registration,
    RegistrationClaim,
    claimed,
    ended_registration,
    find_alert,
    is_retest_overdue,
    status_of,
)
from node.txtypes.vehicle.report import Registrar, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now, vehicle_at, with_usage

Status = Literal["none", "registered", "suspended", "deregistered", "export_pending", "exported"]
Step = Literal["set", "suspend", "resume", "end", "confirm", "release", "export", "accept", "claim"]
"""What a record does. `end`: the country ends its registration. `confirm`: the car has left. `release`: as `confirm`,
while another country claims the car. `accept`: a country takes a car that has left or leaves for it. `claim`: a country
applies for a car that another has, which keeps its status until the claim takes effect."""

TRANSITIONS: Final[Transitions[Status]] = Transitions({
    "none": {"set": "registered", "accept": "registered"},
    "registered": {
        "set": "registered", "suspend": "suspended", "end": "deregistered", "confirm": "exported",
        "release": "registered", "export": "export_pending", "claim": "registered",
    },
    "suspended": {
        "resume": "registered", "end": "deregistered", "confirm": "exported", "release": "registered",
        "export": "export_pending", "claim": "suspended",
    },
    "deregistered": {"set": "registered", "export": "export_pending", "claim": "deregistered"},
    "export_pending": {
        "end": "deregistered", "confirm": "exported", "release": "registered", "accept": "registered",
        "claim": "export_pending",
    },
    "exported": {"accept": "registered"},
})  # fmt: skip

REGISTRATION_STATUS = Guard("registration_status", "the registration's status does not allow this",
                            "der Stand der Zulassung lässt das nicht zu", "注册状态不允许此操作")  # fmt: skip
REGISTERED_ELSEWHERE = Guard(
    "registered_elsewhere",
    "another country has the car: it exports the car first, or the holder applies for a claim and signs it",
    "ein anderes Land führt das Fahrzeug: es führt das Fahrzeug erst aus, oder der Halter beantragt die Übernahme und "
    "unterschreibt sie",
    "车辆在另一国登记：须先由该国办理出口，或由所有人申请并签署转入",
)
CLAIM_OPEN = Guard("claim_open", "a country claims the car: it is registered when the claim is decided",
                   "ein Land hat die Übernahme beantragt: zugelassen wird, wenn darüber entschieden ist",
                   "已有国家申请转入：待其决定后方可登记")  # fmt: skip
CLAIM_COOLDOWN = Guard("claim_cooldown", "the country's last claim was objected to: it may claim the car again later",
                       "der letzten Übernahme wurde widersprochen: das Land kann es später wieder beantragen",
                       "该国上次申请遭到异议：须待期限届满后再申请")  # fmt: skip
INSPECTION_OVERDUE = Guard("inspection_overdue", "the car's inspection or its retest is overdue",
                           "die Prüfung oder Nachprüfung des Fahrzeugs ist überfällig",
                           "车辆检验或复检已逾期")  # fmt: skip
RECALL_COMPLIANCE = Guard("recall_compliance", "a recall of class compliance is open on the car",
                          "für das Fahrzeug ist ein Rückruf der Klasse compliance offen",
                          "车辆存在未完成的合规召回")  # fmt: skip
REGISTRATION_TERM = Guard("registration_term", "a temporary registration has an end, any other has none",
                          "eine befristete Zulassung hat ein Ende, jede andere keines",
                          "临时登记须有截止时间，其他登记不得有")  # fmt: skip
REGISTRATION_REASON = Guard("registration_reason", "the registration of a scrapped car ends with vehicle.scrap",
                            "die Zulassung eines verschrotteten Fahrzeugs endet mit vehicle.scrap",
                            "报废车辆的登记由 vehicle.scrap 终止")  # fmt: skip
SAME_COUNTRY = Guard("same_country", "a car is exported to another country", "ausgeführt wird in ein anderes Land",
                     "出口目的地须为另一国家")  # fmt: skip


class RegistrationRecord(Report, frozen=True):
    """Base of the records that a country's registrar makes of a car's registration."""

    vin: Vin
    country: RegistrationCountry
    by: ClassVar[Registrar] = Registrar()

    def step(self, registration: Registration) -> Step:
        """What the record does to this registration."""
        raise AssertionError(f"{type(self).__name__} has no step")

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if vehicle is None:
            return
        check_act_time(ledger, self.vin, self.event_at_ms, age_max_ms=limits.REGISTRATION_AGE_MAX_MS)
        step = self.step(vehicle.registration)
        self.check_step(ledger, vehicle.registration, step)
        self.step_guards(ledger, vehicle, step)

    def check_step(self, ledger: Ledger, registration: Registration, step: Step) -> None:
        """Notes a step of a country that has no say, or one that the status does not allow."""
        if step not in ("accept", "claim") and registration.country not in ("", self.country):
            ledger.unmet(REGISTERED_ELSEWHERE, self.vin, registration.country, self.country)
        elif registration.status not in TRANSITIONS.before(step):
            ledger.unmet(REGISTRATION_STATUS, self.vin, registration.status, " or ".join(TRANSITIONS.before(step)))

    def step_guards(self, ledger: Ledger, vehicle: Vehicle, step: Step) -> None:
        """The type's own guards."""

    def changed(self, ledger: Ledger, registration: Registration, sequence: int) -> Registration:
        """The registration with the status that follows, from now on."""
        status = TRANSITIONS.after(registration.status, self.step(registration))
        return replace(
            registration, status=status, since_ms=ledger.now_ms, sequence=sequence, end_reason="",
            took_into_service=False, before=status_of(registration),
        )  # fmt: skip


class Registering(RegistrationRecord, frozen=True):
    """Base of the records by which a country registers a car. `plate`: `H("bmw/plate", secret || country || plate)`,
    the secret being the registrar's. `until`: the end of a temporary registration, at most 400 days ahead. A usage may
    leave a brand for ever (see `rules.registration`)."""

    plate: Hash32
    kind: RegistrationKind
    usage: RegistrationUsage
    until_ms: OptionalTime

    def _check_registering(self, ledger: Ledger, vehicle: Vehicle, from_ms: int) -> None:
        """Notes what keeps a car from being registered at all."""
        check_flags(ledger, self.vin, vehicle, "register_country")
        is_lost = existence_now(vehicle, ledger.now_ms) == "total_loss"
        if is_lost or any(duty.code == "rebuild" for duty in vehicle.duties):  # the record of its rebuild was struck
            ledger.unmet(TOTAL_LOSS, self.vin, "total_loss", "a rebuilt car")
        inspection = vehicle.inspection
        is_outdated = inspection is not None and 0 < inspection.valid_until_ms <= ledger.now_ms
        if is_outdated or is_retest_overdue(inspection, ledger.now_ms):
            ledger.unmet(INSPECTION_OVERDUE, self.vin)
        if _has_compliance_recall(vehicle):
            ledger.unmet(RECALL_COMPLIANCE, self.vin)
        latest = ledger.now_ms + limits.TEMPORARY_REGISTRATION_MAX_MS
        is_temporary = self.kind == "temporary"
        if not from_ms < self.until_ms <= latest if is_temporary else self.until_ms:
            need = f"after {time_to_text(from_ms)}, at most {time_to_text(latest)}" if is_temporary else "no end"
            ledger.unmet(REGISTRATION_TERM, self.vin, time_to_text(self.until_ms) if self.until_ms else "", need)

    def _brand(self, ledger: Ledger) -> str:
        return ledger.rules.tables.registration_usages[self.usage]

    def _registered(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        """The car as registered in the country."""
        sequence = vehicle.record_count
        registration = Registration(
            "registered", self.country, self.plate, self.kind, self.usage, ledger.now_ms, self.until_ms, "", sequence,
            "", vehicle.existence == "born", None, vehicle.registration.refusals, status_of(vehicle.registration),
        )  # fmt: skip
        existence = "in_service" if vehicle.existence == "born" else vehicle.existence
        brand, now_ms = self._brand(ledger), ledger.now_ms
        is_known = any(b.code == brand and brand_state(b, now_ms) == "confirmed" for b in vehicle.brands)
        after = with_usage(vehicle, brand, now_ms, sequence)
        return Effect(
            replace(after, registration=registration, existence=existence), is_material=bool(brand) and not is_known
        )


class RegistrationSet(Registering, tag="registration.set", frozen=True):
    """A country registers a car that none has registered before, or that this country had: anew, or with a new plate or
    usage. The first registration takes a new car into service. An imported car starts with `registration.accept`."""

    weight: ClassVar[int] = 120
    headline: ClassVar[tuple[str, ...]] = ("country", "kind", "usage")
    EXAMPLE: ClassVar[Example] = Example("registrar-1", {
        "vin": "WBA8E9G50GNU12345", "country": "DE", "plate": "ab" * 32, "kind": "permanent", "usage": "private",
        "until": "", "odometer": None, "event_at": "now",
        "where": {"site": "", "vin_source": "document", "model_seen": "330I"},
    })  # fmt: skip

    def step(self, registration: Registration) -> Step:
        return "set"

    def step_guards(self, ledger: Ledger, vehicle: Vehicle, step: Step) -> None:
        if vehicle.registration.status == "none" and vehicle.origin == "imported":
            ledger.unmet(REGISTRATION_STATUS, self.vin, "none", "registration.accept for an imported car")
        if vehicle.registration.claim is not None:
            ledger.unmet(CLAIM_OPEN, self.vin, vehicle.registration.claim.country)
        self._check_registering(ledger, vehicle, ledger.now_ms)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        return self._registered(ledger, vehicle)


class RegistrationAccept(Registering, tag="registration.accept", frozen=True):
    """A country registers a car that has left or leaves another for it, which confirms its export, or an imported one.
    By the
    `material_root` the country confirms that it has seen the brands, the open recalls and the newest reading. Of a car
    that another country has, it is a claim, which needs the holder's own signature (`holder_signs` without a mandate)
    and that of a bank with a lien: it takes effect when the other country confirms the export, or 30 days later unless
    that country objects by a stop-flag or by ending its registration for another reason. A flag of anybody else that
    blocks registration closes the claim too, and the country may claim the car again at once when it is lifted."""

    material_root: Hash32
    weight: ClassVar[int] = 120
    headline: ClassVar[tuple[str, ...]] = ("country", "kind", "usage")
    EXAMPLE: ClassVar[Example] = Example("registrar-2", {
        "vin": "WBA8E9G50GNU12345", "country": "CN", "plate": "cd" * 32, "kind": "permanent", "usage": "private",
        "until": "", "material_root": "$material_root", "odometer": None, "event_at": "now",
        "where": {"site": "", "vin_source": "document", "model_seen": "330I"},
    })  # fmt: skip

    def step(self, registration: Registration) -> Step:
        is_leaving = registration.status == "export_pending" and registration.to_country == self.country
        return "accept" if is_leaving or registration.status in ("none", "exported") else "claim"

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin)
        if vehicle is None or self.step(vehicle_at(vehicle, ledger.now_ms).registration) == "accept":
            return super().signers(ledger)
        return (*super().signers(ledger), *consenting(ledger, vehicle, "export"))

    def step_guards(self, ledger: Ledger, vehicle: Vehicle, step: Step) -> None:
        registration = vehicle.registration
        if registration.status == "none" and vehicle.origin != "imported":
            ledger.unmet(REGISTRATION_STATUS, self.vin, "none", "registration.set for a car born on this chain")
        claim = registration.claim
        if claim is not None and (step == "claim" or claim.country != self.country):
            ledger.unmet(CLAIM_OPEN, self.vin, claim.country)
        check_shown(ledger, self.vin, vehicle, self.material_root)
        self._check_registering(ledger, vehicle, ledger.now_ms + (CLAIM_MS if step == "claim" else 0))
        if step == "claim":
            self._check_claim(ledger, vehicle)

    def _check_claim(self, ledger: Ledger, vehicle: Vehicle) -> None:
        registration = vehicle.registration
        if registration.country == self.country:
            ledger.unmet(REGISTRATION_STATUS, self.vin, registration.status, "registered in another country")
        elif not self.holder_signs or self.mandate is not None:
            ledger.unmet(REGISTERED_ELSEWHERE, self.vin, registration.country, "the holder's own application")
        check_flags(ledger, self.vin, vehicle, "export", signed_by=consenting(ledger, vehicle, "export"))
        for refusal in registration.refusals:
            if refusal.country == self.country and ledger.now_ms < refusal.until_ms:
                ledger.unmet(CLAIM_COOLDOWN, self.vin, self.country, f"after {time_to_text(refusal.until_ms)}")

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        if self.step(vehicle.registration) == "accept":
            alert = find_alert(vehicle.alerts, "export_unconfirmed")
            if alert is not None and alert.state != "closed":
                ledger.happened("vehicle.alert", f"vehicle/{self.vin}")
                alerts = close_alert(vehicle.alerts, "export_unconfirmed", vehicle.record_count)
                vehicle = replace(vehicle, alerts=alerts)
            return self._registered(ledger, vehicle)
        claim = RegistrationClaim(
            self.country, self.plate, self.kind, self.usage, self._brand(ledger), self.until_ms, ledger.now_ms,
            vehicle.record_count,
        )  # fmt: skip
        claiming = replace(vehicle.registration, claim=claim)
        return Effect(replace(vehicle, registration=claiming), (CLAIM_OPENED,), is_material=True)


class RegistrationSuspend(RegistrationRecord, tag="registration.suspend", frozen=True):
    """The country suspends its registration; `resume` lifts the suspension."""

    reason: RegistrationSuspension
    resume: bool = False
    headline: ClassVar[tuple[str, ...]] = ("country", "reason", "resume")
    EXAMPLE: ClassVar[Example] = Example("registrar-1", {
        "vin": "WBA8E9G50GNU12345", "country": "DE", "reason": "insurance", "resume": False, "odometer": None,
        "event_at": "now", "where": {"site": "", "vin_source": "document", "model_seen": "330I"},
    })  # fmt: skip

    def step(self, registration: Registration) -> Step:
        return "resume" if self.resume else "suspend"

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        changed = self.changed(ledger, vehicle.registration, vehicle.record_count)
        return Effect(replace(vehicle, registration=changed))


class RegistrationEnd(RegistrationRecord, tag="registration.end", frozen=True):
    """The country ends its registration. With `export_confirmed` the car has left; an open claim takes effect. Any
    other reason is the country's objection to an open claim, and ends a pending export. Whoever holds the title stays
    responsible for the car."""

    reason: RegistrationEndReason
    headline: ClassVar[tuple[str, ...]] = ("country", "reason")
    EXAMPLE: ClassVar[Example] = Example("registrar-2", {
        "vin": "WBA8E9G50GNU12345", "country": "CN", "reason": "owner", "odometer": None, "event_at": "now",
        "where": {"site": "", "vin_source": "document", "model_seen": "330I"},
    })  # fmt: skip

    def step(self, registration: Registration) -> Step:
        if self.reason != "export_confirmed":
            return "end"
        return "release" if registration.claim is not None else "confirm"

    def step_guards(self, ledger: Ledger, vehicle: Vehicle, step: Step) -> None:
        if self.reason == "scrapped":
            ledger.unmet(REGISTRATION_REASON, self.vin, self.reason)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        registration, sequence = vehicle.registration, vehicle.record_count
        outcome: tuple[str, ...] = ()
        match self.step(registration):
            case "end":
                outcome = (CLAIM_OBJECTED,) if registration.claim is not None else ()
                ended = ended_registration(registration, ledger.now_ms, sequence, self.reason)
            case "release":
                claim, outcome = registration.claim, (CLAIM_TAKES_EFFECT,)
                assert claim is not None
                vehicle = with_usage(vehicle, claim.brand, ledger.now_ms, claim.sequence)
                ended = claimed(registration, ledger.now_ms)
            case _:
                ended = replace(
                    self.changed(ledger, registration, sequence), until_ms=0, end_reason=self.reason
                )  # fmt: skip
        return Effect(replace(vehicle, registration=ended), outcome, is_material=True)


class RegistrationExport(RegistrationRecord, tag="registration.export", frozen=True):
    """The country lets the car leave for another one, whose registrar accepts it. A bank with a lien signs too. After
    180 days without an acceptance the car counts as exported, with the alert `export_unconfirmed`."""

    to_country: RegistrationCountry
    headline: ClassVar[tuple[str, ...]] = ("country", "to_country")
    EXAMPLE: ClassVar[Example] = Example("registrar-1", {
        "vin": "WBA8E9G50GNU12345", "country": "DE", "to_country": "CN", "odometer": None, "event_at": "now",
        "where": {"site": "", "vin_source": "document", "model_seen": "330I"},
    })  # fmt: skip

    def step(self, registration: Registration) -> Step:
        return "export"

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin)
        banks = consenting(ledger, vehicle, "export") if vehicle is not None else ()
        return (*super().signers(ledger), *banks)

    def step_guards(self, ledger: Ledger, vehicle: Vehicle, step: Step) -> None:
        if self.to_country == self.country:
            ledger.unmet(SAME_COUNTRY, self.vin, self.to_country)
        check_flags(ledger, self.vin, vehicle, "export", signed_by=consenting(ledger, vehicle, "export"))

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        leaving = replace(
            self.changed(ledger, vehicle.registration, vehicle.record_count), until_ms=ledger.now_ms + EXPORT_MS,
            to_country=self.to_country,
        )  # fmt: skip
        outcome = (RECALL_BEFORE_ACCEPT,) if _has_compliance_recall(vehicle) else ()
        return Effect(replace(vehicle, registration=leaving), outcome)


def _has_compliance_recall(vehicle: Vehicle) -> bool:
    return any(recall.recall_class == "compliance" for recall in vehicle.recalls)
