"""Peer handshake: refusals, and that both sides learn the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import seal
from support.handshakes import (
    ALICE,
    BOB,
    GENESIS,
    MALLORY,
    STATIC,
    Puppet,
    a_hello,
    a_side,
    both_sides,
    first_of,
    reply_of,
)

from node.codec import encode
from node.errors import BadSignature, Malformed, ProtocolViolation, TooLarge, WrongChain
from node.p2p.framing import HANDSHAKE_BYTES_MAX
from node.p2p.handshake import PROTOCOL_VERSION, Handshake, Hello, Refusal, RefusedByPeer, goodbye, parse_goodbye
from node.p2p.noise import XXHandshake


def test_two_nodes_meet() -> None:
    alice = a_side(True, ALICE, listen_port=1, moniker="alice")
    bob = a_side(False, BOB, listen_port=65_535, moniker="x" * 40)
    assert bob.start() is None

    second = reply_of(bob, first_of(alice))
    assert not alice.done
    third = reply_of(alice, second)
    assert alice.done
    assert not bob.done
    assert bob.receive(third) is None
    assert bob.done

    assert (BOB.public, 65_535, "x" * 40) == (alice.peer.node_key, alice.peer.listen_port, alice.peer.moniker)
    assert (ALICE.public, 1, "alice") == (bob.peer.node_key, bob.peer.listen_port, bob.peer.moniker)
    assert (bob.peer.genesis_hash, bob.peer.protocol_version) == (GENESIS, PROTOCOL_VERSION)

    at_alice, at_bob = alice.session(), bob.session()
    assert [message for message, _ in at_bob.receive(seal(at_alice, b"question"), 0)] == [b"question"]
    assert [message for message, _ in at_alice.receive(seal(at_bob, b"answer"), 0)] == [b"answer"]


def test_nobody_on_the_path_reads_who_they_are() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    first = first_of(alice)
    second = reply_of(bob, first)
    seen = first + second + reply_of(alice, second)
    for secret in (ALICE.public, BOB.public, GENESIS, b"munich"):
        assert secret not in seen


# --- refusals, on both sides -----------------------------------------------------------------------
def refused_by_the_initiator(alice: Handshake, bob: Handshake) -> tuple[Refusal, RefusedByPeer]:
    """The exceptions of both sides when the initiator refuses message 2."""
    second = reply_of(bob, first_of(alice))
    with pytest.raises(Refusal) as here:
        alice.receive(second)
    with pytest.raises(RefusedByPeer) as there:
        bob.receive(goodbye(str(here.value)))
    return here.value, there.value


def check_told(here: Refusal, there: RefusedByPeer) -> None:
    assert f"refused by the peer: {here}" == str(there)
    assert isinstance(there, ProtocolViolation)


def test_the_initiator_refuses_another_chain() -> None:
    here, there = refused_by_the_initiator(a_side(True, ALICE), a_side(False, BOB, genesis=b"\x08" * 32))
    assert isinstance(here, WrongChain)
    assert here.code == "wrong_chain"
    assert str(here) == "another chain: the peer's genesis hash is 0808080808080808, ours is 0707070707070707"
    check_told(here, there)


def test_the_responder_refuses_another_chain() -> None:
    """The initiator is done by then: the goodbye reaches it instead of the first chunk."""
    puppet, bob = Puppet(True), a_side(False, BOB)
    hello = a_hello(MALLORY, puppet.noise.static_public, genesis_hash=b"\x08" * 32)
    with pytest.raises(WrongChain) as refusal:
        puppet.say_to(bob, encode(hello))
    assert isinstance(refusal.value, Refusal)


def test_an_initiator_that_is_done_still_hears_the_goodbye() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    reply_of(alice, reply_of(bob, first_of(alice)))
    frame = goodbye("too many links")
    with pytest.raises(RefusedByPeer, match=r"^refused by the peer: too many links$"):
        alice.session().receive(len(frame).to_bytes(2, "big") + frame, 0)


@both_sides
def test_a_responder_or_initiator_that_says_goodbye_at_once(initiator: bool) -> None:
    side = a_side(initiator, ALICE)
    side.start()
    with pytest.raises(RefusedByPeer, match=r"^refused by the peer: too many links$"):
        side.receive(goodbye("too many links"))


def test_own_key_is_refused_by_both() -> None:
    """A node that dials itself at another address."""
    here, there = refused_by_the_initiator(a_side(True, ALICE), a_side(False, ALICE))
    assert isinstance(here, ProtocolViolation)
    assert (here.code, str(here)) == ("own_key", "connected to ourselves")
    check_told(here, there)

    puppet, alice = Puppet(True, ALICE), a_side(False, ALICE)
    with pytest.raises(ProtocolViolation, match="connected to ourselves"):
        puppet.say_to(alice, encode(a_hello(ALICE, puppet.noise.static_public)))


@both_sides
@pytest.mark.parametrize("version", [0, 2, 65_535])
def test_another_version_is_refused(initiator: bool, version: int) -> None:
    puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
    hello = a_hello(MALLORY, puppet.noise.static_public, protocol_version=version)
    with pytest.raises(ProtocolViolation, match=f"protocol version {version}, this node speaks 1") as refusal:
        puppet.say_to(side, encode(hello))
    assert isinstance(refusal.value, Refusal)
    assert refusal.value.code == "wrong_version"
    assert not side.done


@both_sides
def test_another_version_is_named_even_where_its_hello_looks_otherwise(initiator: bool) -> None:
    puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
    with pytest.raises(ProtocolViolation, match="protocol version 7, this node speaks 1"):
        puppet.say_to(side, encode([7, "new", {"fields": [1]}, b"in abundance"]))


def proofs_that_prove_nothing(puppet: Puppet) -> list[Hello]:
    static, elsewhere = puppet.noise.static_public, XXHandshake(True, STATIC[BOB.public], b"\x98" * 32).static_public
    return [
        a_hello(BOB, elsewhere),  # Bob's own Hello, from another link
        a_hello(MALLORY, elsewhere),
        a_hello(MALLORY, static, node_key=BOB.public),
        a_hello(MALLORY, static, signature=bytes(64)),
        a_hello(MALLORY, static, signature=MALLORY.sign(static)),
        a_hello(MALLORY, static, signature=MALLORY.sign(b"bmw/noise" + static)),
        a_hello(MALLORY, static, node_key=bytes(32), signature=bytes(64)),
        a_hello(MALLORY, static, node_key=b"\x01" + bytes(31), signature=b"\x01" + bytes(63)),  # of small order
    ]


@both_sides
@pytest.mark.parametrize("case", range(8))
def test_a_bad_proof_is_refused(initiator: bool, case: int) -> None:
    puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
    hello = proofs_that_prove_nothing(puppet)[case]
    with pytest.raises(BadSignature) as refusal:
        puppet.say_to(side, encode(hello))
    assert isinstance(refusal.value, Refusal)
    assert refusal.value.code == "bad_signature"
    with pytest.raises(AssertionError):
        _ = side.peer
    with pytest.raises(AssertionError):
        side.session()


@both_sides
@pytest.mark.parametrize(
    "spoil",
    [
        lambda hello: b"",
        lambda hello: b"\x00",
        lambda hello: encode(hello) + b"\x00",
        lambda hello: encode(hello)[:-1],
        lambda hello: b"\x90",
        lambda hello: b"\x91\x01",
        lambda hello: b"\x91\xc4\x02ab",
        lambda hello: encode([*msgspec.structs.astuple(hello), 1]),
        lambda hello: b"\x96\xcc\x01" + encode(hello)[2:],  # 1 in two bytes
        lambda hello: encode(msgspec.structs.replace(hello, listen_port=65_536)),
        lambda hello: encode(msgspec.structs.replace(hello, listen_port=-1)),
        lambda hello: encode(msgspec.structs.replace(hello, moniker="a" * 41)),
        lambda hello: encode(msgspec.structs.replace(hello, moniker="Upper")),
        lambda hello: encode(msgspec.structs.replace(hello, moniker="line\n")),
        lambda hello: encode(msgspec.structs.replace(hello, genesis_hash=bytes(31))),
        lambda hello: encode(msgspec.structs.replace(hello, signature=bytes(65))),
    ],
)
def test_a_malformed_hello_is_refused(initiator: bool, spoil: Callable[[Hello], bytes]) -> None:
    puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
    with pytest.raises(Malformed) as refusal:
        puppet.say_to(side, spoil(a_hello(MALLORY, puppet.noise.static_public)))
    assert isinstance(refusal.value, Refusal)
    assert refusal.value.code == "malformed"


@given(st.binary(max_size=400), st.booleans())
def test_garbage_in_the_payload_is_refused(garbage: bytes, initiator: bool) -> None:
    puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
    with pytest.raises(Refusal):
        puppet.say_to(side, garbage)


def test_the_same_hello_unspoilt_is_welcome() -> None:
    """Ensures that the refusals above have no other cause."""
    for initiator in (True, False):
        puppet, side = Puppet(not initiator), a_side(initiator, ALICE)
        puppet.say_to(side, encode(a_hello(MALLORY, puppet.noise.static_public)))
        assert MALLORY.public == side.peer.node_key


def test_a_payload_in_the_first_message_is_refused() -> None:
    puppet, bob = Puppet(True), a_side(False, BOB)
    with pytest.raises(ProtocolViolation, match="carries a payload"):
        bob.receive(puppet.noise.write_message(b"early"))


# --- caller errors ----------------------------------------------------------------------------------
def test_wrong_order_of_calls_is_our_mistake() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB)
    with pytest.raises(AssertionError):
        alice.receive(bytes(96))
    with pytest.raises(AssertionError):
        alice.session()
    second = reply_of(bob, first_of(alice))
    with pytest.raises(AssertionError):
        alice.start()
    alice.receive(second)
    with pytest.raises(AssertionError, match="done"):
        alice.receive(second)
    alice.session()
    with pytest.raises(AssertionError, match="already"):
        alice.session()


def test_after_a_refusal_nothing_goes_on() -> None:
    alice, bob = a_side(True, ALICE), a_side(False, BOB, genesis=bytes(32))
    second = reply_of(bob, first_of(alice))
    with pytest.raises(WrongChain):
        alice.receive(second)
    with pytest.raises(AssertionError):
        alice.receive(second)


@pytest.mark.parametrize(
    "changes", [{"moniker": "Not This"}, {"moniker": "a\n"}, {"listen_port": 65_536}, {"genesis": b""}]
)
def test_what_others_would_refuse_we_do_not_say(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        a_side(True, ALICE, **changes)


# --- goodbye ---------------------------------------------------------------------------------------------
@given(st.text(max_size=300))
def test_every_goodbye_can_be_read(reason: str) -> None:
    text = parse_goodbye(goodbye(reason))
    assert text is not None
    assert len(reason[:200]) == len(text)
    assert text.isascii()
    assert text == "".join(c if " " <= c <= "~" else "?" for c in reason[:200])


@pytest.mark.parametrize(
    "frame", [b"", b"BYE", b"bye!x", b"BYE!line\n", b"BYE!\x7f", b"BYE!\x80", b"BYE!" + b"x" * 201, b"xBYE!"]
)
def test_what_is_no_goodbye(frame: bytes) -> None:
    assert parse_goodbye(frame) is None


def test_the_length_of_a_message_is_judged_before_what_it_says() -> None:
    """A message of the maximum size is read, and rejected for its payload."""
    for length, error in ((HANDSHAKE_BYTES_MAX, ProtocolViolation), (HANDSHAKE_BYTES_MAX + 1, TooLarge)):
        with pytest.raises(error, match="carries a payload" if error is ProtocolViolation else "at most"):
            a_side(False, BOB).receive(bytes([9]) * length)
