"""Forecast: what a transaction would change if a block took it now, for people and before it is sent.

It names no transaction type: changes come from the ledger on which the transaction was executed, and fields from the
views of the families that changed. A family declares fields that no person reads (`internal`) and when a change needs a
caution (`cautions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from node.crypto.addresses import from_text, to_text
from node.ledger import kinds
from node.ledger.caution import Caution
from node.ledger.family import ADDRESS_IDENT, AsOf, Family, Reader, View
from node.ledger.fields import Address
from node.ledger.guards import SIGNATURE_MISSING, Unmet
from node.ledger.json_form import to_json
from node.ledger.kinds import Field, Kind, fields_of
from node.ledger.overlay import BlockOverlay, Ledger
from node.ledger.receipts import Happening, change_of
from node.txtypes.history import decode_record
from node.txtypes.members.member import name_of
from node.txtypes.registry import family_of

AnyJson = Annotated[Any, kinds.Plain(is_any=True)]
EMPTY: tuple[Any, ...] = (None, "", [])


class ForeseenField(View, frozen=True):
    """One field of a view, dotted where it is nested, with its JSON value before and after."""

    field: str
    before: AnyJson
    after: AnyJson


class ForeseenChange(View, frozen=True):
    """A state value that would differ, by its state key. `id`: its id as people write it, an address in bech32m."""

    key: str
    family: str
    id: str
    change: Literal["created", "changed", "ended"]
    fields: tuple[ForeseenField, ...]


class ForeseenRecord(View, frozen=True):
    """A record that would be appended to a vehicle's history, with the codes that the rules derive."""

    id: str
    kind: str
    outcome: tuple[str, ...]


class MissingSignatures(View, frozen=True):
    """An account whose policy needs more signatures than the transaction has of it."""

    address: Address
    name: str
    have: int
    need: int


class ForeseenCaution(NamedTuple):
    """A caution and the state key of what it is about."""

    caution: Caution
    subject: str


class Forecast(NamedTuple):
    """Unmet guards, missing signatures included; where nothing else is unmet also what would change."""

    unmet: tuple[Unmet, ...]
    signatures: tuple[MissingSignatures, ...]
    records: tuple[ForeseenRecord, ...] = ()
    changes: tuple[ForeseenChange, ...] = ()
    happenings: tuple[Happening, ...] = ()
    cautions: tuple[ForeseenCaution, ...] = ()


class _Before(NamedTuple):
    """A reader of the values before the transaction."""

    overlay: BlockOverlay

    def get(self, family: Family[Any], ident: str | bytes) -> Any:
        return self.overlay.get(family, family.key(ident))


def forecast_of(ledger: Ledger) -> Forecast:
    """The forecast of a transaction that was executed on `ledger` (see `BlockRun.foresee`)."""
    unmet = tuple(ledger.unmet_guards)
    missing = tuple(_missing(ledger, guard) for guard in unmet if guard.code == SIGNATURE_MISSING.code)
    if len(missing) < len(unmet):
        return Forecast(unmet, missing)
    ledger.note_replaced()
    cautions = [
        ForeseenCaution(caution, key.decode("ascii"))
        for key, (family, new) in ledger.changes.items()
        if family.cautions is not None
        for caution in family.cautions(ledger.replaced[key], new)
    ]
    records = tuple(_record(record.vin, record.body) for record in ledger.records)
    return Forecast(unmet, missing, records, tuple(_changes(ledger)), tuple(ledger.happenings), tuple(cautions))


def _missing(ledger: Ledger, guard: Unmet) -> MissingSignatures:
    address = from_text(guard.subject)
    return MissingSignatures(address, name_of(ledger, address), int(guard.have), int(guard.need))


def _record(vin: str, raw: bytes) -> ForeseenRecord:
    face, content, _ = decode_record(raw)
    return ForeseenRecord(f"{vin}/{face.sequence}", face.kind, content.outcome)


# --- changes ------------------------------------------------------------------------------------------------
def _keys(ledger: Ledger) -> Iterator[tuple[Family[Any], str]]:
    """(family, id) of every value that may show a change: those that change, and the subjects of these changes, since
    a view is derived from other values too."""
    keys = dict.fromkeys(ledger.changes)
    for key, (family, new) in ledger.changes.items():
        if (change := change_of(family, key, ledger.replaced[key], new)) is not None:
            keys |= dict.fromkeys(subject.encode("ascii") for subject in change.subjects)
    for key in keys:
        found = family_of(key)
        if found is not None and (found.view or found.forecast_view or found.concerns):
            yield found, key.decode("ascii").partition("/")[2]


def _changes(ledger: Ledger) -> Iterator[ForeseenChange]:
    before, as_of = _Before(ledger.overlay), AsOf(ledger.now_ms, ledger.rules)
    for family, ident in _keys(ledger):
        old, new = (_shown(family, ident, reader, as_of) for reader in (before, ledger))
        if old is not None or new is not None:
            how: Literal["created", "changed", "ended"] = (
                "created" if old is None else "ended" if new is None else "changed"
            )
            fields = tuple(_differences(old or {}, new)) if new is not None else ()
            if fields or how != "changed":
                text = to_text(bytes.fromhex(ident)) if family.ident is ADDRESS_IDENT else ident
                yield ForeseenChange(family.subject(ident), family.name, text, how, fields)


def _shown(family: Family[Any], ident: str, reader: Reader, as_of: AsOf) -> dict[str, Any] | None:
    """The fields that a person reads, by dotted name; None for no value."""
    value = reader.get(family, ident)
    if value is None:
        return None
    view = family.forecast_view or family.view
    shown = value if view is None else view.of(ident, value, reader, as_of)
    return dict(_leaves(fields_of(type(shown)), to_json(shown), family.internal, ""))


def _leaves(fields: tuple[Field, ...], shown: dict[str, Any], internal: tuple[str, ...], prefix: str) -> Iterator[Any]:
    for field in fields:
        name, value = prefix + field.json_name, shown[field.json_name]
        if name in internal:
            continue
        inner = _struct_of(field.kind)
        if inner is not None and value is not None:
            yield from _leaves(fields_of(inner), value, internal, name + ".")
        else:
            yield name, value


def _struct_of(kind: Kind) -> Any:
    """The struct whose fields a nested value has, None for a value without fields."""
    kind = kind.item if isinstance(kind, kinds.OptionOf) else kind
    return kind.struct if isinstance(kind, kinds.StructOf) else None


def _differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[ForeseenField]:
    for name in dict.fromkeys((*new, *old)):
        before, after = old.get(name), new.get(name)
        if before != after and not (before in EMPTY and after in EMPTY):
            yield ForeseenField(name, before, after)
