"""Certificates: what a file proves to somebody who has only the genesis document, and what it does not."""

from __future__ import annotations

import ast
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.chain import DAY_MS, HOUR_MS, address
from support.life import VIN, Life
from support.stages import at, force

import node.certificates
from node.certificates import subjects
from node.certificates.build import Certificates, CertificateUnavailable, packed
from node.certificates.canonical import InvalidCertificateFile, decode, encode, unpack
from node.certificates.compact import from_texts, to_texts, verify_compact
from node.certificates.roots import checkpoint_bytes, checkpoint_json, root_of_checkpoint, root_of_genesis
from node.certificates.verifier import ROOT_AGE_MAX_MS, Root, verify, witness_bytes
from node.codec import encode as encode_value
from node.crypto.signing import PrivateKey
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.sale.order import Order
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

WITNESS = PrivateKey(sha256(b"a witness").digest())
UNBORN = "WBA8E9G50GNU99999"


class Case:
    """A life whose head certificates are made of."""

    def __init__(self, life: Life) -> None:
        self.life, self.chain = life, life.chain
        self.makes = Certificates(self.chain.genesis, self.chain.store, self.chain.store.proof)
        self.root = root_of_genesis(self.chain.genesis)

    def raw(self, **forms: Any) -> bytes:
        found = self.makes.history(VIN, forms.pop("form_of", lambda _: "whole"), **forms)
        assert found is not None
        return found

    def elements(self) -> list[Any]:
        found: list[Any] = decode(self.raw(), "a certificate")
        return found

    def verdict(self, raw: bytes | list[Any] | None = None, **options: Any) -> dict[str, Any]:
        given = self.raw() if raw is None else raw if isinstance(raw, bytes) else encode_value(raw)
        now_ms = options.pop("now_ms", self.chain.now)
        return verify(packed(given), options.pop("root", self.root), now_ms, **options)

    def code(self, raw: bytes | list[Any] | None = None, **options: Any) -> str:
        with pytest.raises(InvalidCertificateFile) as caught:
            self.verdict(raw, **options)
        return caught.value.code


@pytest.fixture(scope="module")
def sold() -> Case:
    return Case(at("handed_over"))


def test_the_verifier_needs_nothing_of_the_project() -> None:
    folder = Path(node.certificates.__path__[0])
    for name in ("canonical", "subjects", "verifier", "compact"):
        tree = ast.parse((folder / f"{name}.py").read_text())
        imported = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert {m for m in imported if m.startswith("node")} <= {
            f"node.certificates.{each}" for each in ("canonical", "subjects", "verifier")
        }


def test_the_places_of_fields_are_those_of_the_state() -> None:
    for places, elements, kind in (
        (subjects.VEHICLE, subjects.VEHICLE_ELEMENTS, Vehicle), (subjects.ORDER, subjects.ORDER_ELEMENTS, Order),
    ):  # fmt: skip
        names = ("", *kind.__struct_fields__)
        assert elements == len(names)
        assert {name: names[place] for name, place in places.items()} == {name: name for name in places}


# --- what is proven -------------------------------------------------------------------------------------------------
def test_a_history_is_complete_for_what_was_submitted(sold: Case) -> None:
    found = sold.verdict()
    vehicle = sold.chain.state(VEHICLE, VIN)
    assert ("good", 0, VIN) == (found["status"], found["age_days"], found["vin"])
    assert "complete for what was submitted to this chain" in found["sentence"]
    assert list(range(vehicle.record_count)) == [entry["sequence"] for entry in found["records"]]
    assert found["records"][0]["kind"] == "vehicle.register" and found["records"][-1]["kind"] == "order.handover"
    assert address("buyer-1").hex() == found["vehicle"]["holder"]
    assert 3 * found["trust"]["signed_power"] > 2 * found["trust"]["total_power"]


def test_redacted_and_hidden_records_prove_the_same_history(sold: Case) -> None:
    forms = ("whole", "redacted", "hidden")
    found = sold.verdict(sold.raw(form_of=lambda sequence: forms[sequence % 3]))
    assert {"whole": 2, "redacted": 2, "hidden": 2} == found["counts"]
    redacted, hidden = found["records"][1], found["records"][2]
    assert "author" in redacted and "body" not in redacted
    assert {"sequence": 2, "form": "hidden"} == hidden
    assert "not shown in full" in found["sentence"]


def test_records_of_authors_that_were_revoked_for_fraud_are_marked() -> None:
    life = at("handed_over")
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address("dealer-munich"), "", 0),)))
    life.chain.produce()
    authors = {entry["author"]: entry["is_marked"] for entry in Case(life).verdict()["records"]}
    assert authors == {author: author == address("dealer-munich").hex() for author in authors}


def test_members_and_the_odometer_are_proven_on_request(sold: Case) -> None:
    raw = sold.raw(with_members=True, with_odometer=True)
    keys = [item[0] for item in decode(raw, "")[6]]
    assert {f"odometer/{VIN}", f"member/{address('bmw').hex()}", "frauds/all", f"vehicle/{VIN}"} <= set(keys)
    assert sold.verdict(raw)["status"] == "good"


def test_the_absence_of_a_car_is_proven(sold: Case) -> None:
    raw = sold.makes.absence(UNBORN)
    assert raw is not None and sold.makes.absence(VIN) is None
    found = sold.verdict(raw)
    assert (UNBORN, "absence") == (found["vin"], found["kind"]) and "No car" in found["sentence"]


def test_an_order_is_proven_with_its_payments(sold: Case) -> None:
    raw = sold.makes.order(sold.life.order)
    assert raw is not None and sold.makes.order(bytes(32)) is None
    found = sold.verdict(raw)
    assert ("completed", [sold.life.payment.hex()]) == (found["order_status"], found["payments"])
    elements = decode(raw, "")
    elements[6] = [item for item in elements[6] if not item[0].startswith("payment/")]
    assert "history_incomplete" == sold.code(elements)


# --- age ------------------------------------------------------------------------------------------------------------
def test_an_old_certificate_is_called_old(sold: Case) -> None:
    now = sold.chain.now
    assert "good" == sold.verdict(now_ms=now + 59 * DAY_MS)["status"]
    found = sold.verdict(now_ms=now + 61 * DAY_MS)
    assert ("old", 61) == (found["status"], found["age_days"])
    assert "too_old_for_purpose" == sold.code(now_ms=now + 31 * DAY_MS, age_max_ms=30 * DAY_MS)
    assert "not_followed" == sold.code(now_ms=now - 2 * HOUR_MS)


def test_an_old_root_needs_the_readers_word(sold: Case) -> None:
    now = sold.root.time_ms + ROOT_AGE_MAX_MS + DAY_MS
    assert "root_too_old" == sold.code(now_ms=now)
    assert "old" == sold.verdict(now_ms=now, accept_old_root=True)["status"]


# --- what is refused --------------------------------------------------------------------------------------------
def altered(place: int, value: Any) -> Any:
    def change_(case: Case) -> list[Any]:
        elements = case.elements()
        elements[place] = value(elements[place]) if callable(value) else value
        return elements

    return change_


def without_last_record(history: list[Any]) -> list[Any]:
    return [history[0], history[1][:-1]]


def swapped(history: list[Any]) -> list[Any]:
    first, second, *rest = history[1]
    return [history[0], [second, first, *rest]]


def other_digest(history: list[Any]) -> list[Any]:
    return [history[0], [*history[1][:-1], [0, bytes(32)]]]


def half_signed(point: list[Any]) -> list[Any]:
    return [point[0], point[1], [*point[2][:2], b"", b""], *point[3:]]


def false_signature(point: list[Any]) -> list[Any]:
    return [point[0], point[1], [bytes(64), *point[2][1:]], *point[3:]]


def other_value(items: list[Any]) -> list[Any]:
    return [items[0], [items[1][0], items[1][1] + b"\x00", items[1][2]]]


def swapped_items(items: list[Any]) -> list[Any]:
    return list(reversed(items))


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (0, "bmw-certificat", "certificate_malformed"), (1, 2, "certificate_malformed"),
        (2, "erasure", "certificate_malformed"), (3, bytes(32), "wrong_chain"),
        (5, half_signed, "quorum_missing"), (5, false_signature, "signature_wrong"),
        (6, other_value, "proof_wrong"), (6, swapped_items, "certificate_malformed"),
        (6, lambda items: items[1:], "history_incomplete"), (7, without_last_record, "history_incomplete"),
        (7, swapped, "history_incomplete"), (7, other_digest, "history_changed"), (7, None, "certificate_malformed"),
        (8, [[bytes(32), "full", 1, bytes(64)]], "signature_wrong"), (9, [bytes(32), 1, bytes(64)], "signature_wrong"),
    ],
)  # fmt: skip
def test_what_was_changed_is_refused(sold: Case, place: int, value: Any, code: str) -> None:
    assert code == sold.code(altered(place, value)(sold))


def test_a_header_of_another_validator_set_is_not_followed(sold: Case) -> None:
    validators = decode(sold.root.validators, "")
    other = encode_value([[address_, sha256(key).digest(), power] for address_, key, power in validators])
    root = Root(**{**sold.root.__dict__, "validators": other})
    assert "not_followed" == sold.code(root=root)


def test_no_byte_of_a_file_can_be_changed(sold: Case) -> None:
    """A short form of the run over 100,000 changes (docs/TESTING.md)."""
    chance, file = Random(12), packed(sold.raw())
    for _ in range(300):
        changed = bytearray(file)
        changed[chance.randrange(len(file))] ^= 1 << chance.randrange(8)
        with pytest.raises(InvalidCertificateFile):
            verify(bytes(changed), sold.root, sold.chain.now)


# --- witnesses, checkpoints -----------------------------------------------------------------------------------------
def test_witnesses_count_that_the_reader_names(sold: Case) -> None:
    elements = sold.elements()
    head = sold.chain.store.head()
    message = witness_bytes(sold.root.genesis_hash, "full", head.height, head.block_id, head.state_root, 7)
    elements[8] = [[WITNESS.public, "full", 7, WITNESS.sign(message)]]
    assert 0 == sold.verdict(elements)["trust"]["witnesses"]
    assert 1 == sold.verdict(elements, witnesses=(WITNESS.public,), witnesses_needed=1)["trust"]["witnesses"]
    assert "witness_missing" == sold.code(elements, witnesses=(bytes(32),), witnesses_needed=1)
    elements[8] *= 2
    assert "signature_wrong" == sold.code(elements, witnesses=(WITNESS.public,), witnesses_needed=1)


def test_a_checkpoint_is_a_root_like_genesis(sold: Case) -> None:
    key = PrivateKey(sha256(b"an auditor").digest())
    signature = key.sign(checkpoint_bytes(sold.root)).hex()
    text = checkpoint_json(sold.root, [{"name": "auditor-1", "key": key.public.hex(), "signature": signature}]).encode()
    assert sold.root == root_of_checkpoint(text, frozenset({key.public}), 1)
    for broken in (
        text.replace(b'"tree_depth": 6', b'"tree_depth": 7'), text.replace(b"checkpoint/1", b"checkpoint/2"),
        text[:-9], b"[]", text.replace(signature[:8].encode(), b"00000000"),
    ):  # fmt: skip
        with pytest.raises(InvalidCertificateFile):
            root_of_checkpoint(broken, frozenset({key.public}), 1)
    with pytest.raises(InvalidCertificateFile):
        root_of_checkpoint(text, frozenset({bytes(32)}), 1)


# --- the compact form -----------------------------------------------------------------------------------------------
def test_a_code_pins_the_cars_state_and_the_head_of_its_history(sold: Case) -> None:
    raw = sold.makes.compact(VIN)
    assert raw is not None and sold.makes.compact(UNBORN) is None
    (text,) = to_texts(raw)
    found, whole = verify_compact(from_texts([text]), sold.root, sold.chain.now), sold.verdict()
    assert whole["vehicle"] == found["vehicle"] and len(whole["records"]) == found["record_count"]
    assert whole["block_id"] == found["block_id"]


def test_codes_are_read_in_any_order_and_whole(sold: Case) -> None:
    raw = Random(1).randbytes(7_000)
    texts = to_texts(raw)
    assert 3 == len(texts) and raw == from_texts(texts[::-1])
    for broken in (texts[:2], [], ["BMW2:00"], [texts[0], texts[1], texts[2] + "a"], [texts[0][:-1], *texts[1:]]):
        with pytest.raises(InvalidCertificateFile):
            from_texts(broken)
    with pytest.raises(ValueError, match="do not fit"):
        to_texts(bytes(20_000))
    assert all(raw[:size] == from_texts(to_texts(raw[:size])) for size in range(6))


def test_no_byte_of_a_code_can_be_changed(sold: Case) -> None:
    raw, chance = sold.makes.compact(VIN), Random(13)
    assert raw is not None
    for _ in range(300):
        changed = bytearray(raw)
        changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        with pytest.raises(InvalidCertificateFile):
            verify_compact(bytes(changed), sold.root, sold.chain.now)


# --- where there is none --------------------------------------------------------------------------------------------
def test_before_the_first_block_there_is_no_certificate() -> None:
    with pytest.raises(CertificateUnavailable, match="no block yet"):
        Case(at("")).makes.absence(UNBORN)


# --- canonical MessagePack ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "raw",
    [
        b"\xcc\x7f",
        b"\xcd\x00\xff", b"\xce\x00\x00\xff\xff", b"\xcf" + bytes(4) + b"\xff" * 4, b"\xd0\xe0",
        b"\xd0\x01",
        b"\xd1\xff\x80", b"\xd9\x01a", b"\xda\x00\xffa", b"\xc5\x00\x01a", b"\xdc\x00\x01\x01", b"\xca" + bytes(4),
        b"\x80",
        b"\xc1", b"\xa1\xff", b"\x91", b"\x01\x01", b"", b"\x91" * 20 + b"\x01", b"\xdd\xff\xff\xff\xff",
    ],
    ids=bytes.hex,
)  # fmt: skip
def test_what_is_not_canonical_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidCertificateFile) as caught:
        decode(raw, "it")
    assert "certificate_malformed" == caught.value.code


def test_values_are_read_as_the_chain_writes_them() -> None:
    numbers = [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, -1, -32, -33, -128, -129, -(2**31)]
    value = [numbers, [b"", b"x" * 300, "", "ä" * 40, "y" * 70_000], [None, True, False], [list(range(20))] * 17]
    assert value == decode(encode_value(value), "it")
    short = ["precommit", 0, 127, 128, 70_000, 2**40, b"z" * 32]
    assert encode_value(short) == encode(short)
    assert unpack(packed(b"abc")) == b"abc"
