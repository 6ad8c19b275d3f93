"""Field kinds: what each annotation declares, and that whatever walks kinds knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
import pytest
from msgspec import Meta
from support.generated import of_kind

from node import limits
from node.codec import Value, encode
from node.errors import Malformed
from node.ledger import fields, kinds
from node.ledger.body import TransactionBody, open_codes, table_codes
from node.ledger.example import resolved
from node.ledger.json_form import from_json, is_required, to_json, value_from_json, value_to_json
from node.ledger.kinds import Field, fields_of, kind_of, tag_of
from node.rpc import openapi
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.rulesets import schema_of
from wallet.examples import example_arguments
from wallet.options import options_of


class Leg(Value, frozen=True):
    """A struct within others."""

    site: fields.Code
    at_ms: fields.OptionalTime


class Paint(Value, tag="paint", frozen=True):
    colour: Literal["red", "blue"]


class Wheel(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=22)]


class Everything(TransactionBody, tag="test.everything", frozen=True):
    """One field of every kind that a body can have."""

    flag: bool
    count: Annotated[int, Meta(ge=-5, le=5, description="how often")]
    at_ms: fields.Time
    text: Annotated[str, Meta(pattern=r"^[a-z]*\Z", max_length=9)]
    code: fields.Code
    zone: fields.Zone
    choice: Literal["a", "b"]
    address: fields.Address
    hash: fields.Hash32
    blob: Annotated[bytes, Meta(max_length=7)]
    price: fields.Money
    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=3)]
    maybe: Leg | None
    leg: Leg
    part: Paint | Wheel
    also: bool = False


FORMS = {
    "flag": kinds.Boolean(),
    "count": kinds.Integer(-5, 5),
    "at_ms": kinds.Time(),
    "text": kinds.Text(r"^[a-z]*\Z", 9),
    "code": kinds.Code(r"^[A-Z0-9][A-Z0-9._/-]*\Z", 40),
    "zone": kinds.CodeOf("zones", r"^[a-z_]{1,30}\Z"),
    "choice": kinds.Choice(("a", "b")),
    "address": kinds.Address(),
    "hash": kinds.Bytes(32),
    "blob": kinds.Bytes(0, 7),
    "price": kinds.MoneyAmount(),
    "legs": kinds.ListOf(kinds.StructOf(Leg), 1, 3),
    "maybe": kinds.OptionOf(kinds.StructOf(Leg)),
    "leg": kinds.StructOf(Leg),
    "part": kinds.UnionOf((Paint, Wheel)),
    "also": kinds.Boolean(),
}
GIVEN = Everything(
    True, -5, 1_767_225_600_001, "abc", "MUC-1", "front", "b", bytes(range(20)), bytes(range(32)), b"\x01",
    fields.Money(17, "EUR"), (Leg("A", 0), Leg("B", 5)), Leg("C", 1), Leg("D", 2), Wheel(18), True,
)  # fmt: skip


def field(name: str) -> Field:
    return next(f for f in fields_of(Everything) if f.name == name)


# --- what an annotation declares ------------------------------------------------------------------------
@pytest.mark.parametrize("name", FORMS)
def test_an_annotation_declares_its_kind(name: str) -> None:
    assert FORMS[name] == field(name).kind


def test_the_fields_stand_in_the_order_of_encoding() -> None:
    assert list(FORMS) == [f.name for f in fields_of(Everything)] == list(Everything.__struct_fields__)


def test_a_field_of_every_kind_but_plain_is_here() -> None:
    """So that the tests below meet every kind."""
    found = {type(kind) for kind in FORMS.values()}
    assert found | {kinds.Plain} == set(get_args(kinds.Kind))


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, kinds.Integer()),
        (fields.U64, kinds.Integer(0)),
        (Annotated[fields.U64, Meta(le=9)], kinds.Integer(0, 9)),
        (Annotated[Annotated[int, Meta(ge=1, le=5)], Meta(ge=3)], kinds.Integer(3, 5)),
        (str, kinds.Text()),
        (fields.Address, kinds.ADDRESS),
        (fields.PublicKey, kinds.Bytes(32)),
        (fields.OptionalHash, kinds.Bytes(0, 32)),
        (bytes, kinds.Bytes(0)),
        (fields.Role, kinds.CodeOf("roles", r"^[a-z0-9_]{1,40}\Z")),
        (Annotated[fields.Country, Meta(description="where")], kinds.CodeOf("countries", r"^[A-Z]{2}\Z")),
        (Literal["x"] | Literal["y"], kinds.Choice(("x", "y"))),
        (Literal[""] | Literal["y", "z"], kinds.Choice(("", "y", "z"))),
        (int | None, kinds.OptionOf(kinds.Integer())),
        (fields.Time | None, kinds.OptionOf(kinds.TIME)),
        (Paint | Wheel | None, kinds.OptionOf(kinds.UnionOf((Paint, Wheel)))),
        (tuple[fields.Address, ...], kinds.ListOf(kinds.ADDRESS)),
        (tuple[tuple[int, ...], ...], kinds.ListOf(kinds.ListOf(kinds.Integer()))),
        (Annotated[dict[str, Any], kinds.PLAIN], kinds.Plain()),
        (fields.Money, kinds.MoneyAmount()),
        (fields.Stored[fields.Code], kind_of(fields.Code)),
        (fields.Stored[fields.OptionalCountry], kind_of(fields.OptionalCountry)),
        (fields.Stored[fields.Day], kinds.Text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")),
    ],
    ids=str,
)
def test_markers_and_bounds_are_found_through_every_layer(annotation: Any, kind: kinds.Kind) -> None:
    assert kind == kind_of(annotation)


def test_the_pattern_of_a_stored_text_is_matched_by_the_transaction_that_gave_it() -> None:
    given, stored = msgspec.msgpack.encode("a code"), fields.Stored[fields.Code]
    with pytest.raises(msgspec.ValidationError, match="regex"):
        msgspec.msgpack.decode(given, type=fields.Code)
    assert "a code" == msgspec.msgpack.decode(given, type=stored)
    with pytest.raises(msgspec.ValidationError, match="length"):
        msgspec.msgpack.decode(msgspec.msgpack.encode("A" * (limits.CODE_LENGTH_MAX + 1)), type=stored)


@pytest.mark.parametrize("annotation", [float, dict[str, int], tuple[int, str], list[int], object, set[int]], ids=str)
def test_a_type_that_no_field_can_have_is_a_mistake(annotation: Any) -> None:
    with pytest.raises(AssertionError):
        kind_of(annotation)


def test_names_descriptions_and_defaults() -> None:
    assert ("at", "how often") == (field("at_ms").json_name, field("count").description)
    assert (None, False) == (field("flag").default, field("also").default)
    assert ("test.everything", "", "wheel") == (tag_of(Everything), tag_of(Leg), tag_of(Wheel))


class Stretch(Value, frozen=True):
    """Numbers of milliseconds that are no times keep their names."""

    pause_ms: int
    KIND: ClassVar[str] = "no marker"


def test_only_a_time_loses_its_unit() -> None:
    assert ["pause_ms"] == [f.json_name for f in fields_of(Stretch)]
    assert kinds.StructOf(Stretch) == kind_of(Stretch)


# --- JSON -----------------------------------------------------------------------------------------------
SHOWN = {
    "type": "test.everything", "flag": True, "count": -5, "at": "2026-01-01T00:00:00.001Z", "text": "abc",
    "code": "MUC-1", "zone": "front", "choice": "b", "address": "bmw1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnkfpme8",
    "hash": bytes(range(32)).hex(), "blob": "01", "price": {"amount": "17", "currency": "EUR"},
    "legs": [{"site": "A", "at": None}, {"site": "B", "at": "1970-01-01T00:00:00.005Z"}],
    "maybe": {"site": "C", "at": "1970-01-01T00:00:00.001Z"}, "leg": {"site": "D", "at": "1970-01-01T00:00:00.002Z"},
    "part": {"type": "wheel", "size": 18}, "also": True,
}  # fmt: skip


def test_every_kind_is_written_and_read() -> None:
    shown = to_json(GIVEN)
    assert SHOWN | {"address": shown["address"]} == shown
    assert shown["address"].startswith("bmw1")
    assert GIVEN == from_json(Everything, {k: v for k, v in shown.items() if k != "type"})


def test_what_may_be_left_out() -> None:
    assert {"maybe", "legs", "also"} == {f.json_name for f in fields_of(Everything) if not is_required(f)}
    shown = {k: v for k, v in to_json(GIVEN).items() if k not in ("type", "maybe", "also")}
    read = from_json(Everything, shown)
    assert (None, False) == (read.maybe, read.also)
    with pytest.raises(Malformed, match="length"):
        from_json(Everything, {k: v for k, v in shown.items() if k != "legs"})


@pytest.mark.parametrize(
    ("kind", "millis", "shown"),
    [
        (kinds.TIME, 0, "1970-01-01T00:00:00.000Z"),
        (kinds.TIME, 1, "1970-01-01T00:00:00.001Z"),
        (kinds.TIME, limits.TIME_MAX_MS, "9999-12-31T23:59:59.999Z"),
        (kinds.OPTIONAL_TIME, 0, None),
        (kinds.OPTIONAL_TIME, 1, "1970-01-01T00:00:00.001Z"),
    ],
)
def test_a_time_is_always_rfc_3339_and_none_is_null(kind: kinds.Time, millis: int, shown: str | None) -> None:
    assert shown == value_to_json(kind, millis)
    assert millis == value_from_json(kind, shown, "at")


def test_no_time_may_be_given_as_an_empty_string_and_only_where_there_may_be_none() -> None:
    assert 0 == value_from_json(kinds.OPTIONAL_TIME, "", "at")
    for none in ("", None):
        with pytest.raises(Malformed, match="at: an RFC 3339 time expected"):
            value_from_json(kinds.TIME, none, "at")


@pytest.mark.parametrize("name", [f.json_name for f in fields_of(Everything)])
@pytest.mark.parametrize("wrong", [None, 3.5, [], {}, "\n", True, 10**30, [None]], ids=str)
def test_a_value_of_another_form_is_named_with_its_field(name: str, wrong: Any) -> None:
    if (name in ("flag", "also") and wrong is True) or (name == "maybe" and wrong is None):
        return
    given = {k: v for k, v in to_json(GIVEN).items() if k != "type"}
    with pytest.raises(Malformed, match=r"body"):
        from_json(Everything, given | {name: wrong})


# --- every walker knows every kind ----------------------------------------------------------------------
WALKERS: dict[str, Callable[[], object]] = {
    "JSON": lambda: to_json(GIVEN),
    "open codes": lambda: list(open_codes(GIVEN)),
    "table codes": lambda: list(table_codes(GIVEN)),
    "schema": lambda: schema_of({"test.everything": Everything}),
    "specimens": lambda: resolved(Everything, {}, None),  # type: ignore[arg-type]
    "options": lambda: options_of(Everything),  # type: ignore[arg-type]
    "OpenAPI": lambda: [openapi.Components().kind(kind) for kind in FORMS.values()],
    "strategies": lambda: [of_kind(kind) for kind in FORMS.values()],
}


@pytest.mark.parametrize("walker", WALKERS)
def test_a_walker_knows_every_kind(walker: str) -> None:
    WALKERS[walker]()


def test_plain_fields_are_for_answers_only() -> None:
    with pytest.raises(AssertionError):
        value_from_json(kinds.PLAIN, {}, "body")
    with pytest.raises(AssertionError):
        of_kind(kinds.PLAIN)
    for struct in [*TYPES.values(), *(family.kind for family in FAMILIES.values())]:
        assert kinds.Plain() not in {f.kind for f in fields_of(struct)}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_walked_by_everything(name: str) -> None:
    kind = TYPES[name]
    assert schema_of({name: kind})[0]
    assert len(options_of(kind)) == len(fields_of(kind))
    assert example_arguments(name)
    assert encode(schema_of({name: kind}))


# --- codes ----------------------------------------------------------------------------------------------
def test_open_codes_are_found_wherever_they_are() -> None:
    assert ["MUC-1", "A", "B", "C", "D"] == list(open_codes(GIVEN))


def test_table_codes_come_with_their_table() -> None:
    assert [("zones", "front"), ("currencies", "EUR")] == list(table_codes(GIVEN))


class Optionals(Value, frozen=True):
    country: fields.OptionalCountry
    roles: tuple[fields.Role, ...]
    rail: fields.Rail | None
    price: fields.Money | None


def test_what_is_empty_or_absent_is_no_code() -> None:
    assert [] == list(table_codes(Optionals("", (), None, None)))
    found = [("registration_countries", "XX"), ("roles", "a"), ("roles", "b"), ("rails", "r"), ("currencies", "EUR")]
    assert found == list(table_codes(Optionals("XX", ("a", "b"), "r", fields.Money(1, "EUR"))))


# --- the schema document --------------------------------------------------------------------------------
class WiderWheel(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=23)]


class Renamed(TransactionBody, tag="wheel", frozen=True):
    inches: Annotated[int, Meta(ge=14, le=22)]


class Described(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=22, description="in inches")]


class Heavier(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=22)]
    weight: ClassVar[int] = 101


class Growing(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=22)]
    weight_each: ClassVar[Mapping[str, int]] = {"size": 1}


class Free(TransactionBody, tag="wheel", frozen=True):
    size: Annotated[int, Meta(ge=14, le=22)]
    is_charged: ClassVar[bool] = False


def test_the_schema_says_what_a_type_weighs() -> None:
    assert 4 == len({encode(schema_of({"a.b": kind})) for kind in (Wheel, Heavier, Growing, Free)})


def test_the_schema_says_what_decoding_depends_on_and_no_texts() -> None:
    of_wheel = schema_of({"a.b": Wheel})
    assert of_wheel == schema_of({"a.b": Described})
    assert 3 == len({encode(schema_of({"a.b": kind})) for kind in (Wheel, WiderWheel, Renamed)})
    bodies, structs = schema_of({"test.everything": Everything})
    assert ["test.everything"] == [tag for tag, *_ in bodies]
    assert ["Leg", "paint", "wheel"] == [name for name, _ in structs]


def test_the_schema_knows_no_order_of_types() -> None:
    assert schema_of(TYPES) == schema_of(dict(reversed(TYPES.items())))
