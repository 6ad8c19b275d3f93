"""Handshakes of two sides, and a puppet with arbitrary payloads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from node.crypto.signing import PrivateKey
from node.p2p.handshake import PROTOCOL_VERSION, Handshake, Hello
from node.p2p.noise import XXHandshake

GENESIS = b"\x07" * 32
ALICE, BOB, MALLORY = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
STATIC = {ALICE.public: b"\x41" * 32, BOB.public: b"\x42" * 32, MALLORY.public: b"\x43" * 32}


def a_side(
    initiator: bool,
    key: PrivateKey,
    *,
    genesis: bytes = GENESIS,
    ephemeral: int = 0,
    listen_port: int = 26_000,
    moniker: str = "munich-1.example",
) -> Handshake:
    seed = bytes([0x80 + ephemeral + (0 if initiator else 64)]) * 32
    return Handshake(initiator, key, STATIC[key.public], seed, genesis, listen_port, moniker)


def first_of(side: Handshake) -> bytes:
    message = side.start()
    assert message is not None
    return message


def reply_of(side: Handshake, message: bytes) -> bytes:
    reply = side.receive(message)
    assert reply is not None
    return reply


def a_hello(key: PrivateKey, static_public: bytes, **changes: Any) -> Hello:
    hello = Hello(PROTOCOL_VERSION, GENESIS, key.public, key.sign(b"bmw/noise\x00" + static_public), 0, "")
    return msgspec.structs.replace(hello, **changes)


class Puppet:
    """A peer with correct Noise and an arbitrary payload."""

    def __init__(self, initiator: bool, key: PrivateKey = MALLORY) -> None:
        self.noise = XXHandshake(initiator, STATIC[key.public], b"\x99" * 32)

    def say_to(self, side: Handshake, payload: bytes) -> bytes | None:
        """Run the handshake up to the payload."""
        if self.noise.initiator:
            self.noise.read_message(reply_of(side, self.noise.write_message(b"")))
        else:
            self.noise.read_message(first_of(side))
        return side.receive(self.noise.write_message(payload))


both_sides = pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
