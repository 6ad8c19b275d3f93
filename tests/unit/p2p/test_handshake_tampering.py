"""Attacks on the handshake from the path: flipped, replayed, reflected, relayed and garbage messages are refused."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handshakes import ALICE, BOB, Puppet, a_side, both_sides, first_of, reply_of

from node.errors import BadSignature, ProtocolViolation, Rejected, TooLarge
from node.p2p.handshake import Hello


def exchange(change: Callable[[int, bytes], bytes]) -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    second = reply_of(bob, change(0, first_of(alice)))
    third = reply_of(alice, change(1, second))
    bob.receive(change(2, third))


def test_a_flipped_byte_in_any_message_is_refused() -> None:
    sizes: list[int] = []

    def measure(_: int, message: bytes) -> bytes:
        sizes.append(len(message))
        return message

    exchange(measure)
    assert len(sizes) == 3
    for target, size in enumerate(sizes):
        for at in range(size):

            def flip(index: int, message: bytes, target: int = target, at: int = at) -> bytes:
                return message[:at] + bytes([message[at] ^ 0x40]) + message[at + 1 :] if index == target else message

            with pytest.raises(ProtocolViolation):
                exchange(flip)


def test_messages_of_an_earlier_handshake_replayed_to_the_responder_are_refused() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    first = first_of(alice)
    third = reply_of(alice, reply_of(bob, first))

    later = a_side(False, BOB, ephemeral=1)
    reply_of(later, first)
    with pytest.raises(ProtocolViolation, match="authenticate"):
        later.receive(third)


def test_messages_of_an_earlier_handshake_replayed_to_the_initiator_are_refused() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    second = reply_of(bob, first_of(alice))

    later = a_side(True, ALICE, ephemeral=1)
    first_of(later)
    with pytest.raises(ProtocolViolation, match="authenticate"):
        later.receive(second)


def test_a_man_in_the_middle_cannot_pass_on_a_hello() -> None:
    """Mallory completes a handshake with each side and sends each the other's Hello."""
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    to_bob, to_alice = Puppet(True), Puppet(False)
    hello_of_bob = to_bob.noise.read_message(reply_of(bob, to_bob.noise.write_message(b"")))
    assert BOB.public == msgspec.msgpack.decode(hello_of_bob, type=Hello).node_key

    with pytest.raises(BadSignature):
        to_alice.say_to(alice, hello_of_bob)


def test_messages_reflected_to_their_sender_are_refused() -> None:
    alice = a_side(True, ALICE)
    first = first_of(alice)
    with pytest.raises(ProtocolViolation):
        alice.receive(first)

    bob = a_side(False, BOB)
    second = reply_of(bob, first)
    with pytest.raises(ProtocolViolation):
        bob.receive(second)


@given(st.lists(st.binary(max_size=300), max_size=4), st.booleans())
def test_garbage_is_refused_and_never_welcome(messages: list[bytes], initiator: bool) -> None:
    side = a_side(initiator, ALICE)
    side.start()
    try:
        for message in messages:
            side.receive(message)
    except Rejected:
        pass
    assert not side.done


@both_sides
def test_an_oversized_message_is_refused(initiator: bool) -> None:
    side = a_side(initiator, ALICE)
    side.start()
    with pytest.raises(TooLarge):
        side.receive(bytes(1025))
