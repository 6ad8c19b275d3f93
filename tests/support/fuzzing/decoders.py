"""Targets: every decoder of canonical bytes, the handshake, the frames, and what is compressed."""

from __future__ import annotations

from hashlib import sha256

import zstandard
from msgspec.structs import replace

from node.chain.block import decode_block, decode_commit, decode_committed, decode_header
from node.codec import encode
from node.consensus.safety import EMPTY, NeverSigned, StoredLock, decode_hard_state
from node.daemon import signer_wire
from node.errors import Corrupted, Rejected
from node.ledger.fields import Money
from node.ledger.signed import decode_signed
from node.p2p import wire
from node.p2p.framing import (
    CHUNK_PLAIN_BYTES,
    HANDSHAKE_BYTES_MAX,
    FrameReader,
    Lane,
    Session,
    chunk_at,
    take_handshake_frame,
)
from node.p2p.handshake import Handshake, Hello, _decode_hello
from node.p2p.noise import CipherState
from node.storage import snapshot
from node.txtypes.chain.validator_set import EvidenceUse
from node.txtypes.disputes.dispute import OpenDisputes, OpenOfAccount
from node.txtypes.envelope import _decode_payload, decode_payload, decode_signed_tx
from node.txtypes.members.member import Fraud, Frauds
from node.txtypes.registry import FAMILIES
from node.txtypes.vehicle.claims import Claim, Debtor, OrderClaims
from support.frames import seal
from support.fuzzing import specimens
from support.fuzzing.target import Target, round_trip, taken
from support.memory_store import MemoryStore
from support.vectors import story
from wallet.light import _decode_entries


def _transactions() -> list[bytes]:
    return [raw for committed in specimens.blocks() for raw in committed.block.transactions]


def _payloads_of_any_type() -> list[bytes]:
    """Known types, and one that only newer software has a class for."""
    known = [decode_signed(raw).payload for raw in _transactions()]
    return [*known, encode([bytes(20), 1, 1, ["vehicle.teleport", "WBA8E9G50GNU12345", [1, None, True], {"a": b"b"}]])]


def _hard_states() -> list[bytes]:
    lock = StoredLock(0, bytes(32))
    full = replace(EMPTY, height=7, locked=lock, valid=lock, polka=(specimens.vote(),), bodies=(specimens.block(),))
    return [encode(EMPTY), encode(full), encode(NeverSigned(bytes(32)))]


_PROMISE = signer_wire.KeptPromise(StoredLock(0, bytes(32)), None, (), ())


def _signer_requests() -> list[bytes]:
    vote = signer_wire.VoteRequest("prevote", 7, 0, bytes(32), _PROMISE)
    return [
        encode(vote),
        encode(signer_wire.ProposalRequest(7, 0, bytes(32), -1, _PROMISE)),
        encode(signer_wire.RaiseFloor(7)),
    ]


def _signer_replies() -> list[bytes]:
    welcome = signer_wire.Welcome(1, bytes(20), bytes(32), False, 7, EMPTY)
    return [encode(message) for message in (signer_wire.Floor(7), signer_wire.Refused("busy", "why"), welcome)]


def _signed_tx(raw: bytes) -> None:
    assert raw == decode_signed_tx(raw, specimens.chain().genesis_hash).raw


# --- handshake -------------------------------------------------------------------------------------------
def _take_frames(side: Handshake, data: bytes) -> bool:
    buffer = bytearray(data)
    try:
        while not side.done:
            frame = take_handshake_frame(buffer)
            assert len(buffer) <= len(data)
            if frame is None:
                return False
            answer = side.receive(frame)
            assert answer is None or len(answer) <= HANDSHAKE_BYTES_MAX
        side.session().receive(bytes(buffer), 0)
    except Rejected:
        return False
    return True


def _as_responder(data: bytes) -> bool:
    return _take_frames(specimens.spoken().side(False), data)


def _as_initiator(data: bytes) -> bool:
    side = specimens.spoken().side(True)
    side.start()
    return _take_frames(side, data)


def _framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def _hellos() -> list[bytes]:
    return [encode(Hello(1, bytes(32), bytes(32), bytes(64), 26_800, "bmw"))]


# --- frames ----------------------------------------------------------------------------------------------
_KEY = bytes(32)


def _taken_stream(stream: bytes) -> list[bytes]:
    """Fed in two pieces. Nothing comes out that did not go in, and no more is held than came."""
    reader = FrameReader(CipherState(_KEY))
    half = len(stream) // 3
    messages = [received.message for part in (stream[:half], stream[half:]) for received in reader.feed(part)]
    held = sum(len(part) for lane in reader._lanes for part in lane.parts) + len(reader._buffer)
    assert sum(map(len, messages)) + held <= len(stream)
    return messages


def _stream(data: bytes) -> None:
    _taken_stream(data)


def _plain_chunks(data: bytes) -> None:
    """The input is a row of chunks, each with its length: sealed with the right key, as only a peer can."""
    session, stream, at = Session(CipherState(_KEY), CipherState(_KEY)), b"", 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        stream += session.seal_chunk(data[at + 2 : at + 2 + min(size, CHUNK_PLAIN_BYTES)])
        at += 2 + size
    _taken_stream(stream)


def _good_chunks() -> list[bytes]:
    long = bytes(66_000)
    first, at = chunk_at(long, Lane.BULK, 0)
    return [
        _framed(chunk_at(b"one", Lane.VOTES, 0)[0], chunk_at(b"two", Lane.BULK, 0)[0]),
        _framed(chunk_at(b"a longer message of the second lane", Lane.BLOCKS, 0)[0]),
        _framed(first, chunk_at(b"vote", Lane.VOTES, 0)[0], chunk_at(long, Lane.BULK, at)[0]),
    ]


def _good_streams() -> list[bytes]:
    session = Session(CipherState(_KEY), CipherState(_KEY))
    return [seal(session, b"one", Lane.VOTES) + seal(session, b"two") + seal(session, b"three" * 50, Lane.BLOCKS)]


# --- snapshots -------------------------------------------------------------------------------------------
def _check_offer(data: bytes) -> None:
    offer = snapshot.decode_offer(data)
    assert encode(offer) == data
    snapshot.check_offer(offer, specimens.store().genesis_hash)


def _restore(compressed: bytes) -> None:
    offer, _ = specimens.offer_and_chunks()
    manifest = replace(offer.manifest, chunks=(sha256(compressed).digest(),))
    restore = snapshot.Restore(MemoryStore(), specimens.chain().genesis, replace(offer, manifest=manifest))
    restore.add(compressed)
    restore.finish()


def _restore_pairs(data: bytes) -> None:
    _restore(zstandard.ZstdCompressor(level=1).compress(data))


DECODERS = [
    Target("wire", round_trip(wire.decode_wire), lambda: [encode(message) for message in specimens.messages()]),
    Target("block", round_trip(decode_block), lambda: [encode(c.block) for c in specimens.blocks()]),
    Target("committed", round_trip(decode_committed), lambda: [encode(c) for c in specimens.blocks()]),
    Target("commit", round_trip(decode_commit), lambda: [encode(c.commit) for c in specimens.blocks()]),
    Target("header", round_trip(decode_header), lambda: [encode(c.block.header) for c in specimens.blocks()]),
    Target("transaction", taken(_signed_tx), _transactions),
    Target("envelope", round_trip(decode_signed), _transactions),
    Target("payload", round_trip(_decode_payload), lambda: [decode_signed(raw).payload for raw in _transactions()]),
    Target("payload of any type", taken(decode_payload), _payloads_of_any_type),
    Target("validator set", round_trip(_decode_entries), lambda: [encode(specimens.store().head().validators.entries)]),
    Target("hard state", round_trip(decode_hard_state, Corrupted), _hard_states),
    Target(
        "signer hello", round_trip(signer_wire.decode_hello), lambda: [encode(signer_wire.SignerHello(1, bytes(32)))]
    ),
    Target("signer request", round_trip(signer_wire.decode_request), _signer_requests),
    Target("signer reply", round_trip(signer_wire.decode_reply), _signer_replies),
    Target("hello", round_trip(_decode_hello), _hellos),
    Target(
        "handshake, responder", _as_responder,
        lambda: [_framed(specimens.spoken().first, specimens.spoken().third)], is_slow=True,
    ),
    Target("handshake, initiator", _as_initiator, lambda: [_framed(specimens.spoken().second)], is_slow=True),
    Target("frames", taken(_stream), _good_streams),
    Target("chunks of frames", taken(_plain_chunks), _good_chunks),
    Target("snapshot offer", taken(_check_offer), lambda: [encode(specimens.offer_and_chunks()[0])], is_slow=True),
    Target("snapshot chunk", taken(_restore), lambda: list(specimens.offer_and_chunks()[1]), is_slow=True),
    Target("snapshot content", taken(_restore_pairs), lambda: [specimens.plain_chunk()], is_slow=True),
]  # fmt: skip


def _values_of(family: str) -> list[bytes]:
    """The story's; it has neither frauds nor evidence nor disputes nor claims."""
    claim = Claim("WBA8E9G50GNU12345", bytes(20), bytes(20), Money(1, "EUR"), "credit", 1)
    made = {
        "order-claims": OrderClaims((claim,)),
        "debtor": Debtor(1),
        "frauds": Frauds((Fraud(bytes(20), "bank", 1),)),
        "evidence": EvidenceUse(1),
        "open-disputes": OpenDisputes((OpenOfAccount(bytes(32), 1),)),
    }
    prefix = b"S" + family.encode() + b"/"
    values = [value for _, value in story().chain.store.kv.scan(prefix, prefix[:-1] + b"0")]
    return values or [encode(made[family])]


FAMILY_TARGETS = [
    Target(f"state {name}", taken(family.decode, Corrupted), lambda name=name: _values_of(name))
    for name, family in sorted(FAMILIES.items())
]
