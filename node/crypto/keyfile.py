"""Key files as bytes: the caller does file access and randomness.

Two kinds, both JSON. Field order and white space are free; unknown and duplicate fields are rejected.

Sealed, for accounts (`seal_key`, `open_key`):

    {"version": 1, "name": "alice", "address": "bmw1...", "public_key": "<32>",
     "kdf": {"name": "scrypt", "n": 32768, "r": 8, "p": 3, "salt": "<32>"},
     "cipher": {"name": "chacha20-poly1305", "nonce": "<12>"}, "ciphertext": "<48>"}

    key        = scrypt(NFKD(passphrase) as UTF-8, salt, n, r, p), 32 bytes
    ciphertext = ChaCha20-Poly1305(key, nonce, seed, associated data), RFC 8439, the tag last

The associated data is `"bmw/keyfile" || 0x00 ||` the compact JSON array of every field before the ciphertext, in the
order above and flat, so that a changed header, swapped files or weakened parameters are detected.

Plain, for validators that must start unattended (`node_key_file`, `parse_node_key_file`), kept with mode 0600:

    {"version": 1, "type": "ed25519", "public_key": "<32>", "seed": "<32>"}

`<n>` is n bytes in lower-case hex.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from node.crypto.addresses import address_of, to_text
from node.crypto.signing import PrivateKey
from node.errors import Malformed, OperatorError, TooLarge

KEY_FILE_BYTES_MAX: Final = 64 * 1024
"""A key file has about 500 bytes. Above: `TooLarge`."""

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,39}\Z"
"""Also a valid file name on every system: no upper case, no separator, not hidden."""

SALT_BYTES: Final = 32
NONCE_BYTES: Final = 12

SCRYPT_N: Final = 2**15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 3
"""32 MiB and about a quarter of a second: OWASP's Password Storage Cheat Sheet, N = 2^15 with r = 8, p = 3."""

SCRYPT_N_MAX: Final = 2**20
SCRYPT_R_MAX: Final = 32
SCRYPT_P_MAX: Final = 16
SCRYPT_BYTES_MAX: Final = 2**30
"""scrypt takes 128 * n * r bytes, which the limits of n and r alone would allow to reach 4 GiB. Above: `Malformed`."""

_Hex12 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{24}\Z")]
_Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex48 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{96}\Z")]
_Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]


class WrongPassphrase(OperatorError):
    """The passphrase is wrong, or ciphertext or header were changed: these can't be told apart."""


class _Kdf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["scrypt"]
    n: Annotated[int, msgspec.Meta(ge=2, le=SCRYPT_N_MAX)]
    r: Annotated[int, msgspec.Meta(ge=1, le=SCRYPT_R_MAX)]
    p: Annotated[int, msgspec.Meta(ge=1, le=SCRYPT_P_MAX)]
    salt: _Hex32


class _Cipher(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["chacha20-poly1305"]
    nonce: _Hex12


class _SealedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    name: _Name
    address: str
    public_key: _Hex32
    kdf: _Kdf
    cipher: _Cipher
    ciphertext: _Hex48


class _NodeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    type: Literal["ed25519"]
    public_key: _Hex32
    seed: _Hex32


_File = TypeVar("_File", _SealedKey, _NodeKey)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Unencrypted header of a sealed key file: name, address (20 bytes) and public key (32 bytes).

    The address is that of an account opened with this key; a key added by rotation acts for another address.
    """

    name: str
    address: bytes
    public_key: bytes


def is_key_name(name: str) -> bool:
    return re.match(NAME_PATTERN, name) is not None


def seal_key(key: PrivateKey, name: str, passphrase: str, salt: bytes, nonce: bytes, n: int = SCRYPT_N) -> bytes:
    """The sealed file. `salt` (32 bytes) and `nonce` (12 bytes) must be fresh and random; `n` is a power of two."""
    assert is_key_name(name), "the caller has checked the name"
    assert len(salt) == SALT_BYTES, f"the salt has {SALT_BYTES} bytes"
    assert len(nonce) == NONCE_BYTES, f"the nonce has {NONCE_BYTES} bytes"
    assert 2 <= n <= SCRYPT_N_MAX, "a file with such parameters would not open"
    assert n & (n - 1) == 0, "scrypt's n is a power of two"
    kdf = _Kdf("scrypt", n, SCRYPT_R, SCRYPT_P, salt.hex())
    cipher = _Cipher("chacha20-poly1305", nonce.hex())
    header = _SealedKey(1, name, to_text(address_of(key.public)), key.public.hex(), kdf, cipher, "")
    sealed = ChaCha20Poly1305(_derive(passphrase, kdf)).encrypt(nonce, key.seed(), _associated_data(header))
    return _text_of(msgspec.structs.replace(header, ciphertext=sealed.hex()))


def open_key(data: bytes, passphrase: str) -> PrivateKey:
    """Raises `TooLarge`, `Malformed` naming the field, or `WrongPassphrase`."""
    file = _parse_sealed(data)
    aead = ChaCha20Poly1305(_derive(passphrase, file.kdf))
    try:
        seed = aead.decrypt(bytes.fromhex(file.cipher.nonce), bytes.fromhex(file.ciphertext), _associated_data(file))
    except InvalidTag:
        raise WrongPassphrase(
            f"the passphrase does not open the key {file.name}: try again, "
            "or if you are sure of it, restore the file from a backup or from its 24 words"
        ) from None
    key = PrivateKey(seed)
    if key.public.hex() != file.public_key:
        raise Malformed("key file: the sealed seed is not that of the public key - at `$.public_key`")
    return key


def key_info(data: bytes) -> KeyInfo:
    """The header of a sealed file, unauthenticated, as that needs the passphrase. Raises as `open_key` does."""
    file = _parse_sealed(data)
    public_key = bytes.fromhex(file.public_key)
    return KeyInfo(file.name, address_of(public_key), public_key)


def node_key_file(key: PrivateKey) -> bytes:
    """The plain file, unencrypted: the caller writes it with mode 0600."""
    return _text_of(_NodeKey(1, "ed25519", key.public.hex(), key.seed().hex()))


def parse_node_key_file(data: bytes) -> PrivateKey:
    """The key of a plain file. Raises `TooLarge`, or `Malformed` naming the field."""
    file = _parse(data, _NodeKey, "node key file")
    key = PrivateKey(bytes.fromhex(file.seed))
    if key.public.hex() != file.public_key:
        raise Malformed("node key file: the seed is not that of the public key - at `$.public_key`")
    return key


def _parse_sealed(data: bytes) -> _SealedKey:
    file = _parse(data, _SealedKey, "key file")
    if file.address != to_text(address_of(bytes.fromhex(file.public_key))):
        raise Malformed("key file: the address is not that of the public key - at `$.address`")
    n, r = file.kdf.n, file.kdf.r
    if n & (n - 1):
        raise Malformed("key file: scrypt needs a power of two - at `$.kdf.n`")
    if n >= 2 ** (16 * r):  # RFC 7914, section 6
        raise Malformed(f"key file: scrypt allows no such n with r = {r} - at `$.kdf.n`")
    if 128 * n * r > SCRYPT_BYTES_MAX:
        raise Malformed(f"key file: n and r ask for {128 * n * r >> 20} MiB, at most 1024 are allowed - at `$.kdf`")
    return file


def _parse(data: bytes, kind: type[_File], what: str) -> _File:
    if len(data) > KEY_FILE_BYTES_MAX:
        raise TooLarge(f"{what}: more than {KEY_FILE_BYTES_MAX} bytes")
    try:
        return msgspec.convert(json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates), kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        # The messages of json and Unicode errors give positions but never the text, which may be a secret.
        raise Malformed(f"{what}: {str(error)[:200]}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(field for i, (field, _) in enumerate(pairs) if field in dict(pairs[:i]))
        raise ValueError(f"the field `{twice}` occurs twice")
    return fields


def _text_of(file: _SealedKey | _NodeKey) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def _associated_data(file: _SealedKey) -> bytes:
    kdf, cipher = file.kdf, file.cipher
    header = [file.version, file.name, file.address, file.public_key]
    header += [kdf.name, kdf.n, kdf.r, kdf.p, kdf.salt, cipher.name, cipher.nonce]
    return b"bmw/keyfile\x00" + msgspec.json.encode(header)


def _derive(passphrase: str, kdf: _Kdf) -> bytes:
    # NFKD as in BIP 39: systems encode the same typed umlaut as different code points.
    secret = unicodedata.normalize("NFKD", passphrase).encode("utf-8", "surrogatepass")
    try:
        return Scrypt(salt=bytes.fromhex(kdf.salt), length=32, n=kdf.n, r=kdf.r, p=kdf.p).derive(secret)
    except MemoryError:
        raise OperatorError(
            f"this key file needs {128 * kdf.n * kdf.r >> 20} MiB of memory to open: free some, or use a larger machine"
        ) from None
