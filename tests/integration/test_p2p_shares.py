"""What one peer gets of a node's places, line and processor, on real sockets: its share, and never the others'."""

from __future__ import annotations

import asyncio
from statistics import median

import pytest
from support.frames import seal
from support.http import over_http as over_sockets
from support.links import Proxy
from support.peers import Peer, dialled, key_of, started, until

from node.codec import encode
from node.p2p import fair_share
from node.p2p import network as network_module
from node.p2p.framing import Lane
from node.p2p.wire import Bye
from node.replica.messages import Announce, GetBlocks, Status, Transactions

STATUS = Status(7, 0, 1)
BLOCK_BYTES = 2_000_000


def bulk() -> Transactions:
    return Transactions((bytes(60_000),) * (BLOCK_BYTES // 60_000))


# --- the line --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bytes_per_s", [2_000_000, 8_000_000])
def test_what_is_urgent_overtakes_bulk_that_is_half_way_across_a_slow_link(bytes_per_s: int) -> None:
    """Without lanes it waits for whole messages and full buffers: for 2.9 s at 2 MB/s."""

    async def play() -> None:
        one = Peer("one")
        async with started(one):
            with Proxy(one.port, bytes_per_s=bytes_per_s) as slow:
                two = Peer("two", f"127.0.0.1:{slow.port}")
                async with started(two):
                    await overtaken(one, two)

    async def overtaken(one: Peer, two: Peer) -> None:
        await until(lambda: two.links and one.links)
        loop = asyncio.get_running_loop()
        for _ in range(5):
            two.network.broadcast(bulk())
        delays = []
        for height in range(5):
            urgent, began = Status(height, 0, 1), loop.time()
            two.network.broadcast(urgent)
            await until(lambda urgent=urgent: urgent in one.messages())
            delays.append(loop.time() - began)
        assert bulk() not in one.messages()[:5], "all overtook the first of the five"
        assert median(delays) < 0.25 * BLOCK_BYTES / 2_000_000, delays
        await until(lambda: bulk() in one.messages(), "and the bulk arrives whole")

    asyncio.run(play())


@over_sockets
async def test_a_byte_changed_between_two_nodes_closes_that_link_and_the_network_goes_on() -> None:
    one, three = Peer("one"), Peer("three")
    async with started(one, three):
        with Proxy(one.port) as between:
            two = Peer("two", f"127.0.0.1:{between.port}", three.address, exchange=False)
            async with started(two):
                await until(lambda: two.is_linked_to(one.key, three.key))
                await until(lambda: one.is_linked_to(two.key), "the last word of the handshake has passed")
                between.flip()
                two.network.broadcast(STATUS)
                await until(lambda: STATUS in three.messages(), "the other link has noticed nothing")
                await until(lambda: one.lost, "this one is closed")
                assert [] == one.messages(), "what was changed is not taken"
                assert one.told("peer_misbehaved") == ["a message does not authenticate"]
                await until(lambda: one.is_linked_to(two.key), "and opened again")
                two.network.broadcast(STATUS)
                await until(lambda: STATUS in one.messages())


@over_sockets
async def test_a_peer_that_does_not_read_costs_a_bounded_amount_of_memory() -> None:
    one = Peer("one")
    async with started(one):
        await dialled(one, key_of("deaf"))
        await until(lambda: one.links)
        (link,) = one.network.connected().values()
        for _ in range(40):
            one.network.broadcast(bulk())
        assert link.dropped >= 30
        assert link.queued_bytes <= 12 * 1024 * 1024


@over_sockets
async def test_a_peer_that_does_not_even_read_votes_is_given_up() -> None:
    one = Peer("one")
    async with started(one):
        good, _ = await dialled(one, key_of("good")), await dialled(one, key_of("deaf"))
        await until(lambda: len(one.links) == 2)
        (deaf,) = (link for link in one.network.connected().values() if link.hello.node_key == key_of("deaf").public)
        for _ in range(50):
            deaf.send(STATUS, bytes(60_000))
        await until(lambda: one.is_linked_to(key_of("good")))
        good.close()


# --- questions -------------------------------------------------------------------------------------------
def answering(peer: Peer, size: int) -> list[int]:
    """Has every `GetBlocks` answered with so many bytes; returns the heights answered so far."""
    asked: list[int] = []

    def received(ident: int, message: object, _: int) -> None:
        if isinstance(message, GetBlocks):
            asked.append(message.first)
            peer.network.send(ident, Transactions((bytes(size),)))
        else:
            peer.received.append((ident, message))

    peer.network._events.received = received
    return asked


@over_sockets
async def test_small_questions_with_large_answers_wait_once_the_asker_has_had_its_share() -> None:
    one = Peer("one")
    asked = answering(one, 1_000_000)
    async with started(one):
        greedy, other = await dialled(one, key_of("greedy")), await dialled(one, key_of("other"))
        await until(lambda: len(one.links) == 2)
        reading = asyncio.create_task(greedy.read_to_end())
        for height in range(60):
            greedy.writer.write(seal(greedy.session, encode(GetBlocks(height, height))))
        greedy.writer.write(seal(greedy.session, encode(STATUS), Lane.VOTES))
        await until(lambda: STATUS in one.messages(), "what is urgent does not wait with the questions")
        share = fair_share.ANSWER_STRANGER_BYTES_PER_S * fair_share.ANSWER_BURST_S / 1_000_000
        await until(lambda: len(asked) >= share)
        assert len(asked) <= share + 4, "60 questions of 30 bytes ask for 60 MB"
        assert 0 < one.network.counters["put_off"]
        other.writer.write(seal(other.session, encode(GetBlocks(1_000, 1_000))))
        await until(lambda: 1_000 in asked, "others are answered meanwhile")
        before = len(asked)
        one.ahead_ms += 2_000
        await until(lambda: len(asked) > before + 4, "with time comes new credit")
        assert [h for h in asked if h < 1_000] == list(range(len(asked) - 1)), "in their order"
        greedy.close()
        await reading


@over_sockets
async def test_a_peer_that_asks_and_does_not_read_is_not_answered_without_end() -> None:
    one = Peer("one")
    asked = answering(one, 1_000_000)
    one.members = {key_of("deaf").public: ()}
    async with started(one):
        deaf = await dialled(one, key_of("deaf"))
        await until(lambda: one.links)
        for height in range(100):
            deaf.writer.write(seal(deaf.session, encode(GetBlocks(height, height))))
        deaf.writer.write(seal(deaf.session, encode(STATUS), Lane.VOTES))
        await until(lambda: STATUS in one.messages())
        (link,) = one.network.connected().values()
        assert link.queued_bytes <= fair_share.ANSWER_QUEUE_BYTES + 1_100_000
        assert len(asked) < 30 and 0 == link.dropped, "what is put off is not dropped"


# --- the processor ---------------------------------------------------------------------------------------
def test_a_peer_whose_messages_cost_too_much_waits_then_is_not_read_from_then_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock of the processor that says that handling an announcement takes 400 ms."""

    async def play() -> None:
        spent = [0.0]
        monkeypatch.setattr("node.p2p.peer.time.thread_time", lambda: spent[0])
        one = Peer("one")
        plain = one.network._events.received

        def costly(ident: int, message: object, at: int) -> None:
            if isinstance(message, Announce):
                spent[0] += 0.4
            plain(ident, message, at)

        one.network._events.received = costly
        announce, vote = encode(Announce((bytes(32),))), encode(STATUS)
        async with started(one):
            evil, good = await dialled(one, key_of("evil")), await dialled(one, key_of("good"))
            await until(lambda: len(one.links) == 2)
            for _ in range(fair_share.WAITING_MAX + 20):
                evil.writer.write(seal(evil.session, announce))
            await until(lambda: one.network.counters["put_off"] >= fair_share.WAITING_MAX)
            assert len(one.messages()) <= 5, "3 s of 300 ms are soon gone"
            evil.writer.write(seal(evil.session, vote, Lane.VOTES))
            good.writer.write(seal(good.session, vote, Lane.VOTES))
            await until(lambda: STATUS in one.messages(), "the votes of others do not wait")
            assert 1 == one.messages().count(STATUS), "from the costly peer nothing is read"
            await until(lambda: one.told("peer_misbehaved"), "and it pays for it")
            assert "its messages take more processor time than its quota" == one.told("peer_misbehaved")[0]
            assert not one.network.book.is_banned(key_of("evil").public, one.clock())

    asyncio.run(play())


@over_sockets
async def test_signatures_that_are_verified_for_a_peer_count_as_its_time() -> None:
    one = Peer("one")
    announce, vote = encode(Announce((bytes(32),))), encode(STATUS)
    async with started(one):
        evil = await dialled(one, key_of("evil"))
        await until(lambda: len(one.links) == 1)
        (ident,) = one.links
        burst = int(fair_share.CPU_BURST_S * fair_share.CPU_MS_PER_S / fair_share.SIGNATURE_MS)
        one.network.verifies_for(ident, 2 * burst)
        one.network.verifies_for(ident + 1, burst)  # gone meanwhile
        evil.writer.write(seal(evil.session, announce))
        evil.writer.write(seal(evil.session, vote, Lane.VOTES))
        await until(lambda: STATUS in one.messages(), "votes do not wait")
        assert 1 == one.network.counters["put_off"]


# --- places ----------------------------------------------------------------------------------------------
@over_sockets
async def test_a_stranger_with_a_better_record_has_the_place_of_a_worse_one() -> None:
    one = Peer("one", peers_max=2)
    async with started(one):
        worse = await dialled(one, key_of("worse"))
        await until(lambda: one.links)
        await dialled(one, key_of("good"))
        await until(lambda: len(one.links) == 2)
        another = await dialled(one, key_of("as good"))
        assert [Bye("no room")] == await another.read_to_end()
        one.network.misbehaved(min(one.links), "lied", "once", 30)
        await dialled(one, key_of("as good"))
        await until(lambda: one.is_linked_to(key_of("good"), key_of("as good")))
        assert Bye("no room any more") == (await worse.read_to_end())[-1]


@over_sockets
async def test_neither_strangers_nor_their_number_stand_in_the_way_of_our_own_peers_and_of_members() -> None:
    one = Peer("one")
    async with started(one):
        two = Peer("two", one.address, peers_max=1)
        two.members = {key_of("member").public: ()}
        await two.network.start()
        try:
            await until(lambda: two.is_linked_to(one.key), "a configured peer takes no stranger's place")
            await dialled(two, key_of("stranger"))
            await dialled(two, key_of("member"))
            await until(lambda: two.is_linked_to(one.key, key_of("stranger"), key_of("member")))
        finally:
            for writer in two.raw_ends:
                writer.close()
            await two.network.stop()


# --- published addresses -----------------------------------------------------------------------------------
@over_sockets
async def test_addresses_that_members_publish_are_dialled_as_soon_as_they_do() -> None:
    member = Peer("member")
    async with started(member):
        one = Peer("one", exchange=False)
        async with started(one):
            one.members = {member.key.public: (f"127.0.0.1:{member.port}",), key_of("silent").public: ()}
            await until(lambda: one.is_linked_to(member.key))
            (link,) = one.network.connected().values()
            assert link.is_outbound
            one.members = {}
            link.close()
            await until(lambda: not one.links)
            await until(lambda: not one.network.book.due(10**15, {}, one.key.public), "given up with its publication")


@over_sockets
async def test_an_address_published_for_somebody_else_does_not_become_that_member_s() -> None:
    other = Peer("other")
    async with started(other):
        one = Peer("one", exchange=False)
        one.members = {key_of("member").public: (f"127.0.0.1:{other.port}",)}
        async with started(one):
            await until(lambda: one.told("published_address"))
            assert (
                f"for {key_of('member').public.hex()}, its node key is {other.key.public.hex()}"
                in one.told("published_address")[0]
            )
            assert not one.network._is_kept(other.key.public)


def test_addresses_that_a_peer_makes_up_are_not_all_dialled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        monkeypatch.setattr(network_module, "LEARNED_LINKS", 3)
        one = Peer("one")
        async with started(one):
            for port in range(1, 200):
                one.network.book.add("127.0.0.1", port, is_configured=False, source=b"liar")
            dialled_now = []
            monkeypatch.setattr(one.network.transport, "dial", lambda known: dialled_now.append(known) or True)
            one.network._dial_due(one.clock() + 10**6)
            assert 3 == len(dialled_now)

    asyncio.run(play())
