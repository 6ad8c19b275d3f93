"""Framing: chunks of encrypted messages on the wire, as bytes in and bytes out.

    handshake:  length (2 bytes, big-endian) || handshake message, or a goodbye
    after it:   length (2 bytes, big-endian) || ciphertext, its tag of 16 bytes included

A message is split into chunks. The plaintext of a chunk starts with its lane (1 byte); in the first chunk of a message
the message's length follows (4 bytes, big-endian). Within a lane messages follow one another; chunks of different lanes
may interleave, so that a vote overtakes a block that is half sent. There is only one valid split: every chunk but the
last is full, and no chunk carries two messages. The first chunk thus fixes the size of each following one in its lane,
and no peer can send an endless sequence of empty chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from node.errors import ProtocolViolation, TooLarge
from node.limits import FRAME_BYTES_MAX
from node.p2p.noise import MESSAGE_BYTES_MAX, TAG_BYTES, CipherState

LENGTH_BYTES: Final = 2
LANE_BYTES: Final = 1
TOTAL_BYTES: Final = 4
CHUNK_PLAIN_BYTES: Final = MESSAGE_BYTES_MAX - TAG_BYTES
CHUNK_DATA_BYTES: Final = CHUNK_PLAIN_BYTES - LANE_BYTES
"""Bytes of a chunk after its lane; in the first chunk of a message they include the message's length."""

VOTE_LANE_BYTES_MAX: Final = 64 * 1024
"""Largest message with send priority, such as a vote: short, so as not to delay others. Above: the link is closed."""

HANDSHAKE_BYTES_MAX: Final = 1024
"""One handshake message or goodbye. Ours have at most about 350 bytes; later versions may need more, and should still
be told why we refuse them. Above: the link is closed."""

GOODBYE_TEXT_MAX: Final = 200
"""Characters of a goodbye's reason, which is logged. Our own are truncated; a longer one is no goodbye."""

_GOODBYE: Final = b"BYE!"


class RefusedByPeer(ProtocolViolation):
    """The peer sent a goodbye. Its reason is unauthenticated: log it, never decide by it."""

    code = "refused"


def goodbye(reason: str) -> bytes:
    """The plaintext frame sent instead of the next handshake message. Unprintable characters become `?`."""
    return _GOODBYE + bytes(ord(c) if " " <= c <= "~" else ord("?") for c in reason[:GOODBYE_TEXT_MAX])


def parse_goodbye(frame: bytes) -> str | None:
    """The reason; None if `frame` is not a goodbye. No handshake message is mistaken for one: its bytes are random."""
    text = frame[len(_GOODBYE) :]
    if not frame.startswith(_GOODBYE) or len(text) > GOODBYE_TEXT_MAX or any(not 0x20 <= c <= 0x7E for c in text):
        return None
    return text.decode("ascii")


def check_no_goodbye(frame: bytes) -> None:
    """Raises `RefusedByPeer`, with the peer's reason, if `frame` is a goodbye."""
    reason = parse_goodbye(frame)
    if reason is not None:
        raise RefusedByPeer(f"refused by the peer: {reason}")


def handshake_frame(message: bytes) -> bytes:
    """A handshake message or goodbye with its length, ready for the wire."""
    assert len(message) <= HANDSHAKE_BYTES_MAX, "a handshake message is short"
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def take_handshake_frame(buffer: bytearray) -> bytes | None:
    """Remove and return the first handshake message or goodbye of `buffer`; None while it is incomplete.

    The bytes after the last one are for `Session.receive`. Raises `TooLarge` above `HANDSHAKE_BYTES_MAX`.
    """
    if len(buffer) < LENGTH_BYTES:
        return None
    size = int.from_bytes(buffer[:LENGTH_BYTES], "big")
    if size > HANDSHAKE_BYTES_MAX:
        raise TooLarge(f"a handshake message of {size} bytes, at most {HANDSHAKE_BYTES_MAX} are allowed")
    if len(buffer) < LENGTH_BYTES + size:
        return None
    message = bytes(buffer[LENGTH_BYTES : LENGTH_BYTES + size])
    del buffer[: LENGTH_BYTES + size]
    return message


class Lane(IntEnum):
    """A queue of outgoing messages with its own chunk sequence; lower lanes are sent first."""

    VOTES = 0
    BLOCKS = 1
    BULK = 2


class Received(NamedTuple):
    """A whole message, and the arrival time of its first chunk's last byte."""

    message: bytes
    begun_ms: int


@dataclass(slots=True)
class _Incoming:
    """The incomplete message of one lane; `missing` is 0 if there is none."""

    limit: int
    missing: int = 0
    begun_ms: int = 0
    parts: list[bytes] = field(default_factory=list)


class FrameReader:
    """Decrypts a byte stream, read in pieces of any size, into whole messages.

    Buffers at most one incomplete message per lane, only as far as the peer has sent it, and one incomplete chunk.
    """

    def __init__(self, receive: CipherState, limit: int = FRAME_BYTES_MAX) -> None:
        self._receive = receive
        self._lanes = [_Incoming(min(limit, VOTE_LANE_BYTES_MAX) if lane is Lane.VOTES else limit) for lane in Lane]
        self._buffer = bytearray()
        self._buffer_ms = 0
        self._greeted = False
        self._broken = False

    def feed(self, data: bytes, now_ms: int = 0) -> list[Received]:
        """The messages that `data` completes. After `ProtocolViolation` or `TooLarge` the link must be closed."""
        assert not self._broken, "this link has failed"
        self._broken = True  # until all of `data` is accepted
        if not self._buffer:
            self._buffer_ms = now_ms
        self._buffer += data
        messages: list[Received] = []
        at = 0
        with memoryview(self._buffer) as view:
            while len(view) - at >= LENGTH_BYTES:
                size = int.from_bytes(view[at : at + LENGTH_BYTES], "big")
                self._check_size(size)
                start, end = at + LENGTH_BYTES, at + LENGTH_BYTES + size
                if end > len(view):
                    break
                message = self._accept(view[start:end], now_ms)
                if message is not None:
                    messages.append(message)
                at = end
        if at:
            del self._buffer[:at]
            self._buffer_ms = now_ms
        self._broken = False
        return messages

    def waiting_since_ms(self) -> int | None:
        """Start of the oldest incomplete chunk or message; None if there is none."""
        since = [lane.begun_ms for lane in self._lanes if lane.missing]
        if self._buffer:
            since.append(self._buffer_ms)
        return min(since, default=None)

    def _check_size(self, size: int) -> None:
        """Reject an empty chunk before waiting for it."""
        if size <= LANE_BYTES + TAG_BYTES and self._greeted:
            raise ProtocolViolation(f"a chunk of {size} bytes carries nothing")

    def _accept(self, chunk: memoryview, now_ms: int) -> Received | None:
        """The message that `chunk` completes, if any."""
        if not self._greeted:
            self._check_greeting(chunk)
        plaintext = self._receive.decrypt(chunk)
        if plaintext[0] >= len(self._lanes):
            raise ProtocolViolation(f"a chunk of the unknown lane {plaintext[0]}")
        lane, data = self._lanes[plaintext[0]], plaintext[LANE_BYTES:]
        if lane.missing:
            expected = min(lane.missing, CHUNK_DATA_BYTES)
            if len(data) != expected:
                raise ProtocolViolation(f"a chunk of {len(data)} bytes, expected {expected}")
        else:
            data = self._begun(lane, data, now_ms)
        lane.parts.append(data)
        lane.missing -= len(data)
        if lane.missing:
            return None
        message, lane.parts = b"".join(lane.parts), []
        return Received(message, lane.begun_ms)

    def _check_greeting(self, chunk: memoryview) -> None:
        # The initiator finishes before the responder has checked it, so a goodbye may come instead of the first chunk.
        # Anyone on the path can forge one, but could as well cut the link.
        self._greeted = True
        check_no_goodbye(bytes(chunk))
        self._check_size(len(chunk))

    def _begun(self, lane: _Incoming, data: bytes, now_ms: int) -> bytes:
        """Start a message; returns the part of it that its first chunk carries."""
        total = int.from_bytes(data[:TOTAL_BYTES], "big")
        if len(data) <= TOTAL_BYTES or not total:
            raise ProtocolViolation(f"a first chunk of {len(data)} bytes carries nothing")
        if total > lane.limit:
            raise TooLarge(f"a message of {total} bytes, at most {lane.limit} are allowed")
        if len(data) != min(TOTAL_BYTES + total, CHUNK_DATA_BYTES):
            raise ProtocolViolation(f"a first chunk of {len(data)} bytes does not fit a message of {total}")
        lane.missing, lane.begun_ms = total, now_ms
        return data[TOTAL_BYTES:]


def chunk_at(message: bytes, lane: Lane, at: int) -> tuple[bytes, int]:
    """The plaintext of the chunk that starts at byte `at` of `message`, and the offset of the next one."""
    head = bytes([lane]) + (b"" if at else len(message).to_bytes(TOTAL_BYTES, "big"))
    end = min(at + CHUNK_PLAIN_BYTES - len(head), len(message))
    with memoryview(message) as view:
        return b"".join((head, view[at:end])), end


class Session:
    """Both directions of an encrypted link. Chunks must be sent in the order in which they were sealed."""

    def __init__(self, send: CipherState, receive: CipherState, limit: int = FRAME_BYTES_MAX) -> None:
        self._send = send
        self._reader = FrameReader(receive, limit)

    def seal_chunk(self, plaintext: bytes) -> bytes:
        """Encrypt a chunk of `chunk_at`, ready for the wire. Chunks of different lanes may interleave."""
        ciphertext = self._send.encrypt(plaintext)
        return len(ciphertext).to_bytes(LENGTH_BYTES, "big") + ciphertext

    def receive(self, data: bytes, now_ms: int) -> list[Received]:
        """See `FrameReader.feed`."""
        return self._reader.feed(data, now_ms)

    def waiting_since_ms(self) -> int | None:
        """See `FrameReader.waiting_since_ms`."""
        return self._reader.waiting_since_ms()
