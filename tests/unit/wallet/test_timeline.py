"""A car's history as a person and as a program reads it: its records, its mileage, its verdict."""

from __future__ import annotations

from typing import Any

import pytest
from support.chain import DAY_MS, address
from support.disputing import ARBITERS, answered, dispute, disputed, name_of, newest, serviced, voted
from support.foreign import TWO, part
from support.life import VIN, km, maintenance, read, register
from support.specimens import specimen
from support.stages import at
from support.terminal import STYLES, drawn, without_escapes
from support.views import view_of

from node.ledger.json_form import to_json
from node.rpc.moments import moment_of
from node.txtypes.history import record_view
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.timeline import distances, echo_timeline, timeline, verdict


def a_history(*values: int) -> list[dict[str, Any]]:
    """The records of a sold car, and then of readings 200 days apart."""
    life = at("handed_over")
    for value in values:
        life.chain.now += 200 * DAY_MS
        life.chain.do("workshop-berlin", read(VIN, km(value), life.chain.now, "reading"))
        assert verdict(records_of(life)) == view_of(life.chain, VEHICLE, VIN)["verdict"]
    return records_of(life)


def records_of(life) -> list[dict[str, Any]]:
    moment = moment_of(life.chain.store)
    return [to_json(record_view(VIN, raw, moment)) for _, raw in life.chain.store.records(VIN, 0, 100)]


def test_a_spark_line_shows_a_clock_that_was_turned_back_and_the_verdict_stands_beside_it() -> None:
    records = a_history(20_002, 12_500, 30_000)
    assert [20_002, 12_500, 30_000] == [value for value, _ in distances(records)][-3:]
    assert "CONTESTED" == verdict(records)
    seen = without_escapes(drawn(lambda: echo_timeline(records), columns=160))
    last = seen.rstrip().splitlines()[-1]
    assert last.startswith("mileage 150 km to 30,000 km  ") and "▅▃█" in last and last.endswith("verdict CONTESTED")
    assert "vehicle.register" in seen and "order.handover" in seen and "─" in seen
    assert STYLES.search(drawn(lambda: echo_timeline(records)))


def test_a_program_gets_lines_without_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    echo_timeline(a_history(20_002))
    out = capsys.readouterr().out
    assert out.splitlines()[-1].endswith("readings  verdict LOGICAL") and "reported late" not in out
    assert out.isascii() and "\x1b" not in out


def test_a_record_that_tells_of_another_car_says_so_and_is_no_mileage() -> None:
    life = at("wholesale")
    life.chain.do("bmw", register(TWO))
    for vin, value in ((VIN, 200), (TWO, 90_000)):
        life.chain.do("workshop-berlin", part(life.chain, vin, odometer=km(value)))
    records = records_of(life)
    assert f"about the car {TWO}, action: fit" in timeline(records)[-1]
    assert "about the car" not in "".join(timeline(records[:-1]))
    assert [150, 200] == [value for value, _ in distances(records)]


def test_distances_are_in_event_time_whatever_the_order_of_records() -> None:
    life = at("wholesale")
    life.chain.now += 100 * DAY_MS
    life.chain.do("workshop-berlin", maintenance(life.chain, 9_000))
    earlier = read(VIN, km(4_000), life.chain.now - 50 * DAY_MS, "reading")
    life.chain.do("workshop-berlin", earlier)
    records = records_of(life)
    assert [150, 4_000, 9_000] == [value for value, _ in distances(records)]
    assert ", reported late" in "\n".join(timeline(records))


def test_a_new_instrument_counts_on_from_the_old_one() -> None:
    life = at("wholesale")
    life.chain.do("workshop-berlin", maintenance(life.chain, 9_000))
    both = ("dealer-munich", "inspector-2")
    body = specimen("odometer.replace", life.chain, old=km(9_100), odometer=km(3), witness=address("inspector-2"))
    life.chain.do("workshop-berlin", body, *both)
    life.chain.now += DAY_MS
    life.chain.do("workshop-hamburg", read(VIN, km(40), life.chain.now))
    assert [(150, "km"), (9_000, "km"), (9_100, "km"), (9_137, "km")] == distances(records_of(life))
    assert "old: 9100 km (cluster), odometer: 3 km (cluster)" in "\n".join(timeline(records_of(life)))


def test_a_withheld_record_leaves_the_verdict_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    records = a_history(20_002)
    records[-1] = {name: value for name, value in records[-1].items() if name != "content"}
    assert "" == verdict(records)
    echo_timeline(records)
    assert "verdict unknown" in capsys.readouterr().out.splitlines()[-1]
    records[-1] = {"sequence": records[-1]["sequence"], "digest": records[-1]["digest"]}
    assert "withheld: only its digest is shown" in timeline(records)[-1]


@pytest.mark.parametrize("content", [
    [], "x", {"odometer": 5}, {"odometer": {"value": "12", "unit": []}}, {"odometer": {}}, {"odometer": {"value": 7}},
    {"odometer": {"value": True, "unit": "km"}},
])  # fmt: skip
def test_whatever_a_node_answers_is_shown_and_breaks_nothing(content: Any) -> None:
    records = [{"kind": ["\x1b[2J"], "content": content, "outcome": ["verdict:[red]\x1b", 5, None], "author": {}},
               {"kind": "odometer.read", "content": content, "outcome": "verdict:LOGICAL", "event_at": 5}]  # fmt: skip
    seen = drawn(lambda: echo_timeline(records), columns=200)
    assert "\x1b[2J" not in seen and "odometer.read" in seen


def test_a_record_says_what_later_ones_have_made_of_it() -> None:
    life = at("wholesale")
    chain = life.chain
    for value in (200, 210):
        chain.do("workshop-berlin", maintenance(chain, value))
    amended = newest(chain) - 1
    body = specimen("record.amend", chain, target=name_of(chain, amended), replaced_by=None, belongs_to=None)
    chain.do("workshop-berlin", body, "inspector-1")
    ident = chain.do("dealer-munich", dispute(chain, amended + 1))
    chain.do("dealer-munich", specimen("record.withdraw", None, {"dispute": ident}))
    first, second = (
        line for line in timeline(records_of(life)) if " maintenance.record " in line and " by workshop-berlin" in line
    )
    assert first.endswith(f"by workshop-berlin, AMENDED (record {amended + 2})")
    withdrawn = f"disputed (record {amended + 3}), dispute withdrawn (record {amended + 4})"
    assert second.endswith(f"by workshop-berlin, {withdrawn}")


def test_a_decision_of_the_arbiters_stands_beside_the_record() -> None:
    life = at("wholesale")
    sequence = serviced(life)
    ident = disputed(life, sequence)
    answered(life, ident)
    voted(life, ident, "annulled", *ARBITERS[:3])
    (line,) = (line for line in timeline(records_of(life)) if f"#{sequence} " in line)
    assert "ANNULLED (record " in line


@pytest.mark.parametrize("odd", [{}, [], None, "x", 2**70])
def test_what_a_node_makes_up_about_records_is_no_mark(odd: Any) -> None:
    record = {"sequence": odd, "kind": "record.dispute", "txid": odd, "content": {"target": {"sequence": odd}}}
    later = {"sequence": 1, "kind": "record.close", "content": {"dispute": odd}, "outcome": ["decided:annulled", odd]}
    assert 2 <= len(timeline([record, later]))
