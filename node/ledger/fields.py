r"""Field types of transactions and state values. There is no free text; upper case is required, never produced.

Patterns end in `\Z`, because `$` would accept a trailing newline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger import kinds
from node.rules.odometer import Source, Unit
from node.rules.parts import RXSWIN_PATTERN
from node.rules.vin import VIN_PATTERN

T = TypeVar("T")

if TYPE_CHECKING:
    Stored = Annotated[T, "stored"]
else:

    class Stored:
        """`Stored[Code]` is a text of a state value that a transaction gave as a `Code`: decoding it does not match the
        pattern again, which takes longer than the rest of a value. The kind is the same. It is for structs that nobody
        reads from JSON: there the pattern would be all that holds a lying node to the form."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            bare, given, *marker = get_args(annotation)
            told = {"pattern": given.pattern}
            return Annotated[
                bare, Meta(max_length=given.max_length, description=given.description, extra=told), *marker
            ]


# --- bytes and numbers ------------------------------------------------------------------------------------
Hash32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Id = Hash32
OptionalHash = Annotated[bytes, Meta(max_length=32)]
"""Empty, or 32 bytes; the type's static rule refuses anything between."""
Address = Annotated[bytes, Meta(min_length=20, max_length=20), kinds.ADDRESS]
PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
U64 = Annotated[int, Meta(ge=0)]
"""MessagePack itself has nothing above 2^64 - 1."""
Height = Annotated[int, Meta(ge=0, le=2**53)]
Time = Annotated[int, Meta(ge=0, le=limits.TIME_MAX_MS, description="milliseconds since 1970, UTC"), kinds.TIME]
"""Milliseconds since 1970 UTC, up to the year 9999."""
OptionalTime = Annotated[
    int, Meta(ge=0, le=limits.TIME_MAX_MS, description="milliseconds since 1970, UTC; 0 for none"), kinds.OPTIONAL_TIME
]

# --- text -------------------------------------------------------------------------------------------------
Vin = Annotated[
    str, Meta(pattern=VIN_PATTERN, min_length=17, max_length=17, description="vehicle identification number (ISO 3779)")
]
Code = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]*\Z", max_length=limits.CODE_LENGTH_MAX), kinds.CODE]
"""A part number, model, site: scanned for payment card numbers, IBANs and telephone numbers."""
OptionalSite = Annotated[
    str, Meta(pattern=r"^([A-Z0-9][A-Z0-9._/-]*)?\Z", max_length=limits.CODE_LENGTH_MAX), kinds.CODE
]
"""A place of business, by its code in a member's directory entry, or empty. A guard looks it up, so that nothing else
fits in here."""
Serial = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]*\Z", max_length=limits.CODE_LENGTH_MAX)]
"""A serial number. It is not scanned, because one random serial in ten passes the Luhn test."""
OptionalVin = Annotated[
    str, Meta(pattern=rf"^({VIN_PATTERN.strip('^$')})?\Z", max_length=17, description="VIN (ISO 3779), empty for none")
]
Codes = Annotated[tuple[Code, ...], Meta(max_length=limits.LIST_MAX)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z"), kinds.CODE]
"""The short business name of a member, in lower case; scanned as a code is, since anybody may propose one."""
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", description="calendar day (ISO 8601)")]
NodeAddress = Annotated[str, Meta(pattern=r"^([A-Za-z0-9.-]{1,80}:[0-9]{1,5})?\Z", description="host:port"), kinds.CODE]

# --- codes of the ruleset's tables --------------------------------------------------------------------------
_TABLE_CODE = r"^[a-z0-9_]{1,40}\Z"
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="ISO 3166-1 alpha-2"), kinds.CodeOf("countries")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217"), kinds.CodeOf("currencies")]
Service = Annotated[
    str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]*\Z", max_length=limits.CODE_LENGTH_MAX), kinds.CodeOf("services")
]
Zone = Annotated[str, Meta(pattern=r"^[a-z_]{1,30}\Z"), kinds.CodeOf("zones")]
CostBand = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("cost_bands")]
Role = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("roles")]
RecallAuthority = Annotated[str, Meta(pattern=r"^[A-Z]{2,8}\Z"), kinds.CodeOf("recall_authorities")]
RecallClass = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("recall_classes")]
Rail = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("rails")]
RailScheme = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("rail_schemes")]
OptionalPaymentReason = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_]{0,40}\Z", description="empty for none"), kinds.CodeOf("payment_reasons")
]
FeeCode = Annotated[str, Meta(pattern=r"^[A-Z_]{1,40}\Z"), kinds.CodeOf("fee_codes")]
TaxScheme = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("tax_schemes")]
Contract = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("contracts")]
CaseCategory = Annotated[str, Meta(pattern=r"^[A-Z_]{1,40}\Z"), kinds.CodeOf("case_categories")]
CancelCause = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("cancel_reasons")]
BrandCode = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("brands")]
TotalLossCategory = Annotated[str, Meta(pattern=r"^[A-Z]\Z"), kinds.CodeOf("total_loss_categories")]
DamageCause = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("damage_causes")]
RepairMethod = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("repair_methods")]
InspectionItem = Annotated[str, Meta(pattern=r"^[0-9HSO][0-9.]{0,9}\Z"), kinds.CodeOf("inspection_items")]
DefectSeverity = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("defect_severities")]
Checklist = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9/-]{1,23}\Z"), kinds.CodeOf("checklists")]
InspectionKind = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("inspection_kinds")]
FlagName = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("stop_flags")]
AlertCode = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("alerts")]
AlertReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("alert_reasons")]
PartClass = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("part_classes")]
PartAction = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("part_actions")]
PartSource = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("part_sources")]
BatteryState = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("battery_states")]
BatteryMethod = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("battery_methods")]
SoftwareSystem = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("software_systems")]
RegistrationCountry = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}\Z", description="ISO 3166-1 alpha-2, or XK"), kinds.CodeOf("registration_countries")
]
OptionalCountry = Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z"), kinds.CodeOf("registration_countries")]
RegistrationKind = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("registration_kinds")]
RegistrationUsage = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("registration_usages")]
RegistrationSuspension = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("registration_suspensions")]
RegistrationEndReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("registration_end_reasons")]
AssignmentReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("assignment_reasons")]
ImportGrade = Annotated[str, Meta(pattern=r"^[A-D]\Z"), kinds.CodeOf("import_grades")]
HistoryKind = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("history_kinds")]
VinSource = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("vin_sources")]
AmendReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("amend_reasons")]
SightingReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("sighting_reasons")]
OdometerReplaceCause = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("odometer_replace_causes")]
DisputeStanding = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("dispute_standings")]
DisputeGround = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("dispute_grounds")]
DisputeAnswer = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("dispute_answers")]
DisputeOutcome = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("dispute_outcomes")]
DisputeReason = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("dispute_reasons")]
SaleDisclosure = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("sale_disclosures")]
MediaType = Annotated[str, Meta(pattern=r"^[a-z]{1,20}/[a-z0-9.+-]{1,80}\Z"), kinds.CodeOf("media_types")]
WarrantyGroup = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("warranty_groups")]
WarrantyOutcome = Annotated[str, Meta(pattern=_TABLE_CODE), kinds.CodeOf("warranty_outcomes")]
OptionalWarrantyReason = Annotated[
    str, Meta(pattern=r"^[a-z_]{0,40}\Z", description="empty for approved"), kinds.CodeOf("warranty_reasons")
]
Rxswin = Annotated[str, Meta(pattern=rf"^{RXSWIN_PATTERN}\Z", max_length=limits.CODE_LENGTH_MAX), kinds.CODE]
"""The number of a UN Regulation and the maker's name for the software that the approval by it covers (UN R156)."""

# --- structs ------------------------------------------------------------------------------------------------
Amount = Annotated[int, Meta(ge=0, le=limits.MONEY_MAX)]


class Money(Value, frozen=True):
    """An integer of minor units (cents, yen) and the currency they count in."""

    amount: Amount
    currency: Currency
    KIND: ClassVar[kinds.MoneyAmount] = kinds.MONEY


OdometerValue = Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]


class OtherSource(Value, frozen=True):
    """What another memory of the car shows, in the unit of the reading."""

    source: Source
    value: OdometerValue


class Odometer(Value, frozen=True):
    """A reading: `value`, as `source` shows it, and what up to three `others` show. `tamper_sign`: the author saw signs
    of tampering. A value lower than an earlier one, or in another unit, is stored and judged, never refused."""

    value: OdometerValue
    unit: Unit
    source: Source
    others: Annotated[tuple[OtherSource, ...], Meta(max_length=3)] = ()
    tamper_sign: bool = False


class Where(Value, frozen=True):
    """Where a record was made, and how the author took the VIN. `site`: a code of the author's directory entry, or
    empty; `model_seen`: the model code on the car or in its papers, which uncovers most mistyped VINs."""

    site: OptionalSite
    vin_source: VinSource
    model_seen: Code


class RecordName(Value, frozen=True):
    """A vehicle record by its sequence and its digest: two records that race into one block can't swap places."""

    sequence: Annotated[int, Meta(ge=0, le=2**32)]
    digest: Hash32


class Attachment(Value, frozen=True):
    """A document kept elsewhere, by its hash."""

    sha256: Hash32
    size: Annotated[int, Meta(ge=1, le=2**40)]
    media_type: MediaType


Attachments = Annotated[tuple[Attachment, ...], Meta(max_length=16)]
