"""What a bad peer sends on a real socket: it costs that peer its link and its score, and nobody else anything."""

from __future__ import annotations

import asyncio

import pytest
from support.http import over_http as over_sockets
from support.peers import Peer, RawLink, dialled, key_of, started, until

from node import limits
from node.codec import encode
from node.errors import Rejected
from node.p2p import connection
from node.p2p.framing import Session
from node.p2p.peer_book import BAN_MS
from node.p2p.wire import Bye, GetPeers, Peers, Ping
from node.replica.messages import Status

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
            good.writer.write(good.session.seal(encode(STATUS)))
            await until(lambda: STATUS in one.messages())

    asyncio.run(play())


def flipped(raw: RawLink) -> bytes:
    sealed = bytearray(raw.session.seal(encode(STATUS)))
    sealed[-1] ^= 1
    return bytes(sealed)


def oversized(raw: RawLink) -> bytes:
    """The first chunk of a message that says it is longer than any may be."""
    session = Session(raw.session._send, raw.session._reader._receive, limit=limits.FRAME_BYTES_MAX + 1)
    return session.seal(bytes(limits.FRAME_BYTES_MAX + 1))[:70_000]


BAD_BYTES = {
    "flipped byte": flipped,
    "garbage": lambda raw: b"\x00\x40" + bytes(64),
    "oversized": oversized,
    "empty chunk": lambda raw: b"\x00\x10" + bytes(16),
    "no message": lambda raw: raw.session.seal(b"\xc1"),
    "unknown message": lambda raw: raw.session.seal(b"\x91\xa7explode"),
    "not canonical": lambda raw: raw.session.seal(encode(STATUS).replace(b"\x07", b"\xcd\x00\x07", 1)),
    "one more field": lambda raw: raw.session.seal(bytes([encode(STATUS)[0] + 1]) + encode(STATUS)[1:] + b"\x00"),
}


@pytest.mark.parametrize("bad", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_bad_bytes_after_the_handshake_close_that_link_alone_and_cost_score(bad) -> None:
    async def play() -> None:
        one = Peer("one")
        async with started(one):
            good, evil = await dialled(one, key_of("good")), await dialled(one, key_of("evil"))
            await until(lambda: len(one.links) == 2)
            evil.writer.write(evil.session.seal(encode(STATUS)))
            await until(lambda: one.messages() == [STATUS])
            evil.writer.write(bad(evil))
            await until(lambda: one.is_linked_to(key_of("good")))
            assert 1 == len(one.told("peer_misbehaved"))
            good.writer.write(good.session.seal(encode(STATUS)))
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
            evil.writer.write(evil.session.seal(encode(GetPeers())))
        said = await evil.read_to_end()
        assert Bye("banned: over_budget") == said[-1]
        assert sum(isinstance(message, Peers) for message in said) <= 6, "what is over budget is not answered"
        await until(lambda: one.is_linked_to(key_of("good")))
        assert one.network.counters["over_budget"] >= 50

        again = await dialled(one, key_of("evil"))
        assert [Bye("banned for a while")] == await again.read_to_end()
        good.writer.write(good.session.seal(encode(STATUS)))
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


def test_half_open_links_of_one_address_are_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_TIMEOUT_S", 1.5)

    async def play() -> None:
        one = Peer("one")
        async with started(one):
            open_ones = [
                await asyncio.open_connection("127.0.0.1", one.port) for _ in range(2 * limits.PEERS_PER_ADDRESS_MAX)
            ]
            with pytest.raises(Rejected, match="too many links from this address"):
                await dialled(one, key_of("one more"))
            for _, writer in open_ones:
                writer.close()
            await until(lambda: not one.network._shaking)
            await dialled(one, key_of("good"))
            await until(lambda: one.links)

    asyncio.run(play())


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
