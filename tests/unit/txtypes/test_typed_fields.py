"""No body takes a number plate, a name, a telephone number or a case number in clear: every field is typed. And no
unknown code is more than refused, whoever sends it.

Every text of every type's example is tried, one after another, at the example's place on a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from msgspec import Meta
from msgspec.structs import replace
from support.chain import address
from support.example_stages import placed
from support.hostile.planted import MAILS, NAMES, PHONES, PLATES
from support.hostile.walk import CONTACTS, SERIALS
from support.stages import signed

from node.codec import Value, encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.body import TransactionBody, open_codes
from node.ledger.kinds import Kind, fields_of
from node.rules.vin import VIN_PATTERN
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.registry import TYPES

CASES = ("AZ-2026-0815", "2026/0815", "4 Js 123/26", "SCHADEN-4711")
CLEAR = (*PLATES, *NAMES, *MAILS, *PHONES[:4], "+491712345678", *CASES)
UNKNOWN = ("zzz", "ZZ", "ZZZ", "Z", "H9.9", "zz/zz")
"""Of no table, each in the form of some."""
Put = Callable[[str], Any]


def texts_in(value: Any, put: Callable[[Any], Any] = lambda value: value) -> Iterator[tuple[Kind, str, Put]]:
    """(kind, field, the whole with another text there) of every text within a struct."""
    for field in fields_of(type(value)):

        def within(other: Any, name: str = field.name) -> Any:
            return put(replace(value, **{name: other}))

        yield from _texts(field.kind, field.name, getattr(value, field.name), within)


def _texts(kind: Kind, name: str, value: Any, put: Callable[[Any], Any]) -> Iterator[tuple[Kind, str, Put]]:
    match kind:
        case kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
            yield kind, name, put
        case kinds.MoneyAmount():
            yield kinds.CodeOf("currencies"), f"{name}.currency", lambda text: put(replace(value, currency=text))
        case kinds.OptionOf(item=item) if value is not None or not isinstance(item, kinds.StructOf):
            yield from _texts(item, name, value, put)
        case kinds.ListOf(item=item) if value:
            yield from _texts(item, name, value[0], lambda other: put((other, *value[1:])))
        case kinds.ListOf(item=item) if not isinstance(item, kinds.StructOf | kinds.UnionOf):
            yield from _texts(item, name, None, lambda other: put((other,)))
        case kinds.StructOf() | kinds.UnionOf() if value is not None:
            yield from texts_in(value, put)


def is_free(kind: Kind, name: str) -> bool:
    """Whether an author may write what it likes there: serial numbers, open codes (which are scanned), a business's own
    contacts."""
    return isinstance(kind, kinds.Code) or name in (*SERIALS, *CONTACTS)


def taken_in_clear(body: TransactionBody, codes_of: Callable[[TransactionBody], list[str]]) -> list[str]:
    """The fields of a body that take a text in clear: they decode, and no guard refuses them."""
    found = []
    for kind, name, put in texts_in(body):
        for text in CLEAR if not is_free(kind, name) else ():
            try:
                codes = codes_of(put(text))
            except Malformed:
                continue
            if not codes:
                found.append(f"{name}: {text}")
    return found


def judged(tag: str) -> tuple[TransactionBody, Callable[[TransactionBody], list[str]]]:
    """The example of a type, and what a body in its place is refused for. Raises `Malformed`."""
    life, example = placed(tag)
    who = TYPES[tag].EXAMPLE
    signers = [(address(name), dev_key("account", name)) for name in (who.sender, *who.cosigners)]

    def codes_of(body: TransactionBody) -> list[str]:
        return life.chain.unmet(signed(life.chain, address(who.sender), body, *signers))

    return example, codes_of


@pytest.mark.parametrize("tag", TYPES)
def test_no_field_takes_a_plate_a_name_a_number_or_a_case_in_clear(tag: str) -> None:
    assert [] == taken_in_clear(*judged(tag))


@pytest.mark.parametrize("tag", TYPES)
def test_an_unknown_code_is_refused_and_nothing_more(tag: str) -> None:
    body, codes_of = judged(tag)
    for kind, name, put in texts_in(body):
        for text in UNKNOWN if isinstance(kind, kinds.CodeOf) else ():
            try:
                codes = codes_of(put(text))
            except Malformed:
                continue
            assert "code_unknown" in codes, (name, text)


def test_what_is_free_is_what_the_protocol_names() -> None:
    """A new open code or serial number is a decision, and stands in docs/PROTOCOL.md."""
    free = {(name, type(kind).__name__) for tag in TYPES for kind, name, _ in texts_in(judged(tag)[0])
            if is_free(kind, name)}  # fmt: skip
    assert {name for name, kind in free if kind == "Code"} == {
        "model", "model_seen", "configuration", "plant", "site", "number", "part_numbers", "code", "services",
        "campaign", "plan", "operation", "before", "after", "rxswins", "node_address", "part", "ecus",
        "capabilities", "options",
    }  # fmt: skip
    assert {name for name, kind in free if kind == "Text"} == {*SERIALS, *CONTACTS}


class Loose(TransactionBody, tag="loose.record", frozen=True):
    """A body with a case number, as there once was."""

    vin: Annotated[str, Meta(pattern=VIN_PATTERN)]
    case_reference: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._/ +@-]{0,40}$")]


def test_a_field_of_free_text_is_noticed() -> None:
    found = taken_in_clear(Loose("WBA8E9G50GNU12345", "A"), lambda body: [] if body.vin.startswith("WBA") else ["vin"])
    assert {f"case_reference: {text}" for text in CLEAR} == set(found)


def test_open_codes_take_no_telephone_number_even_at_their_place() -> None:
    for tag in TYPES:
        body, codes_of = judged(tag)
        for kind, _, put in texts_in(body):
            if isinstance(kind, kinds.Code):
                with pytest.raises(Malformed):
                    codes_of(put("HANS.MUELLER.0171-2345678"))


def test_an_example_has_open_codes() -> None:
    body, _ = judged("maintenance.record")
    assert "11428575211" in list(open_codes(body))
    with pytest.raises(Malformed, match="telephone"):
        decode_payload(_payload(replace(body, where=replace(body.where, model_seen="0171-2345678"))))


def _payload(body: Value) -> bytes:
    return encode(Payload(bytes(20), 1, 1, body))  # type: ignore[arg-type]
