"""Noise_XX_25519_ChaChaPoly_SHA256: published vectors and tampering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ProtocolViolation
from node.p2p.noise import MESSAGE_BYTES_MAX, NONCE_RESERVED, CipherState, SymmetricState, XXHandshake

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "noise_xx.json").read_text())["vectors"]
PAYLOADS = (b"", b"of the responder", b"of the initiator")

LOW_ORDER = [  # RFC 7748, section 6.1: points whose shared secret with every key is zero
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),  # p - 1
    (2**255 - 19).to_bytes(32, "little"),  # p
    (2**255 - 18).to_bytes(32, "little"),  # p + 1
]


def a_pair(prologues: tuple[bytes, bytes] = (b"", b"")) -> tuple[XXHandshake, XXHandshake]:
    return (
        XXHandshake(True, b"\x11" * 32, b"\x12" * 32, prologues[0]),
        XXHandshake(False, b"\x21" * 32, b"\x22" * 32, prologues[1]),
    )


def sides(initiator: XXHandshake, responder: XXHandshake, index: int) -> tuple[XXHandshake, XXHandshake]:
    """(writer, reader) of message `index`."""
    return (initiator, responder) if index % 2 == 0 else (responder, initiator)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["suite"])
def test_published_vectors(vector: dict[str, Any]) -> None:
    """Every message in both directions, transport messages included, to the byte."""
    unhexed = {k: bytes.fromhex(v) for k, v in vector.items() if k.startswith(("init_", "resp_"))}
    initiator = XXHandshake(True, unhexed["init_static"], unhexed["init_ephemeral"], unhexed["init_prologue"])
    responder = XXHandshake(False, unhexed["resp_static"], unhexed["resp_ephemeral"], unhexed["resp_prologue"])
    messages = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]]

    for index, (payload, ciphertext) in enumerate(messages[:3]):
        writer, reader = sides(initiator, responder, index)
        assert ciphertext == writer.write_message(payload)
        assert payload == reader.read_message(ciphertext)

    assert initiator.finished
    assert responder.finished
    assert initiator.remote_static == responder.static_public
    assert responder.remote_static == initiator.static_public

    (i_send, i_receive), (r_send, r_receive) = initiator.split(), responder.split()
    assert len(messages) > 3
    for index, (payload, ciphertext) in enumerate(messages[3:], start=3):
        send, receive = (i_send, r_receive) if index % 2 == 0 else (r_send, i_receive)
        assert ciphertext == send.encrypt(payload)
        assert payload == receive.decrypt(ciphertext)


def test_both_suites_are_there() -> None:
    assert [vector["suite"] for vector in VECTORS] == ["cacophony", "snow"]


def run_with(change: Any) -> None:
    """Run a handshake whose messages pass through `change(index, message)`."""
    initiator, responder = a_pair()
    for index, payload in enumerate(PAYLOADS):
        writer, reader = sides(initiator, responder, index)
        assert payload == reader.read_message(change(index, writer.write_message(payload)))


MESSAGE_SIZES = [32, 32 + 48 + len(PAYLOADS[1]) + 16, 48 + len(PAYLOADS[2]) + 16]


def test_message_sizes() -> None:
    sizes: list[int] = []

    def seen(_: int, message: bytes) -> bytes:
        sizes.append(len(message))
        return message

    run_with(seen)
    assert sizes == MESSAGE_SIZES


@pytest.mark.parametrize("target", [0, 1, 2])
def test_any_flipped_bit_is_refused(target: int) -> None:
    """A change of message 1 is detected in message 2 at the latest: the handshake hash covers it."""
    for at in range(MESSAGE_SIZES[target]):
        for bit in (0, 7):

            def flip(index: int, message: bytes, at: int = at, bit: int = bit) -> bytes:
                if index != target:
                    return message
                return message[:at] + bytes([message[at] ^ 1 << bit]) + message[at + 1 :]

            with pytest.raises(ProtocolViolation):
                run_with(flip)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_any_truncated_message_is_refused(target: int) -> None:
    for size in range(MESSAGE_SIZES[target]):
        with pytest.raises(ProtocolViolation):
            run_with(lambda index, message, size=size: message[:size] if index == target else message)


@pytest.mark.parametrize("target", [1, 2])
def test_a_longer_message_is_refused(target: int) -> None:
    with pytest.raises(ProtocolViolation):
        run_with(lambda index, message: message + b"\x00" if index == target else message)


def test_a_message_above_64_kb_is_refused() -> None:
    _, responder = a_pair()
    with pytest.raises(ProtocolViolation, match="65536 bytes"):
        responder.read_message(bytes([9]) * (MESSAGE_BYTES_MAX + 1))


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_an_ephemeral_key_of_low_order_is_refused_by_both_sides(point: bytes) -> None:
    initiator, responder = a_pair()
    first = initiator.write_message(b"")
    responder.read_message(point)
    with pytest.raises(ProtocolViolation, match="low order"):
        responder.write_message(b"")
    with pytest.raises(ProtocolViolation, match="low order"):
        initiator.read_message(point + bytes(64))
    assert len(first) == 32


def test_a_static_key_of_low_order_is_refused() -> None:
    """An attacker can encrypt it correctly, so only the exchange itself detects it."""
    initiator, responder = a_pair()
    responder.static_public = bytes(32)
    responder.read_message(initiator.write_message(b""))
    with pytest.raises(ProtocolViolation, match="low order"):
        initiator.read_message(responder.write_message(b""))


def test_another_prologue_is_refused() -> None:
    initiator, responder = a_pair((b"one", b"two"))
    responder.read_message(initiator.write_message(b""))
    with pytest.raises(ProtocolViolation, match="authenticate"):
        initiator.read_message(responder.write_message(b""))


@given(st.binary(max_size=300))
def test_garbage_as_second_message_is_refused(garbage: bytes) -> None:
    initiator, _ = a_pair()
    initiator.write_message(b"")
    with pytest.raises(ProtocolViolation):
        initiator.read_message(garbage)


def test_wrong_order_of_calls_is_our_mistake() -> None:
    initiator, responder = a_pair()
    with pytest.raises(AssertionError, match="turn to write"):
        initiator.read_message(bytes(32))
    with pytest.raises(AssertionError, match="turn to read"):
        responder.write_message(b"")
    with pytest.raises(AssertionError, match="after the last message"):
        initiator.split()
    with pytest.raises(AssertionError, match="not sent"):
        _ = initiator.remote_static
    initiator.write_message(b"")
    with pytest.raises(AssertionError, match="turn to read"):
        initiator.write_message(b"")


def test_a_finished_handshake_takes_no_more_and_splits_once() -> None:
    initiator, responder = a_pair()
    for index in range(3):
        writer, reader = sides(initiator, responder, index)
        reader.read_message(writer.write_message(b""))
    with pytest.raises(AssertionError, match="finished"):
        responder.read_message(b"")
    initiator.split()
    with pytest.raises(AssertionError, match="already"):
        initiator.split()


def test_a_failed_handshake_cannot_be_used_again() -> None:
    initiator, responder = a_pair()
    responder.read_message(initiator.write_message(b""))
    good = responder.write_message(b"")
    with pytest.raises(ProtocolViolation):
        initiator.read_message(bytes(len(good)))
    with pytest.raises(AssertionError, match="failed"):
        initiator.read_message(good)


def test_a_payload_that_makes_the_message_too_long_is_our_mistake() -> None:
    initiator, _ = a_pair()
    with pytest.raises(AssertionError, match="64 kB"):
        initiator.write_message(bytes(MESSAGE_BYTES_MAX - 31))


def test_one_key_for_both_purposes_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="fresh"):
        XXHandshake(True, b"\x11" * 32, b"\x11" * 32)


def test_a_cipher_authenticates_text_data_and_order() -> None:
    sealed = CipherState(b"k" * 32).encrypt(b"text", b"data")
    receive = CipherState(b"k" * 32)
    for wrong in (sealed[:-1], sealed + b"\x00", b"", bytes(20), bytes([sealed[0] ^ 1]) + sealed[1:]):
        with pytest.raises(ProtocolViolation):
            receive.decrypt(wrong, b"data")
    with pytest.raises(ProtocolViolation):
        receive.decrypt(sealed, b"other data")
    assert receive.nonce == 0, "a failure does not move the nonce"
    assert receive.decrypt(sealed, b"data") == b"text"
    with pytest.raises(ProtocolViolation):
        receive.decrypt(sealed, b"data")  # replayed


def test_the_last_nonce_is_never_used() -> None:
    send, receive = CipherState(b"k" * 32, NONCE_RESERVED - 1), CipherState(b"k" * 32, NONCE_RESERVED - 1)
    assert receive.decrypt(send.encrypt(b"last")) == b"last"
    with pytest.raises(ProtocolViolation, match="nonce"):
        send.encrypt(b"")
    with pytest.raises(ProtocolViolation, match="nonce"):
        receive.decrypt(bytes(16))
    assert NONCE_RESERVED == 2**64 - 1 == send.nonce


def test_before_the_first_exchange_nothing_is_encrypted() -> None:
    state = SymmetricState(b"")
    before = state.hash
    assert state.tag_bytes == 0
    assert state.encrypt_and_hash(b"plain") == b"plain"
    assert before != state.hash
    state.mix_key(bytes(32))
    assert state.tag_bytes == 16
    assert len(state.encrypt_and_hash(b"plain")) == 5 + 16


def test_a_message_may_be_as_long_as_it_may_be() -> None:
    initiator, responder = a_pair()
    payload = bytes(MESSAGE_BYTES_MAX - 32)
    message = initiator.write_message(payload)
    assert MESSAGE_BYTES_MAX == len(message)
    assert payload == responder.read_message(message)
