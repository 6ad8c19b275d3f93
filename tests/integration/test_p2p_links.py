"""Links over real sockets: who is let in, who is refused and told why, and what a bad peer can not do to the others."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from msgspec.structs import replace
from support.frames import seal
from support.http import over_http as over_sockets
from support.links import Proxy
from support.peers import GENESIS_HASH, Peer, RawLink, a_handshake, dialled, key_of, started, until

from node.codec import encode
from node.errors import Busy
from node.p2p.connection import Link, shake_hands
from node.p2p.handshake import RefusedByPeer
from node.p2p.wire import KEY_IN_USE, Bye, GetPeers, Peers, Ping, Pong
from node.replica.messages import GetTransactions, Status, Transactions

STATUS = Status(7, 0, 1)


def bulk(index: int, size: int = 10_000) -> Transactions:
    return Transactions((index.to_bytes(4, "big") + bytes(size),))


# --- good links ----------------------------------------------------------------------------------------
@over_sockets
async def test_two_nodes_find_each_other_and_talk_both_ways() -> None:
    one = Peer("one")
    async with started(one):
        two = Peer("two", one.address)
        async with started(two):
            await until(lambda: one.is_linked_to(two.key) and two.is_linked_to(one.key))
            one.network.broadcast(STATUS)
            two.network.send(next(iter(two.links)), GetTransactions((bytes(32),)))
            await until(lambda: two.messages() and one.messages())
            assert ([STATUS], [GetTransactions((bytes(32),))]) == (two.messages(), one.messages())
            assert 7 == two.network.height_of(next(iter(two.links)))
        await until(lambda: one.is_linked_to())
        assert "stopping" in one.told("peer_bye")


@over_sockets
async def test_nothing_on_the_wire_can_be_read() -> None:
    one = Peer("one")
    async with started(one):
        proxy = Proxy(one.port)
        try:
            two = Peer("two", f"127.0.0.1:{proxy.port}")
            async with started(two):
                await until(lambda: two.links)
                vin = b"WBA8E9G50GNU12345"
                message = Transactions((vin * 100,))
                assert vin in encode(message)
                two.network.broadcast(message)
                await until(lambda: one.messages())
                assert [message] == one.messages()
        finally:
            proxy.stop()
        assert len(proxy.passed) > 1_700
        for readable in (vin, vin[:8], GENESIS_HASH, one.key.public, two.key.public):
            assert readable not in proxy.passed


@over_sockets
async def test_what_is_urgent_overtakes_what_is_not() -> None:
    one = Peer("one")
    async with started(one):
        two = Peer("two", one.address)
        async with started(two):
            await until(lambda: two.links and one.links)
            for index in range(100):
                two.network.broadcast(bulk(index))
            two.network.broadcast(STATUS)
            await until(lambda: len(one.received) == 101)
            assert one.messages().index(STATUS) <= 1
            assert [bulk(index) for index in range(100)] == [m for m in one.messages() if m != STATUS]


@over_sockets
async def test_a_node_learns_addresses_from_its_peers_and_dials_them() -> None:
    one = Peer("one")
    async with started(one):
        two = Peer("two", one.address)
        async with started(two):
            await until(lambda: one.is_linked_to(two.key))
            raw = await dialled(one, key_of("asker"))
            raw.writer.write(seal(raw.session, encode(GetPeers())))
            reading = asyncio.create_task(raw.read_to_end())
            await until(lambda: any(isinstance(message, Peers) for message in raw.said))
            one.network.book.add("127.0.0.1", two.port, is_configured=False, node_key=two.key.public)
            three = Peer("three", one.address)
            async with started(three):
                await until(lambda: three.is_linked_to(one.key, two.key), "the third knows the second")
            raw.writer.close()
            await reading


@over_sockets
async def test_a_node_that_comes_back_is_dialled_again() -> None:
    one = Peer("one")
    await one.network.start()
    port = one.port
    two = Peer("two", one.address)
    async with started(two):
        await until(lambda: two.links)
        await one.network.stop()
        await until(lambda: not two.links)
        again = Peer("one", port=port)
        async with started(again):
            await until(lambda: two.is_linked_to(one.key), "the link is there again")


@over_sockets
async def test_a_dead_seed_keeps_nobody_from_starting() -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        one = Peer("one")
        async with started(one):
            two = Peer("two", f"127.0.0.1:{dead.getsockname()[1]}", one.address)
            async with started(two):
                await until(lambda: two.is_linked_to(one.key))


@over_sockets
async def test_a_port_that_is_taken_is_named() -> None:
    one = Peer("one")
    async with started(one):
        with pytest.raises(Busy, match=rf"127\.0\.0\.1:{one.port} .*set p2p\.port"):
            await Peer("two", port=one.port).network.start()


# --- refused -------------------------------------------------------------------------------------------
@over_sockets
async def test_another_chain_is_refused_with_the_reason_on_both_sides() -> None:
    one = Peer("one")
    async with started(one):
        other = Peer("other", one.address, genesis_hash=bytes(32))
        async with started(other):
            await until(lambda: one.told("handshake_refused") and other.told("handshake_refused"))
            reasons = one.told("handshake_refused") + other.told("handshake_refused")
            assert all("another chain" in reason for reason in reasons), reasons
            assert any("refused by the peer" in reason for reason in reasons)
            assert not one.links and not other.links


@over_sockets
async def test_another_version_is_refused_with_the_reason_on_both_sides() -> None:
    def of_tomorrow(handshake) -> None:
        handshake._hello = replace(handshake._hello, protocol_version=2)

    one = Peer("one")
    async with started(one):
        raw = await dialled(one, key_of("tomorrow"), of_tomorrow)  # the initiator is done before it is judged
        with pytest.raises(RefusedByPeer, match="protocol version 2, this node speaks 1"):
            await raw.read_to_end()
        assert ["protocol version 2, this node speaks 1"] == one.told("handshake_refused")
        assert not one.links


@over_sockets
async def test_our_own_key_is_refused() -> None:
    one = Peer("one")
    async with started(one):
        one.network.book.add("127.0.0.1", one.port, is_configured=True)
        await until(lambda: len(one.told("handshake_refused")) >= 2)
        assert all("connected to ourselves" in reason for reason in one.told("handshake_refused"))
        assert not one.links


@over_sockets
async def test_a_node_key_that_did_not_sign_the_link_is_refused() -> None:
    def borrowed(handshake) -> None:
        handshake._hello = replace(handshake._hello, node_key=key_of("somebody else").public)

    one = Peer("one")
    async with started(one):
        raw = await dialled(one, key_of("thief"), borrowed)
        with pytest.raises(RefusedByPeer, match="did not sign"):
            await raw.read_to_end()
        assert not one.links


@over_sockets
async def test_a_second_node_with_a_key_that_lives_here_is_told_so() -> None:
    one = Peer("one")
    async with started(one):
        first = await dialled(one, key_of("twin"))
        await until(lambda: one.is_linked_to(key_of("twin")))

        async def alive() -> None:
            while data := await first.reader.read(65_536):
                for raw, _ in first.session.receive(data, 0):
                    if raw == encode(Ping()):
                        first.writer.write(seal(first.session, encode(Pong())))

        answering = asyncio.create_task(alive())
        one.ahead_ms += 3_000  # the first link is not of this moment
        second = await dialled(one, key_of("twin"))
        assert [Bye(KEY_IN_USE)] == await second.read_to_end()
        assert one.is_linked_to(key_of("twin")), "the first one stays"
        first.writer.close()
        await answering


@over_sockets
async def test_one_key_that_comes_again_and_again_takes_one_place_and_leaves_no_descriptor_behind() -> None:
    """Nobody answers the ping of the first link: each of the others would wait to take its place."""
    one = Peer("one")
    async with started(one):
        await dialled(one, key_of("twin"))
        await until(lambda: one.is_linked_to(key_of("twin")))
        one.ahead_ms += 3_000
        before = len(os.listdir("/proc/self/fd"))
        again = [await dialled(one, key_of("twin")) for _ in range(20)]
        said = [await link.read_to_end() for link in again[1:]]
        assert 19 == said.count([Bye(KEY_IN_USE)]), "one waits, the others are told at once"
        await until(lambda: len(one.links) == 1 and len(one.lost) == 1, "the first one's place is taken")
        for link in again[1:]:
            link.writer.close()
        again[0].writer.close()
        await until(lambda: not one.links)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before, "descriptors")


@over_sockets
async def test_links_that_are_dropped_before_they_are_served_are_closed() -> None:
    one = Peer("one")
    async with started(one):
        link = await dialled(one, key_of("stranger"))
        await until(lambda: one.links)
        (ident,) = one.links
        one.network._drop(ident)
        assert [] == await link.read_to_end()


@over_sockets
async def test_a_link_that_is_being_settled_when_its_node_stops_is_no_error() -> None:
    """asyncio of CPython 3.11 reports a cancelled callback of a server as a failure."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    settling, for_ever = asyncio.Event(), asyncio.Event()

    async def settle(link: Link) -> None:
        settling.set()
        try:
            await for_ever.wait()
        finally:
            link.close()

    one = Peer("one")
    async with started(one):
        one.network.transport._on_link = settle
        two = Peer("two", one.address)
        async with started(two):
            await asyncio.wait_for(settling.wait(), 10)
            await one.network.stop()
    await asyncio.sleep(0)
    assert [] == complaints


@over_sockets
async def test_strangers_find_no_room_where_members_do() -> None:
    one = Peer("one", peers_max=1)
    one.members = {key_of("member").public: ()}
    async with started(one):
        await dialled(one, key_of("stranger"))
        await until(lambda: one.is_linked_to(key_of("stranger")))
        second = await dialled(one, key_of("another stranger"))
        assert [Bye("no room")] == await second.read_to_end()
        await dialled(one, key_of("member"))
        await until(lambda: one.is_linked_to(key_of("stranger"), key_of("member")))


@over_sockets
async def test_members_only() -> None:
    one = Peer("one", members_only=True)
    one.members = {key_of("member").public: ()}
    async with started(one):
        stranger = await dialled(one, key_of("stranger"))
        assert [Bye("members only")] == await stranger.read_to_end()
        await dialled(one, key_of("member"))
        await until(lambda: one.is_linked_to(key_of("member")))


@over_sockets
async def test_members_only_and_whom_the_operator_names() -> None:
    follower = Peer("follower")
    async with started(follower):
        one = Peer("one", follower.address, members_only=True)
        async with started(one):
            await until(lambda: one.is_linked_to(follower.key))


# --- of two dials at once ------------------------------------------------------------------------------
@pytest.mark.parametrize("is_ours_lower", [True, False])
def test_of_two_simultaneous_dials_the_lower_key_s_stays(is_ours_lower: bool) -> None:
    names = sorted(("a", "b"), key=lambda name: key_of(name).public)
    ours, theirs = names if is_ours_lower else reversed(names)

    async def play() -> None:
        incoming: asyncio.Queue[RawLink] = asyncio.Queue()

        async def accept(reader, writer) -> None:
            link = await shake_hands(
                reader, writer, a_handshake(False, key_of(theirs)), is_outbound=False, host="127.0.0.1", port=0,
                clock=lambda: 0,
            )  # fmt: skip
            await incoming.put(RawLink(link, reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        one = Peer(ours, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", exchange=False)
        async with started(one):
            by_us = await incoming.get()
            await until(lambda: one.links)
            by_them = await dialled(one, key_of(theirs))
            closed, kept = (by_them, by_us) if is_ours_lower else (by_us, by_them)
            said = await closed.read_to_end()
            assert ([Bye("already connected")] if is_ours_lower else []) == said
            await until(lambda: len(one.links) == 1)
            one.network.broadcast(STATUS)
            data = await kept.reader.read(65_536)
            assert encode(STATUS) in [raw for raw, _ in kept.session.receive(data, 0)]
            by_us.close()
        server.close()
        await server.wait_closed()

    asyncio.run(play())


@over_sockets
async def test_two_nodes_that_dial_each_other_end_with_one_link() -> None:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in (first, second)]
    one = Peer("one", f"127.0.0.1:{ports[1]}", port=ports[0])
    two = Peer("two", f"127.0.0.1:{ports[0]}", port=ports[1])
    async with started(one, two):

        def is_settled() -> bool:
            return (
                one.is_linked_to(two.key)
                and two.is_linked_to(one.key)
                and len(one.links) == len(two.links) == 1
                and {link.is_outbound for peer in (one, two) for link in peer.network.connected().values()}
                == {True, False}
            )

        await until(is_settled)
        one.network.broadcast(STATUS)
        await until(lambda: STATUS in two.messages())
