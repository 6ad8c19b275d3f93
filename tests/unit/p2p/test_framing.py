"""Framing: the same messages however the stream is split, and bounds before allocation."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import seal

from node.errors import ProtocolViolation, Rejected, TooLarge
from node.limits import FRAME_BYTES_MAX
from node.p2p.framing import (
    CHUNK_DATA_BYTES,
    HANDSHAKE_BYTES_MAX,
    VOTE_LANE_BYTES_MAX,
    FrameReader,
    Lane,
    RefusedByPeer,
    Session,
    chunk_at,
    goodbye,
    handshake_frame,
    take_handshake_frame,
)
from node.p2p.noise import CipherState
from node.p2p.outbox import QUEUE_BYTES_MAX, Outbox

KEY = b"k" * 32
FIRST_ROOM = CHUNK_DATA_BYTES - 4


def a_sender(limit: int = FRAME_BYTES_MAX) -> Session:
    return Session(CipherState(KEY), CipherState(b"b" * 32), limit)


def a_reader(limit: int = FRAME_BYTES_MAX) -> FrameReader:
    return FrameReader(CipherState(KEY), limit)


def fed(reader: FrameReader, data: bytes) -> list[bytes]:
    return [received.message for received in reader.feed(data)]


def raw_chunks(*plaintexts: bytes) -> bytes:
    """Arbitrary chunks, encrypted with the right key."""
    send = CipherState(KEY)
    return b"".join((len(p) + 16).to_bytes(2, "big") + send.encrypt(p) for p in plaintexts)


def chunks(*data: bytes, lane: Lane = Lane.BULK) -> bytes:
    return raw_chunks(*(bytes([lane]) + part for part in data))


def total(size: int) -> bytes:
    return size.to_bytes(4, "big")


SIZES = [
    1, 2, 1000, FIRST_ROOM - 1, FIRST_ROOM, FIRST_ROOM + 1, FIRST_ROOM + CHUNK_DATA_BYTES,
    FIRST_ROOM + CHUNK_DATA_BYTES + 1, 3 * CHUNK_DATA_BYTES,
]  # fmt: skip


@pytest.mark.parametrize("size", [*SIZES, FRAME_BYTES_MAX])
def test_a_message_of_any_size_arrives(size: int) -> None:
    message = (bytes(range(251)) * (size // 251 + 1))[:size]
    sealed = seal(a_sender(), message)
    assert [message] == fed(a_reader(), sealed)
    chunk_count = 1 + max(0, -(-(size - FIRST_ROOM) // CHUNK_DATA_BYTES))
    assert size + 4 + 19 * chunk_count == len(sealed), "no more overhead than a length, a lane and a tag for each chunk"


def test_the_bytes_of_a_short_message() -> None:
    sealed = seal(a_sender(), b"hello")
    assert b"\x00\x1a" + CipherState(KEY).encrypt(b"\x02\x00\x00\x00\x05hello") == sealed


@given(
    st.lists(st.one_of(st.integers(1, 300), st.sampled_from(SIZES)), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), max_size=12),
)
def test_however_the_stream_is_cut_the_messages_are_the_same(sizes: list[int], cuts: list[float]) -> None:
    messages = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    sender, reader = a_sender(), a_reader()
    stream = b"".join(seal(sender, message) for message in messages)
    places = [0, *sorted(int(cut * len(stream)) for cut in cuts), len(stream)]
    received: list[bytes] = []
    for start, end in pairwise(places):
        received += fed(reader, stream[start:end])
    assert messages == received


def test_byte_by_byte() -> None:
    sender, reader = a_sender(), a_reader()
    messages = [b"first", b"second", b"x" * (FIRST_ROOM + 10)]
    stream = b"".join(seal(sender, message) for message in messages)
    assert messages == [m for at in range(len(stream)) for m in fed(reader, stream[at : at + 1])]


def test_nothing_to_read_is_fine() -> None:
    assert fed(a_reader(), b"") == []


def test_a_large_message_in_small_pieces_takes_linear_time() -> None:
    """4.5 MB in pieces of 1 kB take far less than a second unless data is copied repeatedly."""
    message = bytes(FRAME_BYTES_MAX)
    sealed, reader = seal(a_sender(), message), a_reader()
    started = time.process_time()
    received = [m for at in range(0, len(sealed), 1024) for m in fed(reader, sealed[at : at + 1024])]
    assert time.process_time() - started < 2
    assert [message] == received


# --- bounds ---------------------------------------------------------------------------------------------


def test_the_limit_is_the_last_size_accepted() -> None:
    assert fed(a_reader(limit=10), seal(a_sender(), b"x" * 10)) == [b"x" * 10]
    with pytest.raises(TooLarge, match="11 bytes, at most 10"):
        fed(a_reader(limit=10), seal(a_sender(), b"x" * 11))


@pytest.mark.parametrize("size", [FRAME_BYTES_MAX + 1, 2**31, 2**32 - 1])
def test_a_larger_message_is_refused_at_its_first_chunk(size: int) -> None:
    stream, reader = chunks(total(size) + bytes(FIRST_ROOM)), a_reader()
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            fed(reader, stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024, "refused, but only after memory was set aside"


def test_a_claim_takes_no_memory_before_its_bytes_come() -> None:
    stream, reader = chunks(total(FRAME_BYTES_MAX) + bytes(FIRST_ROOM)), a_reader()
    tracemalloc.start()
    try:
        assert fed(reader, stream) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


def test_the_reader_holds_no_more_than_one_message_and_one_chunk() -> None:
    sealed, reader = seal(a_sender(), bytes(FRAME_BYTES_MAX)), a_reader()
    tracemalloc.start()
    try:
        for at in range(0, len(sealed) - 1, 4096):
            fed(reader, sealed[at : min(at + 4096, len(sealed) - 1)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < FRAME_BYTES_MAX + 512 * 1024


def test_a_message_handed_over_is_no_longer_held() -> None:
    sealed, reader = seal(a_sender(), bytes(FRAME_BYTES_MAX)), a_reader()
    tracemalloc.start()
    try:
        for at in range(0, len(sealed), 65_536):
            fed(reader, sealed[at : at + 65_536])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 512 * 1024


@pytest.mark.parametrize(
    "stream",
    [
        chunks(b""),
        chunks(b"\x00"),
        chunks(total(0)),
        chunks(total(5)),
        chunks(total(5) + b"hell"),
        chunks(total(5) + b"hello!"),
        chunks(total(5) + b"hel", b"lo"),  # not full, but not the last
        chunks(total(FIRST_ROOM + 5) + bytes(FIRST_ROOM - 1), bytes(6)),
        chunks(total(FIRST_ROOM + 5) + bytes(FIRST_ROOM), b""),
        chunks(total(FIRST_ROOM + 5) + bytes(FIRST_ROOM), b"hell"),
        chunks(total(FIRST_ROOM + 5) + bytes(FIRST_ROOM), b"hello!"),
        chunks(total(1) + b"a", b""),  # an empty chunk between messages
        chunks(total(1) + b"a", total(0)),
    ],
)
def test_chunks_that_carry_nothing_or_are_cut_otherwise_are_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        fed(a_reader(), stream)


@pytest.mark.parametrize("plaintext", [b"\x03" + total(1) + b"a", b"\xff", b"\x03"])
def test_a_lane_that_does_not_exist_is_refused(plaintext: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        fed(a_reader(), raw_chunks(plaintext))


@pytest.mark.parametrize("size", [0, 1, 16, 17])
def test_a_chunk_too_short_for_anything_is_refused_before_it_is_waited_for(size: int) -> None:
    reader = a_reader()
    assert fed(reader, chunks(total(1) + b"a")) == [b"a"]
    with pytest.raises(ProtocolViolation, match="carries nothing"):
        fed(reader, size.to_bytes(2, "big"))


def test_the_first_lane_takes_short_messages_only() -> None:
    short = bytes(VOTE_LANE_BYTES_MAX)
    assert [short] == fed(a_reader(), seal(a_sender(), short, Lane.VOTES))
    with pytest.raises(TooLarge, match="65537 bytes, at most 65536"):
        fed(a_reader(), seal(a_sender(), short + b"x", Lane.VOTES))


# --- lanes and the outbox ------------------------------------------------------------------------------


def sent(outbox: Outbox, session: Session, size: int) -> bytes:
    return b"".join(session.seal_chunk(chunk) for chunk in outbox.take(size))


@given(st.lists(st.tuples(st.sampled_from(Lane), st.sampled_from([1, 100, 60_000, 70_000, 200_000])), max_size=12))
def test_what_an_outbox_sends_arrives_whole_and_in_order_within_each_lane(puts: list[tuple[Lane, int]]) -> None:
    outbox, sender, reader = Outbox(), a_sender(), a_reader()
    came: list[bytes] = []
    expected: dict[Lane, list[bytes]] = {lane: [] for lane in Lane}
    for index, (lane, size) in enumerate(puts):
        message = bytes([lane, index]) * (min(size, 30_000 if lane is Lane.VOTES else size) // 2 + 1)
        assert outbox.put(lane, message)
        expected[lane].append(message)
        came += fed(reader, sent(outbox, sender, 40_000))
    while outbox:
        came += fed(reader, sent(outbox, sender, 40_000))
    assert expected == {lane: [message for message in came if message[0] == lane] for lane in Lane}
    assert all(size == 0 for size in outbox.bytes.values())


def test_a_vote_overtakes_a_block_that_is_half_way_across() -> None:
    outbox, sender, reader = Outbox(), a_sender(), a_reader()
    outbox.put(Lane.BULK, b"bulk" * 100_000)
    outbox.put(Lane.BLOCKS, b"block" * 100_000)
    assert [] == fed(reader, sent(outbox, sender, 1))
    outbox.put(Lane.VOTES, b"vote")
    assert [b"vote"] == fed(reader, sent(outbox, sender, 1))
    rest = fed(reader, sent(outbox, sender, 10**6))
    assert [b"block" * 100_000, b"bulk" * 100_000] == rest
    assert not outbox


@pytest.mark.parametrize("lane", Lane)
def test_what_waits_is_bounded_and_there_is_room_again_when_it_is_sent(lane: Lane) -> None:
    outbox, message = Outbox(), bytes(60_000)
    most = QUEUE_BYTES_MAX[lane] // len(message)
    assert [True] * most + [False] * 3 == [outbox.put(lane, message) for _ in range(most + 3)]
    outbox.take(len(message))
    assert [True, False] == [outbox.put(lane, message) for _ in range(2)]


def test_the_time_of_a_message_is_that_of_its_first_chunk_whatever_came_between() -> None:
    block, reader, sender = b"b" * 100_000, a_reader(), a_sender()
    first, at = chunk_at(block, Lane.BLOCKS, 0)
    assert reader.waiting_since_ms() is None
    assert [] == reader.feed(sender.seal_chunk(first), 1_000)
    assert [(b"vote", 2_000)] == reader.feed(seal(sender, b"vote", Lane.VOTES), 2_000)
    assert 1_000 == reader.waiting_since_ms()
    last = sender.seal_chunk(chunk_at(block, Lane.BLOCKS, at)[0])
    assert [] == reader.feed(last[:9], 3_000)
    assert [(block, 1_000)] == reader.feed(last[9:], 4_000)
    assert reader.waiting_since_ms() is None
    assert [] == reader.feed(b"\x00", 5_000)
    assert 5_000 == reader.waiting_since_ms()


# --- tampering -----------------------------------------------------------------------------------------


def test_any_flipped_byte_is_refused_or_leaves_the_message_incomplete() -> None:
    """A changed length may announce more bytes than there are; then no message comes out."""
    sealed = seal(a_sender(), b"a message")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        try:
            assert fed(a_reader(), changed) == []
            assert at < 2
        except ProtocolViolation:
            pass


def test_replayed_reordered_and_dropped_chunks_are_refused() -> None:
    sender = a_sender()
    first, second = seal(sender, b"first"), seal(sender, b"second")
    for stream in (first + first, second + first, second):
        with pytest.raises(ProtocolViolation, match="authenticate"):
            fed(a_reader(), stream)


def test_what_we_sent_cannot_be_reflected_to_us() -> None:
    session = a_sender()
    with pytest.raises(ProtocolViolation, match="authenticate"):
        session.receive(seal(session, b"text"), 0)


@given(st.binary(max_size=400))
def test_garbage_yields_nothing(garbage: bytes) -> None:
    with suppress(Rejected):
        assert fed(a_reader(), garbage) == []


def test_a_link_that_failed_takes_no_more() -> None:
    reader = a_reader()
    with pytest.raises(ProtocolViolation):
        fed(reader, b"\x00\x20" + bytes(32))
    with pytest.raises(AssertionError, match="failed"):
        fed(reader, b"")


def test_a_failure_does_not_hide_in_the_next_call() -> None:
    """The complete message before the bad chunk is lost with the link, which both sides know to be closed."""
    sender = a_sender()
    with pytest.raises(ProtocolViolation):
        fed(a_reader(), seal(sender, b"good") + b"\x00\x20" + bytes(32))


# --- goodbye instead of the first chunk ------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "no", "wrong_chain: another chain", "x" * 200])
def test_a_goodbye_may_stand_for_the_first_chunk(reason: str) -> None:
    frame, reader = handshake_frame(goodbye(reason)), a_reader()
    assert fed(reader, frame[:5]) == []
    with pytest.raises(RefusedByPeer) as error:
        fed(reader, frame[5:])
    assert f"refused by the peer: {reason}" == str(error.value)


def test_later_a_goodbye_is_only_a_chunk_that_does_not_authenticate() -> None:
    reader = a_reader()
    reader.feed(seal(a_sender(), b"text"))
    with pytest.raises(ProtocolViolation, match="authenticate"):
        fed(reader, handshake_frame(goodbye("a reason that a third party made up")))


# --- handshake frames -------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=HANDSHAKE_BYTES_MAX), max_size=3), st.binary(max_size=1))
def test_handshake_frames_come_out_as_they_went_in(messages: list[bytes], rest: bytes) -> None:
    buffer = bytearray(b"".join(handshake_frame(message) for message in messages) + rest)
    for message in messages:
        assert message == take_handshake_frame(buffer)
    assert take_handshake_frame(buffer) is None
    assert rest == buffer


def test_an_incomplete_handshake_frame_stays_in_the_buffer() -> None:
    frame = handshake_frame(b"message")
    for size in range(len(frame)):
        buffer = bytearray(frame[:size])
        assert take_handshake_frame(buffer) is None
        assert frame[:size] == buffer


def test_a_handshake_frame_too_large_is_refused_at_its_length() -> None:
    with pytest.raises(TooLarge, match="1025 bytes, at most 1024"):
        take_handshake_frame(bytearray((HANDSHAKE_BYTES_MAX + 1).to_bytes(2, "big")))


# --- caller errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, FRAME_BYTES_MAX + 1])
def test_empty_and_oversized_messages_are_not_sent(size: int) -> None:
    with pytest.raises(AssertionError, match="cannot be sent"):
        Outbox().put(Lane.BULK, bytes(size))


@pytest.mark.parametrize("plaintext", [b"", bytes([Lane.BULK])], ids=["nothing", "a lane"])
def test_a_first_chunk_of_a_link_that_carries_nothing_is_refused(plaintext: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="carries nothing"):
        a_reader().feed(raw_chunks(plaintext))


def test_a_handshake_message_may_be_as_long_as_it_may_be() -> None:
    longest = bytes(HANDSHAKE_BYTES_MAX)
    assert longest == take_handshake_frame(bytearray(handshake_frame(longest)))
    with pytest.raises(TooLarge):
        take_handshake_frame(bytearray((HANDSHAKE_BYTES_MAX + 1).to_bytes(2, "big")))
