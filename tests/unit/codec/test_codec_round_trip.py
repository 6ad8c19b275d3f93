"""Round trip of every transaction type as bytes and JSON; an independent codec gives the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import second_codec
from support.generated import bodies

from node.codec import encode
from node.ledger.json_form import from_json, to_json
from node.ledger.signed import TxSignature, assemble, txid_of, wire_id_of
from node.limits import TIME_MAX_MS
from node.txtypes.envelope import Payload, decode_payload, decode_signed_tx
from node.txtypes.registry import TYPES

ADDRESS = st.binary(min_size=20, max_size=20)
U64 = st.integers(0, 2**64 - 1)
MILLIS = st.integers(0, TIME_MAX_MS)
relaxed = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=25)
"""Static rules reject some values that the field types allow. The types share their kinds of field: together they see
some 1,500 bodies."""


@pytest.mark.parametrize("name", TYPES)
def test_a_body_comes_back(name: str) -> None:
    @relaxed
    @given(bodies(name), ADDRESS, U64, MILLIS)
    def check(body, sender: bytes, salt: int, expires_at_ms: int) -> None:
        payload = Payload(sender, salt, expires_at_ms, body)
        raw = encode(payload)
        assert payload == decode_payload(raw)
        as_json = to_json(body)
        assert name == as_json.pop("type")
        assert body == from_json(TYPES[name], as_json)
        values = second_codec.values_of(name, to_json(body))
        assert raw == second_codec.pack([sender, salt, expires_at_ms, values])

    check()


SIGNATURES = st.lists(
    st.builds(TxSignature, ADDRESS, st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64)),
    max_size=16,
    unique_by=lambda s: (s.address, s.public_key),
)


@relaxed
@given(bodies("odometer.read"), SIGNATURES, st.randoms(use_true_random=False))
def test_signatures_are_put_in_order_whatever_order_they_came_in(body, signatures, chance) -> None:
    payload = encode(Payload(bytes(20), 1, 2, body))
    raw = assemble(payload, signatures)
    chance.shuffle(signatures)
    assert raw == assemble(payload, signatures)
    signed = decode_signed_tx(raw, bytes(32))
    assert tuple(sorted(signatures, key=lambda s: (s.address, s.public_key))) == signed.signatures
    assert (txid_of(bytes(32), payload), wire_id_of(bytes(32), raw)) == (signed.txid, signed.wire_id)


@relaxed
@given(bodies("vehicle.register"), bodies("vehicle.register"), U64, U64)
def test_different_payloads_have_different_bytes_and_ids(one, two, salt: int, other: int) -> None:
    first, second = (Payload(bytes(20), s, 2, b) for s, b in ((salt, one), (other, two)))
    same = (salt, one) == (other, two)
    assert same == (encode(first) == encode(second))
    assert same == (txid_of(bytes(32), encode(first)) == txid_of(bytes(32), encode(second)))
    assert txid_of(bytes(32), encode(first)) != txid_of(b"\x01" * 32, encode(first))
