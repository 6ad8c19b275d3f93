"""Whole messages as frames of a link, for tests that write to it directly."""

from __future__ import annotations

from node.p2p.framing import Lane, Session, chunk_at


def seal(session: Session, message: bytes, lane: Lane = Lane.BULK) -> bytes:
    """All chunks of `message`, ready for the wire."""
    sealed, at = [], 0
    while at < len(message):
        chunk, at = chunk_at(message, lane, at)
        sealed.append(session.seal_chunk(chunk))
    return b"".join(sealed)
