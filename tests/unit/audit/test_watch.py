"""Watching nodes: what is an alarm, and what is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.life import register
from support.light import edit, liars, usurping, with_entry
from support.stages import fork
from support.witnessing import Honest, Silent, long_chain, showing, two_views

from node.audit.following import Shower
from node.audit.watch import Alarm, Watch

STALLED_MS = 60_000


def looked(nodes: Mapping[str, Shower], chain: Chain, rounds: int = 1) -> list[Alarm]:
    watch = Watch(chain.genesis, nodes, STALLED_MS, lambda: chain.now)
    try:
        return [alarm for _ in range(rounds) for alarm in watch.look()]
    finally:
        watch.close()


def kinds(alarms: list[Alarm]) -> list[tuple[str, tuple[str, ...]]]:
    return [(alarm.kind, alarm.nodes) for alarm in alarms]


def test_nodes_of_one_view_raise_no_alarm_also_where_one_is_behind() -> None:
    chain = long_chain()
    behind = fork(chain)
    chain.produce()
    assert [] == looked({"a": Honest(chain), "b": Honest(chain), "c": Honest(behind)}, chain, rounds=2)


@pytest.mark.parametrize(("one", "other"), [(1, 1), (1, 3), (3, 1)])
def test_a_split_view_is_found_at_the_height_that_both_have(one: int, other: int) -> None:
    first, second = two_views(1)
    for chain, more in ((first, one), (second, other)):
        for _ in range(more - 1):
            chain.produce()
    alarms = looked({"a": Honest(first), "b": Honest(second)}, max((first, second), key=lambda c: c.now))
    assert alarms and {("split_view", frozenset("ab"))} == {(a.kind, frozenset(a.nodes)) for a in alarms}
    evidence = alarms[0].evidence
    assert evidence is not None and 2 == len({each["block_id"] for each in evidence["headers"]})
    assert 4 == len(evidence["signed_both"])


def test_a_node_that_shows_another_block_later_is_found() -> None:
    first, second = two_views(1)
    node = Honest(first)
    watch = Watch(first.genesis, {"a": node}, STALLED_MS, lambda: first.now)
    assert [] == watch.look()
    node.chain = second
    assert [("split_view", ("a", "a"))] == kinds(watch.look())
    watch.close()


def test_headers_that_differ_in_what_execution_gives_are_a_diverging_root() -> None:
    chain = Chain()
    chain.do("bmw", register())
    other = fork(chain)
    block = other.build()
    chain.produce()
    false = showing(chain, replace(block, header=replace(block.header, state_root=bytes(32))))
    ahead = fork(chain)
    ahead.produce()
    false.chain = ahead
    (alarm,) = [a for a in looked({"a": Honest(chain), "b": false}, ahead) if a.evidence]
    assert "diverging_root" == alarm.kind
    assert alarm.evidence is not None and ["state_root"] == alarm.evidence["differing"]


def test_a_state_that_does_not_prove_is_a_diverging_root() -> None:
    chain = long_chain()
    node = Honest(chain, tamper=lambda answer: with_entry(answer, value=b"\x93\x01\x02\x03"))
    assert [("diverging_root", ("a",))] == kinds(looked({"a": node, "b": Honest(chain)}, chain))


def test_nodes_that_lie_stand_still_or_are_silent_are_told_apart() -> None:
    chain = long_chain()
    old = fork(chain)
    chain.now += 10 * STALLED_MS
    chain.produce()
    nodes = {
        "liar": usurping(chain, liars()), "still": Honest(old), "silent": Silent(chain), "honest": Honest(chain),
        "unsigned": Honest(chain, tamper=lambda answer: edit(answer, signatures=(b"",) * 4)),
    }  # fmt: skip
    found = kinds(looked(nodes, chain))
    assert {("false_header", ("liar",)), ("false_header", ("unsigned",)), ("stalled", ("still",)),
            ("unreachable", ("silent",))} == set(found)  # fmt: skip
    assert changed(looked({"still": Honest(old)}, chain)[0], text="").evidence is None
