"""The JSON form: a struct of JSON values, the same whether it is encoded or made a dictionary."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.chain import Chain
from support.life import VIN, Life

from node.ledger.family import View, extended
from node.ledger.fields import Address, OptionalTime, Time
from node.ledger.json_form import json_form, time_to_text, to_json
from node.limits import TIME_MAX_MS
from node.rpc.moments import moment_of
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.vehicle import VEHICLE, VehicleView


class Inner(View, frozen=True):
    raw: bytes
    until_ms: OptionalTime


class Outer(View, frozen=True):
    at_ms: Time
    owner: Address
    names: tuple[str, ...]
    inner: Inner
    others: tuple[Inner, ...]
    absent: Inner | None


class Wider(Outer, frozen=True):
    name: str


INNER = Inner(b"\x01\xff", 0)
OUTER = Outer(1, bytes(20), ("a",), INNER, (INNER,), None)


def test_a_struct_has_the_json_form_of_each_field() -> None:
    inner = {"raw": "01ff", "until": None}
    expected = {
        "at": "1970-01-01T00:00:00.001Z", "owner": to_json(OUTER)["owner"], "names": ["a"], "inner": inner,
        "others": [inner], "absent": None,
    }  # fmt: skip
    assert expected == to_json(OUTER)
    assert expected["owner"].startswith("bmw1")
    assert list(expected) == list(to_json(OUTER)), "in the order of the fields"


def test_further_members_come_last() -> None:
    document = json.loads(msgspec.json.encode(json_form(OUTER, {"height": 7, "time": "t"})))
    assert to_json(OUTER) | {"height": 7, "time": "t"} == document
    assert ["height", "time"] == list(document)[-2:]


def test_a_tagged_struct_names_its_type_first() -> None:
    document = to_json(ParameterSet("block_ms", 1))
    assert ("type", "parameter.set") == (next(iter(document)), document["type"])


def test_encoded_and_as_a_dictionary_a_car_is_the_same_document() -> None:
    chain = Life(Chain()).to("handed_over").chain
    moment = moment_of(chain.store)
    car = moment.get(VEHICLE, VIN)
    assert car is not None
    view = VehicleView.of(VIN, car, moment, moment.as_of)
    assert to_json(view) == json.loads(msgspec.json.encode(json_form(view)))


@given(st.integers(1, TIME_MAX_MS))
def test_a_time_is_that_of_the_calendar(millis: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    assert expected.isoformat(timespec="milliseconds").replace("+00:00", "Z") == time_to_text(millis)


def test_a_time_above_the_greatest_is_the_greatest() -> None:
    assert "9999-12-31T23:59:59.999Z" == time_to_text(TIME_MAX_MS + 1)


def test_a_view_has_the_fields_of_a_value_replaced_and_added() -> None:
    wider = extended(Wider, OUTER, name="n", at_ms=2)
    assert ("n", 2, OUTER.inner) == (wider.name, wider.at_ms, wider.inner)


def test_a_moment_reads_a_common_value_once() -> None:
    chain = Life(Chain()).to("born").chain
    moment = moment_of(chain.store)
    car = moment.get(VEHICLE, VIN)
    assert car is not None
    assert moment.get(MEMBER, car.maker) is moment.get(MEMBER, car.maker)
    assert moment.get(VEHICLE, VIN) is not moment.get(VEHICLE, VIN)
