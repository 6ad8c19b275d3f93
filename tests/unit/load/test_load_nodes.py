"""Which node a transaction goes to, and the events that a stream tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from node.load.following import StreamEvent, events
from node.load.nodes import REST_S, Node, Turns


def taken(turns: Turns, now_s: float = 0) -> str:
    """The node whose turn it is, with a request in flight from now on."""
    node = turns.take(now_s)
    if node is None:
        return "none"
    node.in_flight += 1
    return node.url


def test_nodes_take_turns() -> None:
    turns = Turns("abc", 9)
    assert [taken(turns) for _ in range(7)] == list("abcabca")


def test_a_node_without_room_is_passed_over() -> None:
    turns = Turns("ab", 2)
    turns.nodes[0].in_flight = 2
    assert [taken(turns) for _ in range(3)] == ["b", "b", "none"]
    turns.nodes[1].in_flight = 1
    assert taken(turns) == "b"


def test_a_node_that_fails_rests_for_a_while() -> None:
    turns = Turns("ab", 9)
    turns.nodes[0].failed("connection refused", 3, now_s=10)
    assert [taken(turns, 10) for _ in range(3)] == ["b", "b", "b"]
    assert taken(turns, 10 + REST_S) == "a"
    assert turns.nodes[0].failures == {"connection refused": 3}


def test_if_all_nodes_rest_the_next_one_is_tried() -> None:
    turns = Turns("ab", 9)
    for node in turns.nodes:
        node.failed("connection refused", 1, now_s=0)
    assert [taken(turns) for _ in range(3)] == ["a", "b", "a"]


def test_a_transaction_without_an_answer_goes_to_each_node_once() -> None:
    turns, tried = Turns("abc", 1), list[Node]()
    while (node := turns.other(0, tried)) is not None:
        tried.append(node)
    assert "".join(node.url for node in tried) == "abc"


# --- event streams ------------------------------------------------------------------------------------------
def read(*lines: str) -> list[StreamEvent]:
    async def given() -> AsyncIterator[bytes]:
        for line in lines:
            yield line.encode()

    async def collect() -> list[StreamEvent]:
        return [event async for event in events(given())]

    return asyncio.run(collect())


def test_events_have_an_id_a_name_and_json() -> None:
    found = read("retry: 1000\n", "\n", "id: 7-0\n", "event: block\n", 'data: {"height":7}\n', "\n", "id: 7-1\r\n",
                 "event: transaction\r\n", 'data:{"txid":"ab"}\r\n', "\r\n")  # fmt: skip
    assert found == [StreamEvent("7-0", "block", {"height": 7}), StreamEvent("7-1", "transaction", {"txid": "ab"})]


def test_a_heartbeat_has_an_id_and_nothing_else() -> None:
    assert read(": heartbeat\n", "id: 9-3\n", "\n") == [StreamEvent("9-3", "", {})]


def test_data_that_is_no_object_is_none() -> None:
    for data in ("", "[]", "7", "{", "[" * 100_000):
        assert read("event: block\n", f"data: {data}\n", "\n") == [StreamEvent("", "block", {})]


def test_an_event_that_is_cut_off_is_none() -> None:
    assert read("id: 7-0\n", "event: block\n", 'data: {"height":7}\n') == []
