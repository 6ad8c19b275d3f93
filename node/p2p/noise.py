"""Noise_XX_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34), tested against published vectors.

    -> e
    <- e, ee, s, es
    -> s, se

Pure: the private keys are arguments of 32 bytes; an ephemeral key must never be used twice.
After an exception the handshake has failed, and calling it again is an assertion error.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.errors import ProtocolViolation

PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
MESSAGE_BYTES_MAX: Final = 65_535
"""Any Noise message, handshake or transport, tag included (section 3)."""
KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
NONCE_RESERVED: Final = 2**64 - 1
"""Never a message's nonce: section 4.2 reserves it for rekeying."""

_MESSAGES: Final = (("e",), ("e", "ee", "s", "es"), ("s", "se"))


class CipherState:
    """Key and nonce of one direction (section 5.1)."""

    __slots__ = ("_aead", "nonce")

    def __init__(self, key: bytes, nonce: int = 0) -> None:
        assert 0 <= nonce <= NONCE_RESERVED, "a nonce has 64 bits"
        self._aead = ChaCha20Poly1305(key)
        self.nonce = nonce

    def encrypt(self, plaintext: bytes | memoryview, ad: bytes = b"") -> bytes:
        """The ciphertext with its tag of 16 bytes. Raises `ProtocolViolation` when the nonces are exhausted."""
        sealed = self._aead.encrypt(self._nonce_bytes(), plaintext, ad)
        self.nonce += 1
        return sealed

    def decrypt(self, ciphertext: bytes | memoryview, ad: bytes = b"") -> bytes:
        """The plaintext. Raises `ProtocolViolation`, and keeps the nonce, if the tag is wrong."""
        nonce = self._nonce_bytes()
        try:
            plaintext = self._aead.decrypt(nonce, ciphertext, ad)
        except InvalidTag:
            raise ProtocolViolation("a message does not authenticate") from None
        self.nonce += 1
        return plaintext

    def _nonce_bytes(self) -> bytes:
        if self.nonce >= NONCE_RESERVED:
            raise ProtocolViolation("the link has used every nonce")
        return _nonce_bytes(self.nonce)


class SymmetricState:
    """Chaining key, handshake hash and, after the first DH, a cipher (section 5.2)."""

    __slots__ = ("_chaining_key", "_cipher", "hash")

    def __init__(self, prologue: bytes) -> None:
        # The protocol name has exactly HASHLEN bytes, so it is the initial hash itself.
        self.hash = PROTOCOL_NAME
        self._chaining_key = PROTOCOL_NAME
        self._cipher: CipherState | None = None
        self.mix_hash(prologue)

    @property
    def tag_bytes(self) -> int:
        """Bytes that `encrypt_and_hash` adds: 0 before the first DH."""
        return TAG_BYTES if self._cipher is not None else 0

    def mix_hash(self, data: bytes) -> None:
        self.hash = sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self._chaining_key, key = _two_keys(self._chaining_key, secret)
        self._cipher = CipherState(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        sealed = self._cipher.encrypt(plaintext, self.hash) if self._cipher is not None else plaintext
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, sealed: bytes) -> bytes:
        plaintext = self._cipher.decrypt(sealed, self.hash) if self._cipher is not None else sealed
        self.mix_hash(sealed)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """The two transport ciphers: (initiator to responder, responder to initiator)."""
        first, second = _two_keys(self._chaining_key, b"")
        return CipherState(first), CipherState(second)


class XXHandshake:
    """One side of the XX pattern: write and read alternately, the initiator first."""

    def __init__(self, initiator: bool, static: bytes, ephemeral: bytes, prologue: bytes = b"") -> None:
        """`static`, `ephemeral`: X25519 private keys of 32 bytes."""
        assert static != ephemeral, "the ephemeral key must be a fresh one"
        self.initiator = initiator
        self._static = X25519PrivateKey.from_private_bytes(static)
        self._ephemeral = X25519PrivateKey.from_private_bytes(ephemeral)
        self.static_public: bytes = self._static.public_key().public_bytes_raw()
        self._remote_static: bytes | None = None
        self._remote_ephemeral: bytes | None = None
        self._symmetric = SymmetricState(prologue)
        self._index = 0
        self._broken = False
        self._has_split = False

    @property
    def finished(self) -> bool:
        return self._index == len(_MESSAGES)

    @property
    def remote_static(self) -> bytes:
        """The peer's static public key, 32 bytes."""
        assert self._remote_static is not None, "the peer has not sent its static key yet"
        return self._remote_static

    def write_message(self, payload: bytes) -> bytes:
        self._check_turn(writing=True)
        self._broken = True  # until this message is whole
        parts: list[bytes] = []
        for token in _MESSAGES[self._index]:
            if token == "e":
                public = self._ephemeral.public_key().public_bytes_raw()
                self._symmetric.mix_hash(public)
                parts.append(public)
            elif token == "s":
                parts.append(self._symmetric.encrypt_and_hash(self.static_public))
            else:
                self._mix_exchange(token)
        parts.append(self._symmetric.encrypt_and_hash(payload))
        message = b"".join(parts)
        assert len(message) <= MESSAGE_BYTES_MAX, "a handshake payload must leave the message below 64 kB"
        self._index += 1
        self._broken = False
        return message

    def read_message(self, message: bytes) -> bytes:
        """The payload. Raises `ProtocolViolation` for a wrong size, a low-order key or a wrong tag."""
        self._check_turn(writing=False)
        self._broken = True  # until this message is accepted
        if len(message) > MESSAGE_BYTES_MAX:
            raise ProtocolViolation(f"a handshake message of {len(message)} bytes")
        at = 0
        for token in _MESSAGES[self._index]:
            if token == "e":
                self._remote_ephemeral = _field(message, at, KEY_BYTES)
                self._symmetric.mix_hash(self._remote_ephemeral)
                at += KEY_BYTES
            elif token == "s":
                size = KEY_BYTES + self._symmetric.tag_bytes
                self._remote_static = self._symmetric.decrypt_and_hash(_field(message, at, size))
                at += size
            else:
                self._mix_exchange(token)
        rest = max(self._symmetric.tag_bytes, len(message) - at)
        payload = self._symmetric.decrypt_and_hash(_field(message, at, rest))
        self._index += 1
        self._broken = False
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """The transport ciphers (send, receive). Call once only: a second pair would reuse every nonce."""
        assert self.finished, "keys exist only after the last message"
        assert not self._has_split, "the keys of a link were taken already"
        self._has_split = True
        first, second = self._symmetric.split()
        return (first, second) if self.initiator else (second, first)

    def _check_turn(self, writing: bool) -> None:
        assert not self._broken, "this handshake has failed"
        assert not self.finished, "the handshake is finished"
        ours = (self._index % 2 == 0) == self.initiator
        assert ours == writing, "it is our turn to write" if ours else "it is our turn to read"

    def _mix_exchange(self, token: str) -> None:
        """`ee`, `es` or `se`: the first letter is the initiator's key, the second the responder's."""
        mine, theirs = (token[0], token[1]) if self.initiator else (token[1], token[0])
        private = self._ephemeral if mine == "e" else self._static
        public = self._remote_ephemeral if theirs == "e" else self._remote_static
        assert public is not None, "the pattern exchanges no key before it is sent"
        try:
            secret = private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            # RFC 7748, section 6.1: a low-order point makes the shared secret zero, whatever our key is.
            raise ProtocolViolation("a public key of low order") from None
        self._symmetric.mix_key(secret)


def _field(message: bytes, at: int, size: int) -> bytes:
    if len(message) < at + size:
        raise ProtocolViolation(f"a handshake message of {len(message)} bytes is too short")
    return message[at : at + size]


def _two_keys(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """HKDF with two outputs (section 4.3): RFC 5869 without `info`."""
    both = HKDF(algorithm=SHA256(), length=2 * KEY_BYTES, salt=chaining_key, info=b"").derive(secret)
    return both[:KEY_BYTES], both[KEY_BYTES:]


def _nonce_bytes(nonce: int) -> bytes:
    """96 bits: 32 zero bits, then the nonce in little-endian order (section 12.3)."""
    return bytes(4) + nonce.to_bytes(8, "little")
