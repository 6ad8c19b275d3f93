"""What a bad peer sends on a real socket: it costs that peer its link and its score, and nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from support.frames import seal
from support.http import over_http as over_sockets
from support.peers import Peer, RawLink, dialled, key_of, started, until

from node import limits
from node.codec import encode
from node.p2p import connection
from node.p2p.framing import Lane
from node.p2p.handshake_queue import PENDING_PER_ADDRESS_MAX
from node.p2p.network import MESSAGE_MS
from node.p2p.peer_book import BAN_MS, BAN_SCORE, record_of
from node.p2p.transport import GARBAGE_WEIGHT
from node.p2p.wire import Bye, GetPeers, Peers, Ping
from node.replica.messages import Status, Transactions

STATUS = Status(7, 0, 1)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"A" * 2_000,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "zeros": bytes(4_000),
    "ones": b"\xff" * 4_000,
    "a key of zeros": (32).to_bytes(2, "big") + bytes(32) + (64).to_bytes(2, "big") + bytes(64),
    "goodbye": b"\x00\x0fBYE!nothing new",
    "short": b"\x00\x01x",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_instead_of_a_handshake_closes_that_link_alone(garbage: bytes) -> None:
    async def play() -> None:
        one = Peer("one")
        async with started(one):
            good = await dialled(one, key_of("good"))
            await until(lambda: one.links)
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(5):
                await asyncio.gather(reader.read(), return_exceptions=True)  # its end, or a reset
            writer.close()
            await until(lambda: one.network.counters["refused"] == 1)
            good.writer.write(seal(good.session, encode(STATUS)))
            await until(lambda: STATUS in one.messages())

    asyncio.run(play())


@pytest.mark.parametrize(
    ("garbage", "name"),
    [(GARBAGE["http"], "HTTP"), (b"POST /v1/transactions HTTP/1.1\r\n", "HTTP"), (GARBAGE["tls"], "TLS")],
)
def test_whoever_speaks_http_to_the_p2p_port_is_told_so_and_so_is_the_log(garbage: bytes, name: str) -> None:
    async def play() -> None:
        one = Peer("one")
        async with started(one), asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(garbage)
            answer = b"" if name == "TLS" else await reader.read()
            writer.close()
            assert (name == "HTTP") == answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer
            assert (name == "HTTP") == answer.endswith(
                b"\r\n\r\nthis is the p2p port, HTTP has one of its own (rpc.port)\n"
            )
            await until(lambda: one.network.counters["refused"] == 1)
            told = f"the peer speaks {name}: this is the p2p port, HTTP has one of its own (rpc.port)"
            assert [told] == one.told("handshake_refused")

    asyncio.run(play())


def test_a_peer_that_answers_with_http_is_named() -> None:
    """The HTTP port in `p2p.peers` is an easy mistake."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def play() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        one = Peer("one", "127.0.0.1:" + str(server.sockets[0].getsockname()[1]))
        async with server, started(one), asyncio.timeout(20):
            await until(lambda: one.told("handshake_refused"))
        told = "the peer speaks HTTP: p2p.peers must name its p2p port, not its HTTP port (rpc.port)"
        assert told == one.told("handshake_refused")[0]

    asyncio.run(play())


def flipped(raw: RawLink) -> bytes:
    sealed = bytearray(seal(raw.session, encode(STATUS)))
    sealed[-1] ^= 1
    return bytes(sealed)


def oversized(raw: RawLink) -> bytes:
    """The first chunk of a message that says it is longer than any may be."""
    return seal(raw.session, bytes(limits.FRAME_BYTES_MAX + 1))[:70_000]


BAD_BYTES = {
    "flipped byte": flipped,
    "garbage": lambda raw: b"\x00\x40" + bytes(64),
    "oversized": oversized,
    "replayed": lambda raw: seal(raw.session, encode(Ping())) * 2,
    "a long vote": lambda raw: seal(raw.session, encode(Transactions((bytes(70_000),))), Lane.VOTES),
    "no such lane": lambda raw: seal(raw.session, encode(STATUS), 3),
    "empty chunk": lambda raw: b"\x00\x10" + bytes(16),
    "no message": lambda raw: seal(raw.session, b"\xc1"),
    "unknown message": lambda raw: seal(raw.session, b"\x91\xa7explode"),
    "not canonical": lambda raw: seal(raw.session, encode(STATUS).replace(b"\x07", b"\xcd\x00\x07", 1)),
    "one more field": lambda raw: seal(raw.session, bytes([encode(STATUS)[0] + 1]) + encode(STATUS)[1:] + b"\x00"),
}


@pytest.mark.parametrize("bad", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_bad_bytes_after_the_handshake_close_that_link_alone_and_cost_score(bad) -> None:
    async def play() -> None:
        one = Peer("one")
        async with started(one):
            good, evil = await dialled(one, key_of("good")), await dialled(one, key_of("evil"))
            await until(lambda: len(one.links) == 2)
            evil.writer.write(seal(evil.session, encode(STATUS)))
            await until(lambda: one.messages() == [STATUS])
            evil.writer.write(bad(evil))
            await until(lambda: one.is_linked_to(key_of("good")))
            assert 1 == len(one.told("peer_misbehaved"))
            good.writer.write(seal(good.session, encode(STATUS)))
            await until(lambda: one.messages() == [STATUS, STATUS])
            assert not one.network.book.is_banned(key_of("evil").public, one.clock()), "once is not enough"
            for _ in range(2):
                again = await dialled(one, key_of("evil"))
                await until(lambda: one.is_linked_to(key_of("good"), key_of("evil")))
                again.writer.write(bad(again))
                await until(lambda: one.is_linked_to(key_of("good")))
            assert one.network.book.is_banned(key_of("evil").public, one.clock()), "three times are"

    asyncio.run(play())


@over_sockets
async def test_a_flood_costs_score_then_a_ban_that_passes() -> None:
    one = Peer("one")
    async with started(one):
        good, evil = await dialled(one, key_of("good")), await dialled(one, key_of("evil"))
        await until(lambda: len(one.links) == 2)
        for _ in range(300):
            evil.writer.write(seal(evil.session, encode(GetPeers())))
        said = await evil.read_to_end()
        assert one.network.book.is_banned(key_of("evil").public, one.clock())
        rest = [message for message in said if not isinstance(message, Peers)]
        assert rest in ([Bye("banned: over_budget")], []), "the reset of a link with unread bytes may overtake it"
        assert len(said) - len(rest) <= 6, "what is over budget is not answered"
        await until(lambda: one.is_linked_to(key_of("good")))
        assert one.network.counters["over_budget"] >= 50

        again = await dialled(one, key_of("evil"))
        assert [Bye("banned for a while")] == await again.read_to_end()
        good.writer.write(seal(good.session, encode(STATUS)))
        await until(lambda: STATUS in one.messages())

        one.ahead_ms += BAN_MS
        await dialled(one, key_of("evil"))
        await until(lambda: key_of("evil").public in one.links.values(), "the ban has passed")


def test_a_handshake_that_never_comes_to_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_TIMEOUT_S", 0.2)

    async def play() -> None:
        one = Peer("one")
        async with started(one):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(b"\x00")
            async with asyncio.timeout(5):
                assert b"" == await reader.read()
            writer.close()
            await dialled(one, key_of("good"))
            await until(lambda: one.links)

    asyncio.run(play())


@over_sockets
async def test_a_flood_of_handshakes_costs_the_oldest_unfinished_one_and_never_a_newcomer() -> None:
    one = Peer("one")
    one.members = {key_of("member").public: ()}
    async with started(one), contextlib.AsyncExitStack() as stack:
        first = await dialled(one, key_of("here before"))
        await until(lambda: one.links)
        loris = []
        for _ in range(PENDING_PER_ADDRESS_MAX + 5):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            stack.callback(writer.close)
            loris.append(reader)
        await until(lambda: one.network.transport.handshakes.dropped == 5)
        for reader in loris[:5]:
            assert b"too many unfinished handshakes" in await reader.read(), "the oldest ones"
        assert PENDING_PER_ADDRESS_MAX == len(one.network.transport.handshakes)
        await dialled(one, key_of("member"))
        await until(lambda: one.is_linked_to(key_of("here before"), key_of("member")))
        assert 6 == one.network.transport.handshakes.dropped
        first.writer.write(seal(first.session, encode(STATUS)))
        await until(lambda: STATUS in one.messages(), "links that are there go on")


@over_sockets
async def test_places_at_the_door_are_given_back() -> None:
    one = Peer("one")
    async with started(one):
        for _ in range(PENDING_PER_ADDRESS_MAX):
            _, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.close()
        await dialled(one, key_of("good"))
        await until(lambda: one.links and not len(one.network.transport.handshakes))
        assert not one.network.book.is_banned(record_of("127.0.0.1"), one.clock()), "leaving early is no garbage"


@over_sockets
async def test_an_address_that_sends_garbage_is_closed_to_strangers_and_open_to_members() -> None:
    one = Peer("one")
    one.members = {key_of("member").public: ()}
    async with started(one):
        for _ in range(BAN_SCORE // GARBAGE_WEIGHT + 1):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.gather(reader.read(), return_exceptions=True)
            writer.close()
        assert len(one.told("handshake_refused")) <= 51, "a flood does not fill the log"
        stranger = await dialled(one, key_of("stranger"))
        assert [Bye("strangers from this address are refused for a while")] == await stranger.read_to_end()
        await dialled(one, key_of("member"))
        await until(lambda: one.is_linked_to(key_of("member")))
        one.ahead_ms += BAN_MS
        one.network._ticked_ms = one.clock()
        await dialled(one, key_of("stranger"))
        await until(lambda: key_of("stranger").public in one.links.values(), "the ban has passed")


@over_sockets
async def test_four_banned_keys_of_one_address_close_it_to_strangers() -> None:
    one = Peer("one")
    async with started(one):
        for name in "abcd":
            evil = await dialled(one, key_of(name))
            await until(lambda: one.links)
            one.network.misbehaved(max(one.links), "lied", "as the replica says", BAN_SCORE)
            assert [Bye("banned: lied")] == [m for m in await evil.read_to_end() if isinstance(m, Bye)]
            await until(lambda: not one.links)
        fifth = await dialled(one, key_of("e"))
        assert [Bye("strangers from this address are refused for a while")] == await fifth.read_to_end()


@over_sockets
async def test_a_message_that_never_comes_to_an_end_costs_the_link() -> None:
    one = Peer("one")
    async with started(one):
        slow = await dialled(one, key_of("slow"))
        await until(lambda: one.links)
        begun = seal(slow.session, encode(STATUS))
        slow.writer.write(begun[:10])
        (link,) = one.network.connected().values()
        await until(lambda: link.waiting_since_ms() is not None)
        reading = asyncio.create_task(slow.read_to_end())
        for _ in range(MESSAGE_MS // 10_000):
            assert one.links
            one.ahead_ms += 9_000
            heard = link.heard_ms
            begun, piece = begun[1:], begun[10:11]
            slow.writer.write(piece)
            await until(lambda heard=heard: link.heard_ms > heard or not one.links)
        one.ahead_ms += 8_000
        await until(lambda: not one.links, "the link is given up though bytes still come")
        await reading


@over_sockets
async def test_a_peer_that_falls_silent_is_pinged_then_dropped() -> None:
    one = Peer("one")
    async with started(one):
        raw = await dialled(one, key_of("silent"))
        await until(lambda: one.links)
        one.ahead_ms += 4_000
        reading = asyncio.create_task(raw.read_to_end())
        await until(lambda: Ping() in raw.said, "a ping")
        one.ahead_ms += 20_000
        await until(lambda: not one.links, "the link is given up")
        await reading
