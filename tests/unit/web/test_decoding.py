"""Transactions in words: every type, every field, every choice, in every language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from node.rpc.schema import schema_document
from node.txtypes.rulesets import RULESETS
from web.decoding import Line, decoded, family_name, field_name, kind_name, value_name
from web.party import Party
from web.words import CATALOGUE, TAGS, Tag, words_of

SCHEMA = schema_document(RULESETS[1])


def a_party(address: str) -> Party:
    return Party("dealer-munich", "/en/member/dealer-munich", address, is_member=True)


def a_link(path: str) -> str:
    return f"/en{path}"


def fields(kind: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A kind, and those of its items."""
    yield kind
    if "item" in kind:
        yield from fields(kind["item"])


def flat(lines: tuple[Line, ...]) -> Iterator[Line]:
    for line in lines:
        yield line
        yield from flat(line.lines)


def test_every_field_and_every_choice_has_its_words() -> None:
    for struct in [*SCHEMA["types"].values(), *SCHEMA["structs"].values()]:
        for field in struct["fields"]:
            assert f"fields.{field['name']}" in CATALOGUE, field["name"]
            for kind in fields(field):
                for value in filter(None, kind.get("values", ())):
                    assert f"values.{value}" in CATALOGUE, value
                for union in kind.get("structs", ()):
                    assert union in SCHEMA["types"] or f"values.{union}" in CATALOGUE, union


def test_no_text_of_a_field_is_without_its_field() -> None:
    named = {field["name"] for struct in [*SCHEMA["types"].values(), *SCHEMA["structs"].values()]
             for field in struct["fields"]}  # fmt: skip
    assert {key.removeprefix("fields.") for key in CATALOGUE if key.startswith("fields.")} <= named


@pytest.mark.parametrize("tag", TAGS)
def test_the_example_of_every_type_is_decoded(tag: Tag) -> None:
    words = words_of(tag)
    for code, kind in SCHEMA["types"].items():
        body = kind["example"]["body"]
        lines = decoded(body, words, a_party, a_link)  # type: ignore[arg-type]
        told = {line.name for line in lines}
        said = {
            field_name(words, name) for name, value in body.items() if name != "type" and value not in (None, "", [])
        }
        assert said == told, code
        assert all(line.text or line.lines for line in flat(lines)), code
        assert kind_name(words, code) != code


def test_values_are_said_as_a_reader_writes_them() -> None:
    body = SCHEMA["types"]["order.offer"]["example"]["body"] | {
        "terms": {"price": {"amount": "5290000", "currency": "EUR"}, "cancel_fee": 100_000, "reserve_ms": 2_592_000_000}
    }
    lines = {line.name: line for line in flat(decoded(body, words_of("de"), a_party, a_link))}  # type: ignore[arg-type]

    assert "52.900\N{NO-BREAK SPACE}€" == lines["Preis"].text
    assert "1.000\N{NO-BREAK SPACE}€" == lines["Stornogebühr"].text, "minor units of the currency of the price"
    assert "4 Wochen" == lines["Reserviert für"].text
    assert lines["Inserat"].is_mono


def test_where_values_lead() -> None:
    body = {"type": "order.accept", "order": "ab" * 32, "round": 0, "material_root": "cd" * 32}
    order, number, root = decoded(body, words_of("en"), a_party, a_link)  # type: ignore[arg-type]
    assert (f"/en/order/{'ab' * 32}", "0", "") == (order.href, number.text, root.href)

    body = {"type": "title.transfer", "vin": "WBA8E9G50GNU00000", "receiver": "bmw1x", "reason": "wholesale"}
    car, receiver, reason = decoded(body, words_of("en"), a_party, a_link)  # type: ignore[arg-type]
    assert ("/en/car/WBA8E9G50GNU00000", "/en/member/dealer-munich") == (car.href, receiver.href)
    assert "wholesale" == reason.text


def test_what_a_newer_ruleset_has_is_shown_as_its_code() -> None:
    words = words_of("zh")
    assert "vehicle.fly" == kind_name(words, "vehicle.fly")
    assert (Line("height", "9"),) == decoded({"type": "vehicle.fly", "height": 9}, words, a_party, a_link)  # type: ignore[arg-type]
    assert "half way" == value_name(words, "half_way")
    assert "wings" == family_name(words, "wings") == field_name(words, "wings")
