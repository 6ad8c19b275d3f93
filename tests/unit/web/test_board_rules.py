"""The board's rules: metrics in, alarms out; and who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from support.prometheus import prometheus

from node.errors import OperatorError
from node.rpc.metrics import METRICS, RouteCounters, render_metrics
from web.board.access import FORWARDING, is_board_on, may_see_board
from web.board.alarms import COUNTERS, RULES, UP, Observed, Rule, alarms_of, judged, span_text
from web.board.samples import Past, increase, parsed, quantile
from web.settings import WebSettings, load_settings
from web.words import CATALOGUE


# --- samples ------------------------------------------------------------------------------------------------------
def test_what_a_node_writes_is_read_as_a_strict_reader_does() -> None:
    counters = RouteCounters()
    counters.add("GET", '/v1/{a}"b', 200, 0.25)
    text = render_metrics({"height": 7, 'memory_bytes{kind="anonymous"}': 3.5, "blocks_committed_total": 2}, counters)
    read = {f"{name}{{{labels}}}" if labels else name: value
            for (name, labels), value in prometheus(text.replace('a}"b', "a}")).items()}  # fmt: skip
    assert read == parsed(text.replace('a}"b', "a}"))
    assert 3.5 == parsed(text)['bmw_memory_bytes{kind="anonymous"}']


def test_what_is_no_sample_is_left_out() -> None:
    text = "# HELP a b\n\nbmw_a 1\nbmw_b NaN\nbmw_c +Inf\nbmw_d one\nbmw_e 2 1700000000\n{x} 3\nbmw_f"
    assert {"bmw_a": 1.0, "bmw_e": 2.0} == parsed(text)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(isinstance(value, float) for value in parsed(text).values())


def past(*points: tuple[float, float]) -> list[Past]:
    return [Past(at, {"c": value}) for at, value in points]


def test_a_counter_grows_within_the_window_and_begins_anew_with_its_node() -> None:
    assert (5.0, 20.0) == increase(past((0, 90), (10, 100), (30, 105)), "c", 25, 30)
    assert (7.0, 20.0) == increase(past((10, 100), (20, 3), (30, 7)), "c", 25, 30)
    assert (0.0, 0.0) == increase(past((30, 7)), "c", 25, 30)
    assert (0.0, 0.0) == increase(past((10, 1), (30, 7)), "other", 25, 30)


def test_quantiles_are_values_that_were_there() -> None:
    values = [float(each) for each in range(1, 101)]
    assert (50.0, 99.0, 100.0) == tuple(quantile(values, share) for share in (0.5, 0.99, 1.0))
    assert 3.0 == quantile([3.0], 0.5) == quantile([3.0], 0.99)
    assert quantile([], 0.5) is None


# --- rules --------------------------------------------------------------------------------------------------------
HEALTHY = {
    UP: 1, "bmw_is_halted": 0, "bmw_is_validator": 1, "bmw_is_signing": 1, "bmw_upgrade_needed_before_height": 0,
    "bmw_head_age_seconds": 3, "bmw_peers": 3, "bmw_is_syncing": 0, "bmw_pool_txs": 10,
    "bmw_clock_offset_seconds": -0.1, "bmw_rpc_certificate_seconds_left": 5e6, "bmw_disk_free_bytes": 50,
    "bmw_disk_bytes": 100, 'bmw_event_loop_blocked_seconds_max{clock="wall"}': 0.9,
    **dict.fromkeys(COUNTERS, 5),
}  # fmt: skip
SICK: dict[str, dict[str, float]] = {
    "silent": {UP: 0}, "halted": {"bmw_is_halted": 1}, "not_signing": {"bmw_is_signing": 0},
    "upgrade": {"bmw_upgrade_needed_before_height": 90}, "stalled": {"bmw_head_age_seconds": 61},
    "few_peers": {"bmw_peers": 1}, "syncing": {"bmw_is_syncing": 1}, "pool": {"bmw_pool_txs": 10_001},
    "clock": {"bmw_clock_offset_seconds": -5.5}, "certificate": {"bmw_rpc_certificate_seconds_left": 1_209_599},
    "disk": {"bmw_disk_free_bytes": 9}, "blocked": {'bmw_event_loop_blocked_seconds_max{clock="wall"}': 1.1},
}  # fmt: skip
GROWN: dict[str, tuple[str, float]] = {
    "rounds": ("bmw_rounds_above_zero_total", 0.06), "over_budget": ("bmw_p2p_over_budget_total", 0.01),
    "refused": ("bmw_p2p_refused_total", 1.1), "untimely": ("bmw_proposals_untimely_total", 0.01),
    "verifiers": ("bmw_verifiers_replaced_total", 0.01),
}  # fmt: skip
"""Counters, and by how much they grow in a second."""


def observed(**changes: float) -> Observed:
    samples = {name: float(value) for name, value in (HEALTHY | changes).items()}
    return Observed("a", samples, [Past(0, {name: samples[name] for name in COUNTERS})])


def grown(metric: str, per_s: float, until: int) -> Observed:
    history = [Past(at, dict.fromkeys(COUNTERS, 5.0) | {metric: 5 + at * per_s}) for at in range(0, until + 1, 10)]
    return Observed("a", {name: float(value) for name, value in HEALTHY.items()}, history)


def rule_of(code: str) -> Rule:
    return next(rule for rule in RULES if rule.code == code)


def test_a_healthy_node_raises_nothing() -> None:
    assert {} == judged([observed()], {}, 0)


@pytest.mark.parametrize("code", SICK)
def test_each_rule_is_raised_by_its_own_condition_after_its_time(code: str) -> None:
    rule, sick = rule_of(code), observed(**SICK[code])
    begun = judged([sick], {}, 1_000)
    assert {(code, "a"): 1_000} == begun
    assert not rule.after_s or not alarms_of(begun, 1_000 + rule.after_s - 1)
    begun = judged([sick], begun, 1_000 + rule.after_s)
    assert [(rule, ("a",), 1_000)] == alarms_of(begun, 1_000 + rule.after_s)
    assert {} == judged([observed()], begun, 2_000), "and it ends with its condition"


@pytest.mark.parametrize("code", GROWN)
def test_each_rate_is_raised_by_a_counter_that_grows(code: str) -> None:
    metric, per_s = GROWN[code]
    assert {(code, "a"): 600} == judged([grown(metric, per_s, 600)], {}, 600)
    assert {} == judged([grown(metric, 0, 600)], {}, 600)


def test_a_rate_over_seconds_says_nothing_yet() -> None:
    assert {} == judged([grown("bmw_p2p_refused_total", 50, 50)], {}, 50)


def test_every_rule_is_tried_and_has_its_texts() -> None:
    codes = {rule.code for rule in RULES}
    assert codes == SICK.keys() | GROWN.keys()
    assert {f"alarms.{code}{end}" for code in codes for end in ("", "_look")} == {
        key for key in CATALOGUE if key.startswith("alarms.")
    }


def test_every_metric_of_a_rule_is_one_of_the_node() -> None:
    named = {name for rule in RULES for each in rule.conditions for name in (each.metric, each.whole) if name}
    assert set() == {name.removeprefix("bmw_").partition("{")[0] for name in named - {UP}} - set(METRICS)


def test_a_silent_node_raises_only_that() -> None:
    assert {("silent", "a"): 5} == judged([Observed("a", {UP: 0.0})], {("stalled", "a"): 1}, 5)


def test_alarms_of_one_rule_are_one_with_its_nodes_and_the_severe_ones_come_first() -> None:
    begun = {("few_peers", "a"): 0.0, ("silent", "c"): 90.0, ("silent", "b"): 80.0, ("syncing", "a"): 950.0}
    told = [(alarm.rule.code, alarm.nodes, alarm.since_s) for alarm in alarms_of(begun, 1_000)]
    assert [("silent", ("b", "c"), 80.0), ("few_peers", ("a",), 0.0)] == told


def test_a_clock_that_steps_back_ends_no_alarm_and_begins_none_in_the_future() -> None:
    assert {("halted", "a"): 50} == judged([observed(bmw_is_halted=1)], {("halted", "a"): 100}, 50)


def test_conditions_are_written_as_prometheus_reads_them() -> None:
    told = {rule.code: rule.expression for rule in RULES}
    assert "bmw_is_validator == 1 and bmw_is_signing == 0" == told["not_signing"]
    assert "rate(bmw_rounds_above_zero_total[10m]) > 0.05" == told["rounds"]
    assert "bmw_rpc_certificate_seconds_left < 1209600" == told["certificate"]
    assert "abs(bmw_clock_offset_seconds) > 5" == told["clock"]
    assert "bmw_disk_free_bytes / bmw_disk_bytes < 0.1" == told["disk"]
    assert ["0s", "10s", "90s", "2m", "1h"] == [span_text(seconds) for seconds in (0, 10, 90, 120, 3_600)]


# --- who may see it -----------------------------------------------------------------------------------------------
def asked(remote: str = "127.0.0.1", host: str = "localhost:26900", **told: str) -> Any:
    class Transport:
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return (remote, 1) if name == "peername" else default

    return make_mocked_request("GET", "/en/board", headers={"Host": host} | told, transport=Transport())


def test_everybody_in_the_tier_open_and_nobody_else_unless_it_is_set() -> None:
    shut, opened = WebSettings(), WebSettings(tier="open")
    assert may_see_board(asked("203.0.113.9", "cars.example"), opened)
    assert not may_see_board(asked(), shut)
    assert (False, True, True) == tuple(map(is_board_on, (shut, opened, WebSettings(board=True))))


@pytest.mark.parametrize("host", ["localhost", "localhost:26900", "127.0.0.1:26900", "[::1]:26900", "LOCALHOST"])
def test_who_sits_at_the_machine_may_see_it_where_it_is_set(host: str) -> None:
    assert may_see_board(asked(host=host), WebSettings(board=True))
    assert may_see_board(asked("::1", host), WebSettings(board=True))


@pytest.mark.parametrize("header", FORWARDING)
def test_what_a_proxy_passes_on_is_a_strangers(header: str) -> None:
    assert not may_see_board(asked(**{header: "127.0.0.1"}), WebSettings(board=True))


@pytest.mark.parametrize(("remote", "host"), [
    ("203.0.113.9", "localhost"), ("::ffff:203.0.113.9", "localhost"), ("127.0.0.1", "cars.example"),
    ("127.0.0.1", "localhost.cars.example"), ("127.0.0.1", ""),
])  # fmt: skip
def test_another_address_or_host_is_a_strangers(remote: str, host: str) -> None:
    assert not may_see_board(asked(remote, host), WebSettings(board=True))


def test_behind_a_proxy_nobody_is_an_operator() -> None:
    assert not may_see_board(asked(), WebSettings(board=True, forwarded=True))


def test_the_board_and_a_proxy_exclude_each_other() -> None:
    with pytest.raises(OperatorError, match=r"web\.board and web\.forwarded exclude each other"):
        load_settings(None, {}, {"web.board": True, "web.forwarded": True})
