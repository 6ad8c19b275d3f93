"""Valid Ed25519 signatures: libsodium's strict rules, pinned by published edge cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.dev_keys import PURPOSES, dev_key, dev_seed
from node.crypto.signing import PrivateKey, is_signature, verify
from node.errors import BadSignature

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

# "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko; IACR ePrint 2020/1244), table 6: what is wrong with each,
# message, public key, signature. Implementations disagree about almost every one of them.
TAMING = [
    ("small order A and R", "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
     "0000000000000000000000000000000000000000000000000000000000000000"),
    ("small order A", "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("small order R", "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
     "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"),
    ("mixed order A and R, both equations hold", "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f"
     "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009"),
    ("only the cofactored equation holds", "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512"
     "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09"),
    ("cofactored, and 8h is reduced first", "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7"
     "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405"),
    ("S above the order", "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
     "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"),
    ("S far above the order", "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
     "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"),
    ("non-canonical R, hashed as it is", "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f"),
    ("non-canonical R, hashed reduced", "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908"),
    ("non-canonical A, hashed as it is", "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("non-canonical A, hashed reduced", "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
]  # fmt: skip
ACCEPTED = {"mixed order A and R, both equations hold"}

# y of the points of order 1, 2, 4, 8, 8 (ePrint 2020/1244, table 1), and the same above the prime where it fits.
SMALL_ORDER_Y = [
    1,
    PRIME - 1,
    0,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    PRIME,
    PRIME + 1,
]
SMALL_ORDER = [(y | sign << 255).to_bytes(32, "little") for y in SMALL_ORDER_Y for sign in (0, 1)]

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
     "5141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
     "0d291612bb0c00"),
]  # fmt: skip
KEY = PrivateKey(bytes(range(32)))
MESSAGE = b"a message"
SIGNATURE = KEY.sign(MESSAGE)


@pytest.mark.parametrize(("name", "message", "key", "signature"), TAMING, ids=[case[0] for case in TAMING])
def test_the_edge_cases_where_implementations_disagree(name: str, message: str, key: str, signature: str) -> None:
    given = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert (name in ACCEPTED) == is_signature(*given)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC8032)
def test_signing_is_rfc_8032s(seed: str, public: str, message: str, signature: str) -> None:
    key = PrivateKey(bytes.fromhex(seed))
    assert public == key.public.hex()
    assert signature == key.sign(bytes.fromhex(message)).hex()
    assert seed == key.seed().hex()
    verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))


@pytest.mark.parametrize("point", SMALL_ORDER, ids=lambda raw: raw.hex()[:8] + raw.hex()[-2:])
def test_points_of_small_order_are_neither_keys_nor_r(point: bytes) -> None:
    """With A of small order and S = 0, one signature would be valid for every eighth message."""
    zero = bytes(32)
    for number in range(16):
        message = b"message %d" % number
        for r in SMALL_ORDER:
            assert not is_signature(point, message, r + zero)
        assert not is_signature(KEY.public, message, point + zero)
        assert not is_signature(KEY.public, message, point + KEY.sign(message)[32:])


@pytest.mark.parametrize("times", [1, 2, 7])
def test_a_signature_cannot_be_bent_by_the_order(times: int) -> None:
    """S + L gives the same point: accepting it would let anybody change a transaction's wire id."""
    s = int.from_bytes(SIGNATURE[32:], "little") + times * ORDER
    assert not is_signature(KEY.public, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_every_flipped_bit_is_seen() -> None:
    assert is_signature(KEY.public, MESSAGE, SIGNATURE)
    for at in range(512):
        bent = bytearray(SIGNATURE)
        bent[at // 8] ^= 1 << at % 8
        assert not is_signature(KEY.public, MESSAGE, bytes(bent))
    for at in range(256):
        bent = bytearray(KEY.public)
        bent[at // 8] ^= 1 << at % 8
        assert not is_signature(bytes(bent), MESSAGE, SIGNATURE)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_anything_else_is_false_and_never_an_error(key: bytes, message: bytes, signature: bytes) -> None:
    assert not is_signature(key, message, signature)
    assert not is_signature(KEY.public, message, signature)
    assert not is_signature(key, MESSAGE, SIGNATURE)


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(0, 64), (31, 64), (33, 64), (32, 0), (32, 63), (32, 65)])
def test_wrong_lengths_are_refused(key_bytes: int, signature_bytes: int) -> None:
    key, signature = (KEY.public + b"\x00")[:key_bytes], (SIGNATURE + b"\x00")[:signature_bytes]
    assert not is_signature(key, MESSAGE, signature)
    with pytest.raises(BadSignature):
        verify(key, MESSAGE, signature)


def test_verify_names_the_key_and_printing_a_key_shows_no_secret() -> None:
    verify(KEY.public, MESSAGE, SIGNATURE)
    with pytest.raises(BadSignature, match=KEY.public.hex()):
        verify(KEY.public, MESSAGE + b"!", SIGNATURE)
    assert KEY.seed().hex() not in repr(KEY) and KEY.public.hex() in repr(KEY)


def test_development_keys_are_told_apart_by_purpose_and_name() -> None:
    names = ("bmw", "buyer-1", "dealer-munich")
    keys = {dev_key(purpose, name).public for purpose in PURPOSES for name in names}
    assert 9 == len(keys)
    with pytest.raises(AssertionError):
        dev_seed("payment", "bmw")


def test_a_signature_has_64_bytes_wherever_the_message_begins() -> None:
    """Concatenated with the message, a longer or shorter signature would verify for another message."""
    key, message = dev_key("account", "bmw"), b"what was signed"
    signature = key.sign(message)
    assert is_signature(key.public, message, signature)
    assert not is_signature(key.public, message[4:], signature + message[:4])
    assert not is_signature(key.public, signature[-1:] + message, signature[:-1])
    assert not is_signature(key.public, signature + message, b"")
