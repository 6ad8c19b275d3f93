"""One encoding per value: every other encoding is rejected, and no damaged one decodes to the same value."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vectors
from support.second_codec import pack, unpack

from node import limits
from node.chain.block import decode_block, decode_commit, decode_committed, decode_header
from node.codec import Decoder, Value, encode
from node.errors import Malformed, TooLarge
from node.ledger.body import type_of
from node.p2p.wire import decode_wire
from node.txtypes.envelope import decode_payload, decode_signed_tx

GENESIS = bytes(32)
STORY = vectors.story()
ALL = {played.name: played.raw for played in STORY.played}
BY_TYPE = {type_of(STORY.chain.check(p.raw).payload.body): p.raw for p in reversed(STORY.played)}
PAYLOADS = {name: unpack(raw)[0] for name, raw in BY_TYPE.items()}


SHORT = {"str8": 31, "array16": 15}
"""Forms that are the only ones of what is longer than this."""


# --- other encodings ------------------------------------------------------------------------
def nodes(value: Any) -> Iterator[Any]:
    """The value and all nested values, outermost first."""
    yield value
    for inner in value if isinstance(value, list) else ():
        yield from nodes(inner)


def packed_but(value: Any, place: int, written: bytes) -> bytes:
    """`value` packed, with nested value number `place` (in the order of `nodes`) encoded as `written`."""
    count = -1

    def write(node: Any) -> bytes:
        nonlocal count
        count += 1
        if count == place:
            count += sum(1 for _ in nodes(node)) - 1
            return written
        if isinstance(node, list):
            return pack([None] * len(node))[: -len(node) or None] + b"".join(write(inner) for inner in node)
        return pack(node)

    return write(value)


def other_forms(value: Any) -> Iterator[tuple[str, bytes]]:
    """Encodings that a lenient decoder could accept for the same value."""
    match value:
        case bool():
            yield "a boolean as an integer", pack(int(value))
        case int():
            forms = ((1, 0xCC, 0xD0, "B", "b"), (2, 0xCD, 0xD1, "H", "h"), (4, 0xCE, 0xD2, "I", "i"),
                     (8, 0xCF, 0xD3, "Q", "q"))  # fmt: skip
            for size, unsigned, signed, u, s in forms:
                if 0 <= value < 1 << 8 * size and bytes([unsigned]) + struct.pack(f">{u}", value) != pack(value):
                    yield f"uint{8 * size}", bytes([unsigned]) + struct.pack(f">{u}", value)
                if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
                    written = bytes([signed]) + struct.pack(f">{s}", value)
                    if written != pack(value):
                        yield f"int{8 * size}", written
            yield "float64", pack(float(value))
            yield "text", pack(str(value))
        case str():
            raw = value.encode()
            yield "str8", b"\xd9" + bytes([len(raw)]) + raw
            yield "str16", b"\xda" + struct.pack(">H", len(raw)) + raw
            yield "str32", b"\xdb" + struct.pack(">I", len(raw)) + raw
            yield "binary", pack(raw)
        case bytes():
            yield "bin16", b"\xc5" + struct.pack(">H", len(value)) + value
            yield "bin32", b"\xc6" + struct.pack(">I", len(value)) + value
            yield "text", b"\xda" + struct.pack(">H", len(value)) + value
            yield "hex", pack(value.hex())
            yield "an array of bytes", pack(list(value))
        case list():
            yield "array16", b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))
            yield "array32", b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
            yield "one more field", pack([*value, None])
            yield "a map", pack({str(index): inner for index, inner in enumerate(value)})
            yield "nil", pack(None)
            if value:
                yield "one field less", pack(value[:-1])
        case None:
            yield "an empty array", pack([])
            yield "false", pack(False)


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_other_form_of_every_field_is_refused_or_another_value(name: str) -> None:
    raw = PAYLOADS[name]
    original, values = decode_payload(raw), unpack(raw)
    tried = 0
    for place, node in enumerate(nodes(values)):
        for form, written in other_forms(node):
            other = packed_but(values, place, written)
            if other == raw:
                assert len(node) > SHORT[form], (place, form)
                continue
            tried += 1
            try:
                decoded = decode_payload(other)
            except Malformed:
                continue
            assert form in ("one field less", "nil", "an empty array") and decoded != original, (place, form, node)
    assert tried > 30


@pytest.mark.parametrize("name", BY_TYPE)
def test_no_flipped_byte_decodes_to_the_same_transaction(name: str) -> None:
    raw = BY_TYPE[name]
    original = decode_signed_tx(raw, GENESIS)
    for place in range(len(raw)):
        for mask in (0x01, 0x10, 0x80, 0xFF):
            damaged = raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :]
            try:
                decoded = decode_signed_tx(damaged, GENESIS)
            except (Malformed, TooLarge):
                continue
            assert (decoded.payload, decoded.signatures) != (original.payload, original.signatures)
            assert decoded.wire_id != original.wire_id
            assert (decoded.txid == original.txid) == (decoded.payload == original.payload)


@pytest.mark.parametrize("name", BY_TYPE)
def test_truncated_or_extended_bytes_are_malformed(name: str) -> None:
    for raw, decode in ((PAYLOADS[name], decode_payload), (BY_TYPE[name], lambda r: decode_signed_tx(r, GENESIS))):
        for length in range(len(raw)):
            with pytest.raises(Malformed):
                decode(raw[:length])
        for tail in (b"\x00", b"\xc0", raw):
            with pytest.raises(Malformed):
                decode(raw + tail)


# --- shapes --------------------------------------------------------------------------------------------------
def with_body(change: Any) -> bytes:
    """The payload of an odometer reading with its body changed."""
    values = unpack(PAYLOADS["odometer.read"])
    values[3] = change(values[3])
    return pack(values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda body: ["odometer rewind", *body[1:]], r"^body\.type: .*odometer rewind"),
        (lambda body: ["odometer.read/2", *body[1:]], r"^body\.type: .*odometer.read/2"),
        (lambda body: ["title.transfer", *body[1:]], r"^body\.receiver: "),
        (lambda body: [1, *body[1:]], r"^body(\.type)?: "),
        (lambda body: body[1:], r"^body(\.type)?: "),
        (lambda body: [], r"^body(\.type)?: "),
        (lambda body: [*body, 0], r"^body: .*length"),
        (lambda body: body[:-1], r"canonical"),
        (lambda body: body[:5], r"^body: .*length"),
        (lambda body: dict(zip("abcdefghi", body, strict=True)), r"^body: .*object"),
        (lambda body: None, r"^body: .*None"),
        (lambda body: [*body[:1], "WBA8E9G50GNU1234", *body[2:]], r"^body\.vin: "),
        (lambda body: [*body[:1], "wba8e9g50gnu12345", *body[2:]], r"^body\.vin: "),
        (lambda body: [*body[:1], body[1] + "\n", *body[2:]], r"^body\.vin: "),
        (lambda body: [*body[:5], [-1, "km", "cluster", [], False], *body[6:]], r"^body\.odometer\.value: "),
        (lambda body: [*body[:5], [1.0, "km", "cluster", [], False], *body[6:]], r"^body\.odometer\.value: |canonical"),
        (lambda body: [*body[:5], [10_000_000, "km", "cluster", [], False], *body[6:]], r"^body\.odometer\.value: "),
        (lambda body: [*body[:5], [1, "furlong", "cluster", [], False], *body[6:]], r"^body\.odometer\.unit: "),
        (lambda body: [*body[:3], limits.TIME_MAX_MS + 1, *body[4:]], r"^body\.event_at: "),
        (lambda body: [*body[:3], True, *body[4:]], r"^body\.event_at: "),
    ],
)
def test_a_wrong_body_is_malformed_and_the_place_is_named(change: Any, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        decode_payload(with_body(change))


def test_extension_types_timestamps_and_reserved_bytes_are_refused() -> None:
    for written in (b"\xc1", b"\xd4\x01\x00", b"\xd6\xff\x00\x00\x00\x00", b"\xc7\x01\x05\x00"):
        values = unpack(PAYLOADS["odometer.read"])
        for place, _ in enumerate(nodes(values)):
            with pytest.raises(Malformed):
                decode_payload(packed_but(values, place, written))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\x81\x91"], ids=lambda raw: raw.hex())
def test_deep_nesting_is_malformed_and_not_the_end_of_the_stack(opening: bytes) -> None:
    raw = (opening * 60_000)[: limits.TX_BYTES_MAX - 1] + b"\xc0"
    for decode in (decode_payload, decode_block, decode_wire):
        with pytest.raises(Malformed):
            decode(raw)
    place = packed_but(unpack(PAYLOADS["odometer.read"]), 4, raw[:60_000])
    with pytest.raises(Malformed):
        decode_payload(place)


CLAIMS = [claim + b"\xff\xff\xff\xff" for claim in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda raw: raw.hex())
def test_a_claimed_length_of_four_gigabytes_is_only_malformed(claim: bytes) -> None:
    for raw in (claim, b"\x92" + claim, b"\x94" + claim):
        for decode in (decode_payload, decode_block, decode_committed, decode_commit, decode_wire):
            with pytest.raises(Malformed):
                decode(raw)


def test_the_limit_comes_before_everything_else() -> None:
    class Two(Value, frozen=True):
        one: Annotated[int, msgspec.Meta(le=9)]
        two: bytes

    decode: Decoder[Two] = Decoder(Two, 10, "pair")
    value = Two(1, b"12345")
    assert len(encode(value)) == 9
    assert value == decode(encode(value))
    assert Two(1, b"123456") == decode(encode(Two(1, b"123456")))
    with pytest.raises(TooLarge, match="pair: 11 bytes, at most 10"):
        decode(encode(Two(1, b"1234567")))
    with pytest.raises(TooLarge):
        decode(b"\xff" * 11)
    with pytest.raises(Malformed, match=r"pair: .*\$\[0\]"):
        decode(encode(Two(10, b"")))


# --- arbitrary input --------------------------------------------------------------------------------------------
DECODERS = [decode_payload, decode_header, decode_block, decode_committed, decode_commit, decode_wire]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=70) | st.text(max_size=20)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: getattr(decode, "_name", "payload"))
def test_any_bytes_are_malformed_or_come_back_as_they_were(decode: Any) -> None:
    @given(st.binary(max_size=300) | ANYTHING.map(pack))
    def check(raw: bytes) -> None:
        try:
            value = decode(raw)
        except (Malformed, TooLarge):
            return
        assert encode(value) == raw

    check()
