"""What lies on the wire, as bytes in and bytes out.

    handshake:  length (2 bytes, big-endian) || handshake message, or a goodbye
    after it:   length (2 bytes, big-endian) || ciphertext, its tag of 16 bytes included

A message is cut into chunks; the plaintext of its first chunk begins with the message's length (4 bytes, big-endian).
There is one way to cut: every chunk but the last is full and no chunk is shared. So after a first chunk
the size of each following one is known, and nobody can send chunks without end that carry nothing.
"""

from __future__ import annotations

from typing import Final

from node.errors import ProtocolViolation, TooLarge
from node.limits import FRAME_BYTES_MAX
from node.p2p.noise import MESSAGE_BYTES_MAX, TAG_BYTES, CipherState

LENGTH_BYTES: Final = 2
TOTAL_BYTES: Final = 4
CHUNK_PLAIN_BYTES: Final = MESSAGE_BYTES_MAX - TAG_BYTES

HANDSHAKE_BYTES_MAX: Final = 1024
"""One handshake message or goodbye. Ours have at most about 350 bytes; the rest is for later versions, so that they
still learn why we refuse them. Above: the link is closed."""

GOODBYE_TEXT_MAX: Final = 200
"""Characters of a goodbye's reason; it goes into logs. We cut longer ones, and take none from others."""

_GOODBYE: Final = b"BYE!"


class Refused(ProtocolViolation):
    """The peer said goodbye. Nobody signed the reason: it is for the log, never for a decision."""

    code = "refused"


def goodbye(reason: str) -> bytes:
    """The plain frame that a side sends instead of its next handshake message; what is not printable becomes `?`."""
    return _GOODBYE + bytes(ord(c) if " " <= c <= "~" else ord("?") for c in reason[:GOODBYE_TEXT_MAX])


def parse_goodbye(frame: bytes) -> str | None:
    """The reason; None for what is not a goodbye. A handshake message never passes for one: its bytes are random."""
    text = frame[len(_GOODBYE) :]
    if not frame.startswith(_GOODBYE) or len(text) > GOODBYE_TEXT_MAX or any(not 0x20 <= c <= 0x7E for c in text):
        return None
    return text.decode("ascii")


def check_no_goodbye(frame: bytes) -> None:
    """Raises `Refused`, with the peer's reason, if `frame` is a goodbye."""
    reason = parse_goodbye(frame)
    if reason is not None:
        raise Refused(f"refused by the peer: {reason}")


def handshake_frame(message: bytes) -> bytes:
    """A handshake message or goodbye as it goes over the wire."""
    assert len(message) <= HANDSHAKE_BYTES_MAX, "a handshake message is short"
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def take_handshake_frame(buffer: bytearray) -> bytes | None:
    """Remove and return the first handshake message or goodbye of `buffer`; None while it is incomplete.

    What is left after the last one belongs to `Session.feed`. `TooLarge` above `HANDSHAKE_BYTES_MAX`.
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


class FrameReader:
    """Whole messages out of a stream of bytes, however it is cut.

    Holds at most one message in progress, as far as the peer has really sent it, and one incomplete chunk.
    """

    def __init__(self, receive: CipherState, limit: int = FRAME_BYTES_MAX) -> None:
        self._receive = receive
        self._limit = limit
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._missing = 0
        self._greeted = False
        self._broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. After `ProtocolViolation` or `TooLarge` the link must be closed."""
        assert not self._broken, "this link has failed"
        self._broken = True  # until all of `data` is accepted
        self._buffer += data
        messages: list[bytes] = []
        at = 0
        with memoryview(self._buffer) as view:
            while len(view) - at >= LENGTH_BYTES:
                size = int.from_bytes(view[at : at + LENGTH_BYTES], "big")
                self._check_size(size)
                start, end = at + LENGTH_BYTES, at + LENGTH_BYTES + size
                if end > len(view):
                    break
                message = self._accept(view[start:end])
                if message is not None:
                    messages.append(message)
                at = end
        del self._buffer[:at]
        self._broken = False
        return messages

    @property
    def is_midway(self) -> bool:
        return bool(self._missing or self._buffer)

    def _check_size(self, size: int) -> None:
        """Before the chunk is waited for."""
        if self._missing:
            expected = min(self._missing, CHUNK_PLAIN_BYTES) + TAG_BYTES
            if size != expected:
                raise ProtocolViolation(f"a chunk of {size} bytes where one of {expected} must follow")
        elif size <= TOTAL_BYTES + TAG_BYTES and self._greeted:
            raise ProtocolViolation(f"a first chunk of {size} bytes carries nothing")

    def _accept(self, chunk: memoryview) -> bytes | None:
        """The message that `chunk` completes, if it does."""
        if self._missing:
            return self._continued(self._receive.decrypt(chunk))
        if not self._greeted:
            self._check_greeting(chunk)
        return self._begun(self._receive.decrypt(chunk))

    def _check_greeting(self, chunk: memoryview) -> None:
        # The initiator is done before the responder has judged it: a goodbye may stand in for the first chunk.
        # Anyone on the path can forge one, but such a one could cut the link as well.
        self._greeted = True
        check_no_goodbye(bytes(chunk))
        self._check_size(len(chunk))

    def _begun(self, plaintext: bytes) -> bytes | None:
        total = int.from_bytes(plaintext[:TOTAL_BYTES], "big")
        if total > self._limit:
            raise TooLarge(f"a message of {total} bytes, at most {self._limit} are allowed")
        if len(plaintext) != min(TOTAL_BYTES + total, CHUNK_PLAIN_BYTES):
            raise ProtocolViolation(f"a first chunk of {len(plaintext)} bytes does not fit a message of {total}")
        if len(plaintext) == TOTAL_BYTES + total:
            return plaintext[TOTAL_BYTES:]
        self._missing = TOTAL_BYTES + total - len(plaintext)
        self._parts = [plaintext[TOTAL_BYTES:]]
        return None

    def _continued(self, plaintext: bytes) -> bytes | None:
        self._parts.append(plaintext)
        self._missing -= len(plaintext)
        if self._missing:
            return None
        message = b"".join(self._parts)
        self._parts = []
        return message


class Session:
    """Both directions of an encrypted link. What `seal` returns must be sent in the order of the calls."""

    def __init__(self, send: CipherState, receive: CipherState, limit: int = FRAME_BYTES_MAX) -> None:
        self._send = send
        self._limit = limit
        self._reader = FrameReader(receive, limit)

    def seal(self, message: bytes) -> bytes:
        """All chunks of `message`, 1 to `limit` bytes, ready for the wire."""
        assert 0 < len(message) <= self._limit, f"a message of {len(message)} bytes cannot be sent"
        head = CHUNK_PLAIN_BYTES - TOTAL_BYTES
        parts: list[bytes] = []
        with memoryview(message) as view:
            self._seal_chunk(parts, len(message).to_bytes(TOTAL_BYTES, "big") + view[:head])
            for at in range(head, len(message), CHUNK_PLAIN_BYTES):
                self._seal_chunk(parts, view[at : at + CHUNK_PLAIN_BYTES])
        return b"".join(parts)

    def feed(self, data: bytes) -> list[bytes]:
        """See `FrameReader.feed`."""
        return self._reader.feed(data)

    @property
    def is_midway(self) -> bool:
        """Whether part of a message has come and the rest has not."""
        return self._reader.is_midway

    def _seal_chunk(self, parts: list[bytes], plaintext: bytes | memoryview) -> None:
        ciphertext = self._send.encrypt(plaintext)
        parts += (len(ciphertext).to_bytes(LENGTH_BYTES, "big"), ciphertext)
