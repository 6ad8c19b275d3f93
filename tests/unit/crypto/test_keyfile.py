"""Key files: round trip, and rejection of everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import scrypt, sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key, dev_seed
from node.crypto.keyfile import (
    KEY_FILE_BYTES_MAX,
    SCRYPT_N_MAX,
    WrongPassphrase,
    is_key_name,
    key_info,
    node_key_file,
    open_key,
    parse_node_key_file,
    seal_key,
)
from node.crypto.signing import PrivateKey
from node.errors import Malformed, OperatorError, Rejected, TooLarge

KEY = dev_key("account", "buyer-1")
SALT = bytes(range(32))
NONCE = bytes(range(12))
PASSPHRASE = "correct horse"
SEALED = seal_key(KEY, "alice", PASSPHRASE, SALT, NONCE, n=2)
PLAIN = node_key_file(KEY)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = json.loads(data)
    change(fields)
    return json.dumps(fields).encode()


def set_at(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            fields = fields[parent]
        fields[last] = value

    return change


def test_development_seed_is_the_documented_hash() -> None:
    assert sha256(b"bmw-dev/consensus/bmw").digest() == dev_seed("consensus", "bmw")
    assert PrivateKey(dev_seed("node", "bmw")).public == dev_key("node", "bmw").public
    assert len({dev_seed(purpose, "bmw") for purpose in ("consensus", "node", "account")}) == 3
    with pytest.raises(AssertionError):
        dev_seed("validator", "bmw")


def test_sealed_key_opens_with_its_passphrase_only() -> None:
    assert KEY.seed() == open_key(SEALED, PASSPHRASE).seed()
    for wrong in ("", "correct hors", "correct horse ", "Correct horse"):
        with pytest.raises(WrongPassphrase, match="alice"):
            open_key(SEALED, wrong)


def test_header_reads_without_the_passphrase() -> None:
    info = key_info(SEALED)

    assert ("alice", address_of(KEY.public), KEY.public) == (info.name, info.address, info.public_key)


def test_seed_is_nowhere_in_the_sealed_file() -> None:
    assert KEY.seed().hex().encode() not in SEALED


def test_file_can_be_opened_by_the_documented_recipe() -> None:
    """An independent implementation of the module's docstring, with hashlib's scrypt."""
    fields = json.loads(SEALED)
    kdf, cipher = fields["kdf"], fields["cipher"]
    secret = scrypt(b"correct horse", salt=SALT, n=2, r=8, p=3, dklen=32)
    header = [1, "alice", to_text(address_of(KEY.public)), KEY.public.hex()]
    header += ["scrypt", 2, 8, 3, SALT.hex(), "chacha20-poly1305", NONCE.hex()]
    associated = b"bmw/keyfile\x00" + json.dumps(header, separators=(",", ":")).encode()

    assert {"name": "scrypt", "n": 2, "r": 8, "p": 3, "salt": SALT.hex()} == kdf
    assert {"name": "chacha20-poly1305", "nonce": NONCE.hex()} == cipher
    assert KEY.seed() == ChaCha20Poly1305(secret).decrypt(NONCE, bytes.fromhex(fields["ciphertext"]), associated)


def test_default_parameters_open() -> None:
    sealed = seal_key(KEY, "alice", PASSPHRASE, SALT, NONCE)

    assert json.loads(sealed)["kdf"]["n"] == 2**15
    assert KEY.seed() == open_key(sealed, PASSPHRASE).seed()


def test_both_forms_of_an_umlaut_are_one_passphrase() -> None:
    sealed = seal_key(KEY, "alice", "sch\u00f6nes Auto", SALT, NONCE, n=2)

    assert KEY.seed() == open_key(sealed, "scho\u0308nes Auto").seed()
    assert KEY.seed() == open_key(sealed, "scho\u0308nes \uff21uto").seed()  # full width, as some keyboards type


def test_any_flipped_bit_of_the_file_is_detected() -> None:
    for place in range(len(SEALED)):
        for bit in range(8):
            flipped = bytearray(SEALED)
            flipped[place] ^= 1 << bit
            with pytest.raises((Malformed, WrongPassphrase)):
                open_key(bytes(flipped), PASSPHRASE)


def test_any_changed_byte_of_the_ciphertext_is_detected() -> None:
    ciphertext = bytes.fromhex(json.loads(SEALED)["ciphertext"])
    for place in range(len(ciphertext)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(ciphertext)
            flipped[place] ^= mask
            with pytest.raises(WrongPassphrase):
                open_key(changed(SEALED, set_at("ciphertext", flipped.hex())), PASSPHRASE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "bob"),
        ("kdf.n", 4),
        ("kdf.r", 9),
        ("kdf.p", 1),
        ("kdf.salt", "00" * 32),
        ("cipher.nonce", "00" * 12),
    ],
)
def test_valid_but_other_header_is_detected(path: str, value: object) -> None:
    with pytest.raises(WrongPassphrase):
        open_key(changed(SEALED, set_at(path, value)), PASSPHRASE)


def test_ciphertext_of_another_key_under_this_header_is_detected() -> None:
    other = json.loads(seal_key(dev_key("account", "bank-1"), "alice", PASSPHRASE, SALT, NONCE, n=2))
    with pytest.raises(WrongPassphrase):
        open_key(changed(SEALED, set_at("ciphertext", other["ciphertext"])), PASSPHRASE)


def test_other_public_key_with_its_address_is_detected() -> None:
    other = dev_key("account", "bank-1").public
    fields = {"public_key": other.hex(), "address": to_text(address_of(other))}
    with pytest.raises(WrongPassphrase):
        open_key(changed(SEALED, lambda file: file.update(fields)), PASSPHRASE)


@pytest.mark.parametrize("parse", [lambda data: open_key(data, PASSPHRASE), key_info])
def test_truncated_sealed_file_is_malformed(parse: Callable[[bytes], object]) -> None:
    whole = SEALED.rstrip()
    for length in range(len(whole)):
        with pytest.raises(Malformed):
            parse(whole[:length])


def test_a_seed_of_another_key_is_refused_even_where_it_was_sealed_with_this_header() -> None:
    other = dev_key("account", "other")
    file = json.loads(seal_key(KEY, "alice", PASSPHRASE, bytes(32), bytes(12), n=2))
    kdf, cipher = file["kdf"], file["cipher"]
    header = [file["version"], file["name"], file["address"], file["public_key"], *kdf.values(), *cipher.values()]
    secret = scrypt(PASSPHRASE.encode(), salt=bytes(32), n=2, r=kdf["r"], p=kdf["p"], dklen=32)
    associated = b"bmw/keyfile\x00" + json.dumps(header, separators=(",", ":")).encode()
    file["ciphertext"] = ChaCha20Poly1305(secret).encrypt(bytes(12), other.seed(), associated).hex()
    with pytest.raises(Malformed, match="not that of the public key"):
        open_key(json.dumps(file).encode(), PASSPHRASE)


def test_truncated_node_key_file_is_malformed() -> None:
    whole = PLAIN.rstrip()
    for length in range(len(whole)):
        with pytest.raises(Malformed):
            parse_node_key_file(whole[:length])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kdf.n", SCRYPT_N_MAX * 2),
        ("kdf.n", 2**64),
        ("kdf.n", 10**400),
        ("kdf.n", 3),
        ("kdf.n", 1),
        ("kdf.n", 0),
        ("kdf.n", -2),
        ("kdf.n", True),
        ("kdf.n", "2"),
        ("kdf.n", 2.5),
        ("kdf.n", None),
        ("kdf.r", 33),
        ("kdf.r", 0),
        ("kdf.p", 17),
        ("kdf.p", 0),
        ("kdf.name", "pbkdf2"),
        ("kdf.salt", ""),
        ("kdf.salt", "00" * 31),
        ("kdf.salt", "00" * 32 + "\n"),
        ("cipher.name", "none"),
        ("cipher.nonce", "00" * 11),
        ("cipher.extra", 1),
        ("version", 2),
        ("name", "../alice"),
        ("name", "alice\n"),
        ("address", "bmw1" + "q" * 38),
        ("address", 1),
        ("public_key", "AB" * 32),
        ("public_key", "00" * 32),
        ("ciphertext", "00" * 16),
        ("extra", 1),
    ],
)
def test_bad_field_is_malformed_and_named(path: str, value: object) -> None:
    with pytest.raises(Malformed) as caught:
        open_key(changed(SEALED, set_at(path, value)), PASSPHRASE)

    named = "address" if (path, value) == ("public_key", "00" * 32) else path.split(".")[-1]
    assert named in str(caught.value)


@pytest.mark.parametrize("path", ["version", "name", "address", "public_key", "kdf", "kdf.n", "cipher", "ciphertext"])
def test_missing_field_is_malformed_and_named(path: str) -> None:
    def drop(fields: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            fields = fields[parent]
        del fields[last]

    with pytest.raises(Malformed, match=path.split(".")[-1]):
        open_key(changed(SEALED, drop), PASSPHRASE)


def test_hostile_product_of_allowed_parameters_is_refused() -> None:
    """Each is within its limit, but together they need 4 GiB."""
    hostile = changed(SEALED, lambda file: file["kdf"].update(n=SCRYPT_N_MAX, r=32, p=16))
    with pytest.raises(Malformed, match=r"4096 MiB.*kdf"):
        open_key(hostile, PASSPHRASE)
    with pytest.raises(Malformed, match=r"kdf\.n"):
        open_key(changed(SEALED, lambda file: file["kdf"].update(n=2**16, r=1)), PASSPHRASE)


@pytest.mark.parametrize("parse", [key_info, parse_node_key_file])
@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"1", b"NaN", b"{}", b"\xff\xfe{}", b"\x80", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 5_000],
)
def test_anything_else_is_malformed(parse: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize("parse", [key_info, parse_node_key_file])
def test_large_file_is_refused_before_it_is_parsed(parse: Callable[[bytes], object]) -> None:
    with pytest.raises(TooLarge):
        parse(b" " * (KEY_FILE_BYTES_MAX + 1))
    assert key_info(SEALED + b" " * (KEY_FILE_BYTES_MAX - len(SEALED))) == key_info(SEALED)


def test_duplicate_field_is_malformed_and_named() -> None:
    with pytest.raises(Malformed, match="`version` occurs twice"):
        open_key(SEALED.replace(b"{", b'{"version": 1,', 1), PASSPHRASE)
    with pytest.raises(Malformed, match="`seed` occurs twice"):
        parse_node_key_file(PLAIN.replace(b"{", b'{"seed": "",', 1))


def test_reformatted_file_opens() -> None:
    """An editor or mail program that changes line ends or field order must not make a key unusable."""
    assert KEY.seed() == open_key(SEALED.replace(b"\n", b"\r\n"), PASSPHRASE).seed()
    assert KEY.seed() == open_key(json.dumps(json.loads(SEALED), sort_keys=True).encode(), PASSPHRASE).seed()


def test_wrong_passphrase_is_the_operators_and_a_broken_file_the_senders() -> None:
    assert issubclass(WrongPassphrase, OperatorError)
    assert not issubclass(WrongPassphrase, Rejected)


@pytest.mark.parametrize("name", ["a", "0", "alice", "a.b_c-d", "a" * 40])
def test_key_name(name: str) -> None:
    assert is_key_name(name)
    assert key_info(seal_key(KEY, name, PASSPHRASE, SALT, NONCE, n=2)).name == name


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "-a", "_a", "A", "a/b", "a b", "a\n", "ä", "a" * 41, "a\x00"])
def test_no_key_name(name: str) -> None:
    assert not is_key_name(name)
    with pytest.raises(AssertionError):
        seal_key(KEY, name, PASSPHRASE, SALT, NONCE, n=2)


def test_node_key_file_round_trip() -> None:
    assert KEY.seed() == parse_node_key_file(PLAIN).seed()
    assert {
        "version": 1,
        "type": "ed25519",
        "public_key": KEY.public.hex(),
        "seed": KEY.seed().hex(),
    } == json.loads(PLAIN)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("type", "secp256k1"),
        ("public_key", "00" * 31),
        ("public_key", "00" * 32),
        ("seed", "00" * 33),
        ("seed", KEY.seed().hex() + "\n"),
        ("extra", 1),
    ],
)
def test_bad_field_of_a_node_key_file_is_malformed_and_named(path: str, value: object) -> None:
    with pytest.raises(Malformed, match=path) as caught:
        parse_node_key_file(changed(PLAIN, set_at(path, value)))
    assert KEY.seed().hex() not in str(caught.value)


def test_any_flipped_bit_of_a_node_key_file_is_detected_and_no_error_shows_the_seed() -> None:
    for place in range(len(PLAIN)):
        for bit in range(8):
            flipped = bytearray(PLAIN)
            flipped[place] ^= 1 << bit
            with pytest.raises(Malformed) as caught:
                parse_node_key_file(bytes(flipped))
            assert KEY.seed().hex()[:16] not in str(caught.value)
            assert KEY.seed().hex()[-16:] not in str(caught.value)
