"""The light client believes what the validators decided, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.light import KEY, ChainSource, born, edit, liars, light_client, signatures_of, usurping

from node.chain.trust import genesis_trust
from node.crypto.state_tree import StateProof
from node.errors import InvalidCertificate, InvalidProof
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import StateAnswer
from wallet.light import LightClient


# --- what is true ---
def test_value_and_absence_are_proven(tmp_path: Path) -> None:
    source = ChainSource(born())
    light = light_client(source, tmp_path)
    value, header = light.verified_state(KEY)
    assert source.chain.store.state.get(KEY) == value
    assert source.chain.store.height() == header.height
    assert (None, header) == light.verified_state(VEHICLE.key("WBA8E9G50GNU99999"))
    assert [] == source.asked
    report = light.report()
    assert (0, source.chain.genesis_hash, 0) == (report.root_height, report.root_id, report.set_changes)


def test_the_newest_header_is_the_next_root(tmp_path: Path) -> None:
    source = ChainSource(born())
    light_client(source, tmp_path).verified_state(KEY)
    height = source.chain.store.height()
    source.chain.produce()
    later = light_client(source, tmp_path)
    assert height + 1 == later.verified_state(KEY)[1].height
    assert height == later.report().root_height


# --- forged proofs ---
def with_value(answer: StateAnswer) -> StateAnswer:
    assert answer.value is not None
    return changed(answer, value=answer.value[:-1] + bytes([answer.value[-1] ^ 1]))


def with_sibling(answer: StateAnswer) -> StateAnswer:
    others = answer.proof.siblings[1:]
    return changed(answer, proof=StateProof(answer.proof.entries, (bytes(31) + b"\x01", *others)))


@pytest.mark.parametrize(
    "tamper",
    [
        with_value,
        with_sibling,
        lambda answer: changed(answer, value=None),
        lambda answer: changed(answer, proof=StateProof(b"", answer.proof.siblings)),
        lambda answer: changed(answer, proof=StateProof(answer.proof.entries, answer.proof.siblings[:-1])),
        lambda answer: changed(answer, proof=StateProof(answer.proof.entries + b"\x00", answer.proof.siblings)),
        lambda answer: changed(answer, value=None, proof=StateProof(b"", (bytes(32),) * 6)),
    ],
)
def test_forged_proofs(tamper: Callable[[StateAnswer], StateAnswer], tmp_path: Path) -> None:
    with pytest.raises(InvalidProof):
        light_client(ChainSource(born(), tamper), tmp_path).verified_state(KEY)


# --- forged headers and certificates ---
def flip(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda a: edit(a, lambda h: replace(h, state_root=bytes(32))), "certificate is for another block"),
        (lambda a: edit(a, height=1), "certificate is for another block"),
        (lambda a: edit(a, signatures=(*signatures_of(a)[:2], b"", b"")), "not more than two thirds"),
        (lambda a: edit(a, signatures=(flip(signatures_of(a)[0]), *signatures_of(a)[1:])), "does not verify"),
        (lambda a: edit(a, signatures=signatures_of(a)[:3]), "3 signatures for 4 validators"),
        (lambda a: edit(a, round=1), "does not verify"),
    ],
)
def test_forged_certificates(tamper: Callable[[StateAnswer], StateAnswer], says: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidCertificate, match=says):
        light_client(ChainSource(born(), tamper), tmp_path).verified_state(KEY)
    assert not (tmp_path / "light.json").exists()


def test_three_of_four_signatures_are_enough(tmp_path: Path) -> None:
    source = ChainSource(born(), lambda a: edit(a, signatures=(b"", *signatures_of(a)[1:])))
    light_client(source, tmp_path).verified_state(KEY)


def test_a_set_of_strangers_decides_nothing(tmp_path: Path) -> None:
    source = usurping(born(), liars())
    with pytest.raises(InvalidCertificate, match="not decided by the set that height 0 names"):
        light_client(source, tmp_path).verified_state(KEY)


def test_naming_honest_validators_without_their_signatures_helps_nobody(tmp_path: Path) -> None:
    chain = born()
    source = usurping(chain, [*liars(), *genesis_trust(chain.genesis).validators.entries])
    with pytest.raises(InvalidCertificate):
        light_client(source, tmp_path).verified_state(KEY)


def test_honest_addresses_with_foreign_keys_help_nobody(tmp_path: Path) -> None:
    chain = born()
    honest = genesis_trust(chain.genesis).validators.entries
    source = usurping(
        chain, [replace(e, consensus_key=liar.consensus_key) for e, liar in zip(honest, liars(), strict=True)]
    )
    with pytest.raises(InvalidCertificate):
        light_client(source, tmp_path).verified_state(KEY)


def test_another_chain_is_not_this_one(tmp_path: Path) -> None:
    source = ChainSource(born())
    other = replace(source.chain.genesis, chain_id="another-chain")
    light = LightClient(other, tmp_path / "light.json", source, now_ms=lambda: source.chain.now)
    with pytest.raises(InvalidCertificate):
        light.verified_state(KEY)
