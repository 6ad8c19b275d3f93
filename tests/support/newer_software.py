"""The next version of the software: knows ruleset 2 besides 1, with one more transaction type, one changed table, one
changed function, one state value in a newer version, and one more index, for which the store has a newer schema.

`install` turns a whole process into it: `environment` has every process that Python starts do so, verifiers included.
In one process both can live side by side: `newer_software` is for a test, and `older_software`, inside of it, for the
calls into one node.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Union

import msgspec

from node import limits
from node.codec import Decoder, Value
from node.ledger.example import Example
from node.ledger.family import Family, Ident, Index, Older
from node.ledger.fields import U64, Address, Odometer, Service, Time, Vin
from node.ledger.ruleset import Ruleset
from node.rules.damage import severity
from node.rules.tables import Tables
from node.rules.verdict import judge
from node.storage import schema
from node.txtypes import envelope, history, registry
from node.txtypes.members.member import Roles
from node.txtypes.rulesets import RULESETS, build_ruleset
from node.txtypes.vehicle import odometer
from node.txtypes.vehicle.readings import ODOMETER, NewReading, Readings, with_reading
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.vehicle import VEHICLE

TESTS: Final = Path(__file__).resolve().parent.parent
NEWER_SERVICE: Final = "FIRMWARE_CHECK"


# --- one more type ----------------------------------------------------------------------------------------
class FirmwareCheck(VehicleRecord, tag="firmware.check", frozen=True):
    """A workshop has checked something."""

    vin: Vin
    check: Service
    odometer: Odometer
    event_at_ms: Time
    since: ClassVar[int] = 2
    by: ClassVar[Roles] = Roles("workshop")
    headline: ClassVar[tuple[str, ...]] = ("check", "odometer")
    EXAMPLE: ClassVar[Example] = Example(
        "workshop-berlin",
        {
            "vin": "WBA8E9G50GNU12345",
            "check": NEWER_SERVICE,
            "odometer": {"value": 12_000, "unit": "km", "source": "cluster"},
            "event_at": "now",
        },
    )


TAG: Final = "firmware.check"


# --- one changed value --------------------------------------------------------------------------------------
class NewerReadings(Readings, tag=2, frozen=True):
    """Version 2 of the family `odometer`. `total`: readings so far, those that were left out included."""

    total: int = 0


def _upgraded(older: Readings) -> NewerReadings:
    return NewerReadings(*msgspec.structs.astuple(older), len(older.readings))


def _downgraded(newer: Readings) -> Readings:
    return Readings(*msgspec.structs.astuple(newer)[: len(Readings.__struct_fields__)])


def _with_reading(known: Readings, new: NewReading, author: bytes, group: str, now_ms: int, rules: Ruleset) -> Readings:
    judged = with_reading(known, new, author, group, now_ms, rules)
    total = known.total if isinstance(known, NewerReadings) else len(known.readings)
    return NewerReadings(*msgspec.structs.astuple(_downgraded(judged)), total + 1)


# --- one changed function ---------------------------------------------------------------------------------
def _severity(worst_class: str, zones: int, airbags: int, hv_battery_hit: bool, drivable: bool) -> str:
    """Nothing is minor any more."""
    found = severity(worst_class, zones, airbags, hv_battery_hit, drivable)
    return "moderate" if found == "minor" else found


# --- what differs -------------------------------------------------------------------------------------------
_NEWER_TYPES: Final = (*registry.TYPES.values(), FirmwareCheck)


class _NewerPayload(Value, frozen=True):
    sender: Address
    salt: U64
    expires_at_ms: Time
    body: Union[_NEWER_TYPES]  # type: ignore[valid-type]  # noqa: UP007 - made at run time


_decode_newer: Decoder[_NewerPayload] = Decoder(_NewerPayload, limits.TX_BYTES_MAX, "payload")


def _decode_payload(raw: bytes) -> envelope.Payload:
    found = _decode_newer(raw)
    return envelope.Payload(found.sender, found.salt, found.expires_at_ms, found.body)


def _with_index(family: Family[Any], index: Index) -> dict[str, Any]:
    """The attributes of `family` with one more index."""
    changed = Family("of", family.kind, ident=family.ident, indexes=(*family.indexes, index), filters=family.filters)
    return vars(family) | {"indexes": changed.indexes, "parameters": changed.parameters}


_ATTRIBUTES: Final[tuple[tuple[Any, str, Any], ...]] = (
    (envelope, "_decode_payload", _decode_payload),
    (history, "_decode_body", msgspec.msgpack.Decoder(Union[_NEWER_TYPES])),  # noqa: UP007
    (history, "AnyBody", Union[_NEWER_TYPES]),  # noqa: UP007
    (odometer, "with_reading", _with_reading),
    (schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1),
)
_FAMILIES: Final[tuple[tuple[Family[Any], dict[str, Any]], ...]] = (
    (
        ODOMETER,
        vars(
            Family(
                "odometer",
                NewerReadings,
                ident=ODOMETER.ident,
                version=2,
                since=2,
                older=(Older(1, 1, Readings, _upgraded, _downgraded),),
            )
        ),
    ),
    (
        VEHICLE,
        _with_index(
            VEHICLE, Index("model", lambda v: (v.model,), Ident("a model", "[A-Z0-9._/-]+"), description="the model")
        ),
    ),
)
_OLDER_ATTRIBUTES: Final = tuple((target, name, getattr(target, name)) for target, name, _ in _ATTRIBUTES)
_OLDER_FAMILIES: Final = tuple((family, dict(vars(family))) for family, _ in _FAMILIES)
_is_newer = False


def _become(*, newer: bool) -> None:
    global _is_newer
    for target, name, value in _ATTRIBUTES if newer else _OLDER_ATTRIBUTES:
        setattr(target, name, value)
    for family, attributes in _FAMILIES if newer else _OLDER_FAMILIES:
        vars(family).update(attributes)
    registry.TYPES.pop(TAG, None)
    RULESETS.pop(2, None)
    if newer:
        registry.TYPES[TAG] = FirmwareCheck
        RULESETS[2] = _ruleset_2()
    _is_newer = newer


_made: list[Ruleset] = []


def ruleset_2() -> Ruleset:
    """The ruleset that only the newer software knows."""
    with newer_software():
        return RULESETS[2]


def _ruleset_2() -> Ruleset:
    """Made by the newer software, once."""
    if not _made:
        tables = Tables()
        _made.append(build_ruleset(2, tables._replace(services=(*tables.services, NEWER_SERVICE)), _severity, judge))
    return _made[0]


# --- in a process of its own --------------------------------------------------------------------------------
def install() -> None:
    """This process is the newer software from now on. Before anything is made from the registry."""
    _become(newer=True)


def environment(folder: Path) -> dict[str, str]:
    """For a process that is to be the newer software, with all processes that it starts."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text("from support.newer_software import install\n\ninstall()\n")
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(TESTS), os.environ.get("PYTHONPATH", "")))}


# --- in a process that is both ------------------------------------------------------------------------------
@contextmanager
def newer_software() -> Iterator[None]:
    """All that is called in here is the newer software."""
    with _while(newer=True):
        yield


@contextmanager
def older_software() -> Iterator[None]:
    """All that is called in here is the present software."""
    with _while(newer=False):
        yield


@contextmanager
def _while(*, newer: bool) -> Iterator[None]:
    before = _is_newer
    _become(newer=newer)
    try:
        yield
    finally:
        _become(newer=before)
