"""Claims on a warranty: a workshop and the holder claim a repair; the provider decides."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import (
    Address,
    Code,
    CostBand,
    Id,
    OptionalTime,
    OptionalWarrantyReason,
    RecordName,
    Time,
    Vin,
    WarrantyGroup,
    WarrantyOutcome,
)
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.odometer import BACKFILLED_MS
from node.txtypes.disputes.dispute import record_status
from node.txtypes.members.member import name_of
from node.txtypes.service.warranty import (
    CLAIM_AGAIN_MS,
    CLAIMS_RECENT_MAX,
    EVERYTHING,
    NOT_THE_GUARANTOR,
    WARRANTY,
    WARRANTY_ENDED,
    Number,
    RecentClaim,
    Warranty,
    is_cut_short,
    is_in_term,
    require_warranty,
    warranty_ident,
)
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.odometer import distance_shown, highest_metres
from node.txtypes.vehicle.record import Effect, OwnEffect, append_record, face_of, find_record, stored_record
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

CLAIM_ANSWER_MS: Final = 30 * DAY_MS
"""A claim without a decision after this time is shown as unanswered. Silence is no approval."""

OUT_OF_TERM = Guard("out_of_term", "the warranty did not cover the car at the time and the distance of the event",
                    "die Garantie galt zur Zeit und beim Kilometerstand des Ereignisses nicht",
                    "事件发生的时间或里程不在质保期内")  # fmt: skip
GROUP_NOT_COVERED = Guard("group_not_covered", "the warranty does not cover this group",
                          "die Garantie deckt diese Gruppe nicht ab", "质保不包括该组别")  # fmt: skip
CLAIMED_BEFORE = Guard("claimed_before", "the same operation was claimed within 90 days",
                       "dieselbe Arbeit wurde in den letzten 90 Tagen schon geltend gemacht",
                       "90 天内已就同一作业索赔")  # fmt: skip
CLAIMS_FULL = Guard("claims_full", "too many claims on this warranty within 90 days",
                    "zu viele Ansprüche aus dieser Garantie in 90 Tagen", "90 天内索赔过多")  # fmt: skip
CLAIM_UNSIGNED = Guard("claim_unsigned", "the holder of the title signs a claim too",
                       "einen Anspruch unterschreibt auch der Halter", "索赔须由所有人会签",
                       is_permission=True)  # fmt: skip
CLAIM_UNKNOWN = Guard("claim_unknown", "there is no such claim", "diesen Anspruch gibt es nicht", "索赔不存在")
CLAIM_DECIDED = Guard("claim_decided", "the claim is decided", "über den Anspruch ist entschieden", "索赔已裁决")

NO_SEQUENCE: Final = -1


class Claim(Value, tag=1, frozen=True):
    """A claim on the warranty `number` of a car. `outcome` is empty until the provider decides; `share_per_mille`: of
    the cost; `decision`: sequence of the record that decided, -1 for none."""

    vin: Vin
    number: Number
    provider: Address
    group: WarrantyGroup
    operation: Code
    workshop: Address
    event_at_ms: Time
    claimed_at_ms: Time
    outcome: str
    share_per_mille: int
    reason: str
    decided_at_ms: OptionalTime
    decision: int


def _is_decided(reader: Reader, claim: Claim) -> bool:
    """Whether the decision counts: arbiters have not annulled it, nor has the provider taken it back. Alone it takes
    back a rejection only."""
    status = record_status(reader, claim.vin, claim.decision)
    is_taken_back = status.is_superseded and (claim.outcome == "rejected" or status.outcome == "amended")
    return bool(claim.outcome) and status.outcome != "annulled" and not is_taken_back


def outcome_at(reader: Reader, claim: Claim, now_ms: int) -> str:
    """The outcome of a claim at a time: `open`; `unanswered` after 30 days, also if the decision counts no more; or a
    code of the table `warranty_outcomes`."""
    if _is_decided(reader, claim):
        return claim.outcome
    return "open" if now_ms < claim.claimed_at_ms + CLAIM_ANSWER_MS else "unanswered"


class ClaimView(Claim, frozen=True):
    """A claim as it counts now."""

    id: Id
    provider_name: str
    workshop_name: str
    answer_by_ms: Time

    @staticmethod
    def of(ident: str, claim: Claim, reader: Reader, as_of: AsOf) -> ClaimView:
        return extended(
            ClaimView, claim, id=bytes.fromhex(ident), outcome=outcome_at(reader, claim, as_of.now_ms),
            provider_name=name_of(reader, claim.provider), workshop_name=name_of(reader, claim.workshop),
            answer_by_ms=claim.claimed_at_ms + CLAIM_ANSWER_MS,
        )  # fmt: skip


CLAIM: Final = Family(
    "claim", Claim, ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda claim: (claim.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index("party", lambda claim: sorted({claim.provider.hex(), claim.workshop.hex()}), ADDRESS_IDENT,
              description="provider or workshop"),
    ),
    concerns=lambda ident, claim: (
        f"vehicle/{claim.vin}", f"account/{claim.provider.hex()}", f"account/{claim.workshop.hex()}",
    ),
    event="claim", status=lambda claim: claim.outcome or "open", path="/v1/claims", view=ClaimView,
    internal=("id", "decision"),
)  # fmt: skip


class WarrantyClaim(Report, tag="warranty.claim", frozen=True):
    """Claim a repair under a warranty, by a workshop; the holder signs. The warranty must cover the car at the event,
    by its time and by the highest plausible reading that counts until then; an event of more than 400 days ago is not
    claimed any more. `repair`: the record of the work, or none."""

    vin: Vin
    number: Number
    group: WarrantyGroup
    operation: Code
    repair: RecordName | None
    cost_band: CostBand
    weight: ClassVar[int] = 210
    by: ClassVar[Author] = Author("workshop")
    headline: ClassVar[tuple[str, ...]] = ("group", "operation", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "number": 1, "group": "powertrain", "operation": "11-00-039", "repair": None,
        "cost_band": "1000_to_2999", "odometer": {"value": 12_500, "unit": "km", "source": "cluster"},
        "event_at": "now", "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"}, "holder_signs": True,
    }, ("dealer-munich",))  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if vehicle is None or not self.is_acknowledged(ledger, vehicle):
            ledger.unmet(CLAIM_UNSIGNED, self.vin)
        if self.repair is not None:
            find_record(ledger, self.vin, self.repair)
        check_act_time(ledger, self.vin, self.event_at_ms, age_max_ms=BACKFILLED_MS)
        warranty = require_warranty(ledger, self.vin, self.number)
        if warranty is None or vehicle is None:
            return
        subject = warranty_ident(self.vin, self.number)
        if is_cut_short(warranty, vehicle, ledger.now_ms):
            ledger.unmet(WARRANTY_ENDED, subject)
        metres = self._metres(ledger)
        if not is_in_term(warranty, self.event_at_ms, metres):
            have = f"{time_to_text(self.event_at_ms)}, {metres // 1_000} km"
            need = f"{time_to_text(warranty.starts_at_ms)} to {time_to_text(warranty.ends_at_ms)}"
            ledger.unmet(
                OUT_OF_TERM, subject, have, need + (f", {warranty.distance_km} km" * bool(warranty.distance_km))
            )
        if self.group not in warranty.groups and EVERYTHING not in warranty.groups:
            ledger.unmet(GROUP_NOT_COVERED, subject, self.group, " ".join(warranty.groups))
        recent = self._recent(ledger, warranty)
        if any(claim.operation == self.operation for claim in recent):
            ledger.unmet(CLAIMED_BEFORE, subject, self.operation)
        if len(recent) >= CLAIMS_RECENT_MAX:
            ledger.unmet(CLAIMS_FULL, subject, len(recent), f"below {CLAIMS_RECENT_MAX}")

    def _metres(self, ledger: Ledger) -> int:
        """The car's distance at the event: by its own reading, or by a higher one until then."""
        own = distance_shown(ledger, self.vin, self.odometer, self.event_at_ms) if self.odometer is not None else 0
        return max(own, highest_metres(ledger, self.vin, self.event_at_ms, ledger.rules))

    def _recent(self, ledger: Ledger, warranty: Warranty) -> tuple[RecentClaim, ...]:
        return tuple(claim for claim in warranty.claims if ledger.now_ms < claim.at_ms + CLAIM_AGAIN_MS)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = warranty_ident(self.vin, self.number)
        warranty = ledger.the(WARRANTY, ident)
        claims = (*self._recent(ledger, warranty), RecentClaim(self.operation, ledger.now_ms))
        ledger.put(WARRANTY, ident, replace(warranty, claims=claims))
        ledger.put(CLAIM, ledger.txid, Claim(
            self.vin, self.number, warranty.provider, self.group, self.operation, ledger.sender, self.event_at_ms,
            ledger.now_ms, "", 0, "", 0, NO_SEQUENCE,
        ))  # fmt: skip
        return Effect(vehicle)

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: the claim is none, unless the provider has decided on it, and
        the operation can be claimed again."""
        raw = ledger.record(self.vin, sequence)
        assert raw is not None, "a ruling is about a record"
        ident = face_of(stored_record(raw)).txid
        claim = ledger.get(CLAIM, ident)
        if claim is None or _is_decided(ledger, claim):
            return vehicle
        ledger.put(CLAIM, ident, None)
        number = warranty_ident(self.vin, self.number)
        warranty = ledger.the(WARRANTY, number)
        kept = tuple(entry for entry in warranty.claims if entry != RecentClaim(self.operation, claim.claimed_at_ms))
        ledger.put(WARRANTY, number, replace(warranty, claims=kept))
        return vehicle


class WarrantyDecide(TransactionBody, tag="warranty.decide", frozen=True):
    """Decide on a claim, by the provider of the warranty: `approved`, `partly` with its share of the cost, or
    `rejected`. The latter two need a reason. The provider may decide late, and again if arbiters have annulled its
    decision or it has taken back a rejection."""

    claim: Id
    outcome: WarrantyOutcome
    share_per_mille: Annotated[int, Meta(ge=0, le=999, description="of the cost; 0 unless the outcome is partly")]
    reason: OptionalWarrantyReason
    headline: ClassVar[tuple[str, ...]] = ("outcome", "share_per_mille", "reason")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "claim": "$claim", "outcome": "approved", "share_per_mille": 0, "reason": "",
    })  # fmt: skip

    def check_static(self) -> None:
        """Raises `Malformed` unless only `partly` has a share, and only outcomes other than `approved` have a
        reason."""
        super().check_static()
        if bool(self.share_per_mille) != (self.outcome == "partly"):
            raise Malformed("share_per_mille: above 0 where the outcome is partly, else 0")
        if bool(self.reason) != (self.outcome != "approved"):
            raise Malformed("reason: a code unless the outcome is approved, else empty")

    def guards(self, ledger: Ledger) -> None:
        claim = ledger.get(CLAIM, self.claim)
        if claim is None:
            ledger.unmet(CLAIM_UNKNOWN, self.claim.hex())
            return
        if claim.provider != ledger.sender:
            ledger.unmet(NOT_THE_GUARANTOR, to_text(ledger.sender))
        if (outcome := outcome_at(ledger, claim, ledger.now_ms)) not in ("open", "unanswered"):
            ledger.unmet(CLAIM_DECIDED, self.claim.hex(), outcome)

    def apply(self, ledger: Ledger) -> None:
        claim = ledger.the(CLAIM, self.claim)
        vehicle = ledger.the(VEHICLE, claim.vin)
        ledger.put(CLAIM, self.claim, replace(
            claim, outcome=self.outcome, share_per_mille=self.share_per_mille, reason=self.reason,
            decided_at_ms=ledger.now_ms, decision=vehicle.record_count,
        ))  # fmt: skip
        append_record(ledger, claim.vin, vehicle, self, ledger.now_ms)
