"""The event stream: who gets what, resumed at any point without gap or repetition, slow readers cut off."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from support.backend import SingleNode, serving
from support.chain import Chain, address
from support.http import get, over_http
from support.life import VIN, Life, maintenance, register, transfer

from node.crypto.addresses import to_text
from node.rpc.app import RPC
from node.rpc.events import EVENTS

STREAM = "/v1/stream"
VIN_2 = "WBA8E9G50GNU12346"


@dataclass(frozen=True)
class Event:
    name: str
    ident: str
    data: dict


def parsed(block: str) -> Event | None:
    """One block of lines (HTML standard, 9.2.6); None for a comment."""
    fields = {}
    for line in block.split("\n"):
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
    return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"])) if "event" in fields else None


async def blocks(answer) -> AsyncIterator[str]:
    """The blocks of lines of a stream."""
    buffer = b""
    async for chunk in answer.content.iter_any():
        buffer += chunk
        while b"\n\n" in buffer:
            block, buffer = buffer.split(b"\n\n", 1)
            yield block.decode()


async def events(answer) -> AsyncIterator[Event]:
    async for block in blocks(answer):
        found = parsed(block)
        if found is not None:
            yield found


@asynccontextmanager
async def streamed(http, query: str = "", **headers: str):
    """The events of an open stream."""
    async with http.get(STREAM + query, headers={n.replace("_", "-"): v for n, v in headers.items()}) as answer:
        assert 200 == answer.status, await answer.text()
        assert "text/event-stream" == answer.headers["Content-Type"].split(";")[0]
        assert answer.headers["X-Chain-Height"].isdecimal()
        yield events(answer)


async def first(stream, count: int) -> list[Event]:
    return [await anext(stream) for _ in range(count)]


async def until(stream, ident: str) -> list[Event]:
    """Everything up to the event with this id, included."""
    found = []
    async for event in stream:
        found.append(event)
        if event.ident == ident:
            return found
    raise AssertionError(f"the stream ended before {ident}")


async def whole(http, chain: Chain, query: str = "") -> list[Event]:
    """Every event of the chain that fits: read up to the closing block event of an empty block."""
    async with streamed(http, f"?from_height=1{query}") as stream:
        return await until(stream, f"{chain.store.height()}-0")


def a_node(stage: str = "handed_over") -> SingleNode:
    """A life, then an empty block, whose one event marks the end."""
    node = SingleNode(Life(Chain()).to(stage).chain)
    node.produce()
    return node


@over_http
async def test_a_life_as_events_in_order_from_a_height_on() -> None:
    async with serving(a_node()) as (node, _, http):
        found = await whole(http, node.chain)
        places = [tuple(map(int, event.ident.split("-"))) for event in found]
        assert sorted(set(places)) == places
        for height in range(1, node.chain.store.height() + 1):
            assert [s for h, s in places if h == height] == list(range(sum(h == height for h, _ in places)))
        assert {"block", "transaction", "vehicle.record", "listing", "order", "payment"} <= {e.name for e in found}
        assert {e.name for e in found} <= set(EVENTS)
        blocks = [event for event in found if event.name == "block"]
        shown = await get(http, "/v1/blocks?limit=1000")
        assert [block["id"] for block in shown["blocks"]] == [event.data["id"] for event in blocks]
        history = await get(http, f"/v1/vehicles/{VIN}/history")
        records = [e.data for e in found if e.name == "vehicle.record"]
        assert [record["sequence"] for record in history["records"]] == [record["sequence"] for record in records]
        assert [record["kind"] for record in history["records"]] == [record["kind"] for record in records]


@over_http
async def test_without_a_height_the_next_block_is_the_first() -> None:
    async with serving(a_node("born")) as (node, _, http), streamed(http) as stream:
        height = node.chain.store.height()
        node.produce(node.chain.sign("workshop-berlin", maintenance(node.chain)))
        found = await first(stream, 3)
        assert [f"{height + 1}-{i}" for i in range(3)] == [event.ident for event in found]
        assert ["block", "transaction", "vehicle.record"] == [event.name for event in found]
        assert "maintenance.record" == found[1].data["type"] == found[2].data["kind"]


@over_http
async def test_resuming_after_any_event_leaves_no_gap_and_repeats_nothing() -> None:
    async with serving(a_node()) as (node, _, http):
        everything = await whole(http, node.chain)
        for place in range(len(everything) - 1):
            async with streamed(http, "?from_height=1", Last_Event_ID=everything[place].ident) as stream:
                assert everything[place + 1 :] == await until(stream, everything[-1].ident), place


@over_http
async def test_filters_choose_and_never_renumber() -> None:
    life = Life(Chain()).to("handed_over")
    chain = life.chain
    chain.do("bmw", register(VIN_2))
    chain.do("bmw", transfer(chain, vin=VIN_2), "dealer-munich")
    node = SingleNode(chain)
    node.produce()
    async with serving(node, stream_heartbeat_s=0.02) as (_, _, http):
        everything = await whole(http, chain)
        end = everything[-1].ident

        async def filtered(query: str) -> list[Event]:
            """Up to the heartbeat that says the filter has passed the last block."""
            found = []
            async with http.get(f"{STREAM}?from_height=1&{query}") as answer:
                async for block in blocks(answer):
                    event = parsed(block)
                    if event is not None:
                        found.append(event)
                    elif f"id: {end}" in block:
                        return found
            raise AssertionError("the stream ended")

        for name in {event.name for event in everything}:
            assert [e for e in everything if e.name == name] == await filtered(f"types={name}")
        both = await filtered("types=order,payment")
        assert [e for e in everything if e.name in ("order", "payment")] == both and both
        for vin in (VIN, VIN_2):
            found = await filtered(f"vin={vin}")
            assert [e for e in everything if vin in (e.data.get("vin"), *e.data.get("vins", ()))] == found and found
        buyer, provider = (to_text(address(name)) for name in ("buyer-1", "payment-provider-1"))
        of_buyer = await filtered(f"account={buyer}&types=transaction")
        assert ["order.offer", "order.accept", "payment.initiate", "payment.attest", "delivery.event",
                "order.handover"] == [e.data["type"] for e in of_buyer]  # fmt: skip
        of_provider = await filtered(f"account={provider}&types=transaction")
        assert {"payment.initiate", "payment.attest"} == {e.data["type"] for e in of_provider}
        assert [] == await filtered(f"account={buyer}&vin={VIN_2}")


@over_http
async def test_what_a_stream_refuses() -> None:
    async with serving() as (_, _, http):
        for query, word in (
            ("?types=ordr", "did you mean order?"), ("?vin=x", "not a VIN"),
            ("?account=bmw1x", "bmw1x"), ("?from_height=-1", "from_height"), ("?from_height=x", "from_height"),
            ("?type=order", "types"), ("?types=order&types=block", "twice"),
        ):  # fmt: skip
            problem = await get(http, STREAM + query, 400)
            assert word in problem["detail"], (query, problem["detail"])
        for ident in ("x", "1", "1-", "-1-0", "1-0-0", "99999999999999999-0"):
            assert "Last-Event-ID" in (await get(http, STREAM, 400, Last_Event_ID=ident))["detail"]
        assert "not_acceptable" == (await get(http, STREAM, 406, Accept="application/json"))["code"]


@over_http
async def test_asking_only_for_the_head_of_a_stream_ends_at_once() -> None:
    async with serving(stream_heartbeat_s=60.0) as (_, _, http), asyncio.timeout(5), http.head(STREAM) as answer:
        assert (200, "text/event-stream") == (answer.status, answer.headers["Content-Type"].split(";")[0])


@over_http
async def test_streams_are_counted_and_given_back() -> None:
    async with serving(streams_max=2) as (_, server, http):
        async with streamed(http), streamed(http):
            problem = await get(http, STREAM, 503)
            assert "streams_full" == problem["code"]
            async with http.get("/metrics") as answer:
                assert "bmw_rpc_streams 2" in await answer.text()
        async with asyncio.timeout(5):
            while server.app[RPC].streams.open:
                await asyncio.sleep(0)
        async with streamed(http):
            pass


@over_http
async def test_a_node_that_stops_says_so_to_every_stream() -> None:
    async with serving() as (_, server, http), streamed(http) as stream:
        stopping = asyncio.create_task(server.stop())
        event = await anext(stream)
        assert ("closed", "shutting_down", "") == (event.name, event.data["code"], event.ident)
        await stopping


@over_http
async def test_a_reader_that_takes_nothing_is_cut_off_with_a_reason_and_slows_nobody() -> None:
    """Megabytes of events for a client that does not read: the node goes on, the client finds the reason last."""
    node = SingleNode()
    for block in range(6):
        node.produce(*(node.chain.sign("bmw", register(f"WBA8E9G50GN{block}{i:05d}")) for i in range(500)))
    settings = {"stream_stall_s": 1.0, "stream_buffer_bytes": 16_384, "stream_heartbeat_s": 5.0}
    async with serving(node, **settings) as (_, server, http), asyncio.timeout(30):
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", server.port))
        await loop.sock_sendall(slow, b"GET /v1/stream?from_height=1 HTTP/1.1\r\nHost: node\r\n\r\n")
        assert (await loop.sock_recv(slow, 12)).startswith(b"HTTP/1.1 200")
        assert 6 == (await whole(http, node.chain))[-1].data["height"], "a quick reader is not held up"
        while server.app[RPC].streams.open:
            await get(http, "/health/live")
        received = bytearray()
        while data := await loop.sock_recv(slow, 1 << 20):
            received += data
        slow.close()
        text = bytes(received).decode(errors="replace")
        last = [line for line in text.splitlines() if line.startswith("data: ")][-1]
        assert "slow_reader" == json.loads(last.removeprefix("data: "))["code"]
        assert len(received) < 1_000_000, "what it did not take was not kept for it"
