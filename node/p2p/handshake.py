"""Peer handshake: Noise XX whose payloads exchange node key, chain and protocol version.

    -> e                              no payload
    <- e, ee, s, es                   Hello of the responder
    -> s, se                          Hello of the initiator

The node key signs the static X25519 key, which the exchange itself proves; a signature copied from another link is
useless without the static private key. A side that refuses sends `goodbye(str(refusal))` instead of its next message.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final

import msgspec

from node.codec import Decoder, Value, encode
from node.crypto.signing import PrivateKey, is_signature
from node.errors import BadSignature, Malformed, ProtocolViolation, Rejected, TooLarge, WrongChain
from node.ledger.fields import Hash32, PublicKey, Signature
from node.p2p.framing import (
    HANDSHAKE_BYTES_MAX,
    RefusedByPeer,
    Session,
    check_no_goodbye,
    goodbye,
    parse_goodbye,
)
from node.p2p.noise import XXHandshake

__all__ = [
    "Handshake", "Hello", "BadProof", "MalformedHello", "OtherChain", "OtherVersion", "OwnKey", "PROTOCOL_VERSION",
    "Refusal", "RefusedByPeer", "goodbye", "parse_goodbye",
]  # fmt: skip

PROTOCOL_VERSION: Final = 1

# `\Z`, because `$` would accept a trailing line feed.
MONIKER_PATTERN: Final = r"^[a-z0-9.-]{0,40}\Z"

_PROOF_TAG: Final = b"bmw/noise\x00"


class Hello(Value, frozen=True):
    """A node's handshake payload. `listen_port` 0: it accepts no links. `moniker` is an unverified label."""

    protocol_version: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    genesis_hash: Hash32
    node_key: PublicKey
    signature: Signature
    listen_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    moniker: Annotated[str, msgspec.Meta(pattern=MONIKER_PATTERN)]


class Refusal(Rejected):
    """We refuse the peer; the text is sent to it. Each subclass is also a kind of `node.errors`, with its code."""


class OtherChain(Refusal, WrongChain):
    """`wrong_chain`"""


class OtherVersion(Refusal, ProtocolViolation):
    """`wrong_version`"""

    code: ClassVar[str] = "wrong_version"


class BadProof(Refusal, BadSignature):
    """`bad_signature`"""


class OwnKey(Refusal, ProtocolViolation):
    """`own_key`"""

    code: ClassVar[str] = "own_key"


class MalformedHello(Refusal, Malformed):
    """`malformed`"""


_decode_hello: Decoder[Hello] = Decoder(Hello, HANDSHAKE_BYTES_MAX, "hello")
_decode_fields = msgspec.msgpack.Decoder(list[msgspec.Raw])
_decode_version = msgspec.msgpack.Decoder(Annotated[int, msgspec.Meta(ge=0, le=2**32)])


class Handshake:
    """One side of the handshake: `start`, then `receive` until `done`. Send what they return.

    `receive` raises, which ends the handshake:
      `Refusal`             we refuse: send `goodbye(str(refusal))`, close
      `RefusedByPeer`       the peer has refused us: close
      `ProtocolViolation`   not Noise, or tampered with: close; `TooLarge` likewise
    """

    def __init__(
        self,
        initiator: bool,
        node_key: PrivateKey,
        static: bytes,
        ephemeral: bytes,
        genesis_hash: bytes,
        listen_port: int,
        moniker: str,
    ) -> None:
        """`static`, `ephemeral`: X25519 private keys of 32 bytes; the ephemeral one must be new for each link."""
        assert len(genesis_hash) == 32, "a genesis hash has 32 bytes"
        assert 0 <= listen_port <= 65_535, "a port has 16 bits"
        assert re.match(MONIKER_PATTERN, moniker), "a moniker has at most 40 characters: a-z 0-9 . -"
        self._noise = XXHandshake(initiator, static, ephemeral)
        signature = node_key.sign(_PROOF_TAG + self._noise.static_public)
        self._hello = Hello(PROTOCOL_VERSION, genesis_hash, node_key.public, signature, listen_port, moniker)
        self._peer: Hello | None = None
        self._greeting_due = not initiator

    @property
    def done(self) -> bool:
        """Whether `session` is available. The responder may still refuse an initiator that is done."""
        return self._noise.finished and self._peer is not None

    @property
    def peer(self) -> Hello:
        """The verified Hello: the peer owns its node key, and its chain and version are ours."""
        assert self._peer is not None, "the peer has not introduced itself yet"
        return self._peer

    def start(self) -> bytes | None:
        """The first message, if it is ours."""
        return self._noise.write_message(b"") if self._noise.initiator else None

    def receive(self, message: bytes) -> bytes | None:
        """Process a handshake message; returns the reply to send, if any."""
        assert not self.done, "the handshake is done"
        check_no_goodbye(message)
        if len(message) > HANDSHAKE_BYTES_MAX:
            raise TooLarge(f"a handshake message of {len(message)} bytes, at most {HANDSHAKE_BYTES_MAX} are allowed")
        payload = self._noise.read_message(message)
        if self._greeting_due:
            self._greeting_due = False
            if payload:
                raise ProtocolViolation("the first handshake message carries a payload")
            return self._noise.write_message(encode(self._hello))
        self._peer = self._checked(payload)
        return self._noise.write_message(encode(self._hello)) if self._noise.initiator else None

    def session(self) -> Session:
        """The encrypted link. Call once only."""
        assert self.done, "a link exists only after the handshake"
        return Session(*self._noise.split())

    def _checked(self, payload: bytes) -> Hello:
        try:
            hello = _decode_hello(payload)
        except Rejected as error:
            # A later version's Hello may have other fields but starts with the version: report that, not the format.
            version = _version_of(payload)
            if version is not None and version != PROTOCOL_VERSION:
                raise _other_version(version) from None
            raise MalformedHello(str(error)) from None
        if hello.protocol_version != PROTOCOL_VERSION:
            raise _other_version(hello.protocol_version)
        if hello.genesis_hash != self._hello.genesis_hash:
            ours, theirs = self._hello.genesis_hash.hex(), hello.genesis_hash.hex()
            raise OtherChain(f"another chain: the peer's genesis hash is {theirs[:16]}, ours is {ours[:16]}")
        if not is_signature(hello.node_key, _PROOF_TAG + self._noise.remote_static, hello.signature):
            raise BadProof(f"node key {hello.node_key.hex()} did not sign the key of this link")
        if hello.node_key == self._hello.node_key:
            raise OwnKey("connected to ourselves")
        return hello


def _version_of(payload: bytes) -> int | None:
    try:
        fields = _decode_fields.decode(payload)
        return _decode_version.decode(fields[0]) if fields else None
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def _other_version(version: int) -> OtherVersion:
    return OtherVersion(f"protocol version {version}, this node speaks {PROTOCOL_VERSION}")
