"""The light client believes what the validators decided, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.life import VIN, maintenance
from support.light import (
    KEY,
    ChainSource,
    born,
    edit,
    liars,
    light_client,
    set_power,
    signatures_of,
    usurping,
    verified,
    with_entry,
)

from node import limits
from node.chain.block import Block, Committed
from node.chain.trust import genesis_trust
from node.crypto.state_tree import StateProof
from node.errors import InvalidCertificate, InvalidProof, Malformed, OperatorError, Rejected
from node.ledger.family import AsOf, Reader
from node.storage.chain_store import ChainStore
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import StateAnswer
from wallet.light import ANCESTORS_MAX, LightClient


# --- what is true ---
def test_value_and_absence_are_proven(tmp_path: Path) -> None:
    source = ChainSource(born())
    light = light_client(source, tmp_path)
    value, header = verified(light)
    assert source.chain.store.state.get(KEY) == value
    assert source.chain.store.height() == header.height
    assert (None, header) == verified(light, VEHICLE.key("WBA8E9G50GNU99999"))
    assert [] == source.asked
    report = light.report()
    assert (0, source.chain.genesis_hash, 0) == (report.root_height, report.root_id, report.set_changes)


def test_the_newest_header_is_the_next_root(tmp_path: Path) -> None:
    source = ChainSource(born())
    verified(light_client(source, tmp_path))
    height = source.chain.store.height()
    source.chain.produce()
    later = light_client(source, tmp_path)
    assert height + 1 == verified(later)[1].height
    assert height == later.report().root_height


# --- many keys ---
@dataclass
class Strict(ChainSource):
    """A node that answers as many keys as any does, on a chain that makes a block after each of the next answers."""

    blocks: int = 0
    sizes: list[int] = field(default_factory=list)

    def states(self, keys: Sequence[bytes], height: int = 0) -> StateAnswer:
        assert len(keys) <= limits.RPC_KEYS_MAX
        self.sizes.append(len(keys))
        answer = super().states(keys)
        if self.blocks:
            self.blocks -= 1
            self.chain.produce()
        return answer


MANY = [VEHICLE.key(f"WBA8E9G50GNU{number:05}") for number in range(2 * limits.RPC_KEYS_MAX)]


def shown(reader: Reader, as_of: AsOf) -> tuple[bool, int, int]:
    """What all keys say, and one that was not known beforehand."""
    found = sum(reader.get(VEHICLE, key.decode().partition("/")[2]) is not None for key in MANY)
    return reader.get(VEHICLE, VIN) is not None, found, as_of.now_ms


def test_more_keys_than_a_node_answers_at_once_are_asked_in_portions(tmp_path: Path) -> None:
    source = Strict(born())
    found = light_client(source, tmp_path).verified_view(shown, MANY)
    assert (True, 0, source.chain.store.head().time_ms) == found
    assert [100, 100, 1, 1] == source.sizes, "and a key that is found to lack alone"


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_what_is_shown_is_of_one_height(tmp_path: Path, blocks: int) -> None:
    """Though blocks are made while the portions are asked for."""
    source = Strict(born(), blocks=blocks)
    found = light_client(source, tmp_path).verified_view(shown, MANY)
    assert (True, 0, source.chain.store.head().time_ms) == found


def test_a_chain_that_is_too_fast_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="blocks are made faster"):
        light_client(Strict(born(), blocks=1_000), tmp_path).verified_view(shown, MANY)


# --- forged proofs ---
def with_value(answer: StateAnswer) -> StateAnswer:
    value = answer.entries[0].value
    assert value is not None
    return with_entry(answer, value=value[:-1] + bytes([value[-1] ^ 1]))


def proof_of(answer: StateAnswer) -> StateProof:
    return answer.entries[0].proof


def with_sibling(answer: StateAnswer) -> StateAnswer:
    proof = proof_of(answer)
    return with_entry(answer, proof=StateProof(proof.entries, (bytes(31) + b"\x01", *proof.siblings[1:])))


@pytest.mark.parametrize(
    "tamper",
    [
        with_value,
        with_sibling,
        lambda answer: with_entry(answer, value=None),
        lambda answer: with_entry(answer, proof=StateProof(b"", proof_of(answer).siblings)),
        lambda answer: with_entry(answer, proof=StateProof(proof_of(answer).entries, proof_of(answer).siblings[:-1])),
        lambda answer: with_entry(
            answer, proof=StateProof(proof_of(answer).entries + b"\x00", proof_of(answer).siblings)
        ),
        lambda answer: with_entry(answer, value=None, proof=StateProof(b"", (bytes(32),) * 6)),
    ],
)
def test_forged_proofs(tamper: Callable[[StateAnswer], StateAnswer], tmp_path: Path) -> None:
    with pytest.raises(InvalidProof):
        verified(light_client(ChainSource(born(), tamper), tmp_path))


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
        verified(light_client(ChainSource(born(), tamper), tmp_path))
    assert not (tmp_path / "light.json").exists()


def test_three_of_four_signatures_are_enough(tmp_path: Path) -> None:
    source = ChainSource(born(), lambda a: edit(a, signatures=(b"", *signatures_of(a)[1:])))
    verified(light_client(source, tmp_path))


def test_a_set_of_strangers_decides_nothing(tmp_path: Path) -> None:
    source = usurping(born(), liars())
    with pytest.raises(InvalidCertificate, match="not decided by the set that height 0 names"):
        verified(light_client(source, tmp_path))


def test_naming_honest_validators_without_their_signatures_helps_nobody(tmp_path: Path) -> None:
    chain = born()
    source = usurping(chain, [*liars(), *genesis_trust(chain.genesis).validators.entries])
    with pytest.raises(InvalidCertificate):
        verified(light_client(source, tmp_path))


def test_honest_addresses_with_foreign_keys_help_nobody(tmp_path: Path) -> None:
    chain = born()
    honest = genesis_trust(chain.genesis).validators.entries
    source = usurping(
        chain, [replace(e, consensus_key=liar.consensus_key) for e, liar in zip(honest, liars(), strict=True)]
    )
    with pytest.raises(InvalidCertificate):
        verified(light_client(source, tmp_path))


def test_another_chain_is_not_this_one(tmp_path: Path) -> None:
    source = ChainSource(born())
    other = replace(source.chain.genesis, chain_id="another-chain")
    light = LightClient(other, tmp_path / "light.json", source, now_ms=lambda: source.chain.now)
    with pytest.raises(InvalidCertificate):
        verified(light)


# --- blocks ---
@dataclass
class BlockSource(ChainSource):
    """A node that shows another block at the height `false`."""

    false: int = 0
    falsify: Callable[[Block], Block] = lambda block: block

    def committed(self, height: int) -> Committed:
        found = super().committed(height)
        return replace(found, block=self.falsify(found.block)) if height == self.false else found


def long_chain(blocks: int) -> BlockSource:
    source = BlockSource(born())
    for _ in range(blocks):
        source.chain.produce()
    return source


def test_a_block_is_verified_above_and_below_the_verified_height(tmp_path: Path) -> None:
    source = long_chain(5)
    light, head = light_client(source, tmp_path), source.chain.store.height()
    for height in (1, head, head - 1, 2, head):
        assert source.chain.store.block(height) == light.verified_block(height)


def test_only_so_many_parents_are_followed(tmp_path: Path) -> None:
    source = long_chain(ANCESTORS_MAX)
    light, head = light_client(source, tmp_path), source.chain.store.height()
    verified(light)
    assert light.verified_block(head - ANCESTORS_MAX).header.height == head - ANCESTORS_MAX
    with pytest.raises(OperatorError, match="below the newest verified one"):
        light.verified_block(head - ANCESTORS_MAX - 1)


def test_a_state_far_below_is_verified_if_the_same_validators_decided_it(tmp_path: Path) -> None:
    chain = born()
    chain.store = ChainStore(chain.store.kv, chain.genesis, 2 * ANCESTORS_MAX)
    base, values = chain.store.height(), {}
    for _ in range(ANCESTORS_MAX + 3):
        values[chain.store.height()] = chain.store.state.get(KEY)
        chain.produce()
    chain.do("workshop-berlin", maintenance(chain))
    source = ChainSource(chain)
    light, head = light_client(source, tmp_path), chain.store.height()
    assert values[base] != verified(light)[0]
    for height in (base + 1, head - ANCESTORS_MAX - 1, head - ANCESTORS_MAX, head):
        found, header = light.verified_states((KEY,), height)
        assert (height, chain.store.at(height).state.get(KEY)) == (header.height, found[KEY])
    source.tamper = lambda answer: edit(answer, signatures=(b"", *signatures_of(answer)[1:-1], b""))
    with pytest.raises(InvalidCertificate):
        light.verified_states((KEY,), base + 1)
    source.tamper = lambda answer: edit(answer, lambda header: replace(header, state_root=bytes(32)))
    for height in (base + 1, head - 5):
        with pytest.raises(Rejected):
            light.verified_states((KEY,), height)
    source.tamper = lambda answer: answer
    set_power(chain, "workshop-berlin", 0)
    verified(light)
    with pytest.raises(OperatorError, match="was decided by other validators than now, at most 100 are"):
        light.verified_states((KEY,), base + 1)


FALSE_BLOCKS = {
    "another header": lambda block: replace(block, header=replace(block.header, state_root=bytes(32))),
    "another height": lambda block: replace(block, header=replace(block.header, height=block.header.height + 1)),
    "a transaction more": lambda block: replace(block, transactions=(*block.transactions, b"x")),
    "no transaction": lambda block: replace(block, transactions=()),
}


@pytest.mark.parametrize("is_below", [False, True])
@pytest.mark.parametrize("name", FALSE_BLOCKS)
def test_a_false_block_is_refused(name: str, is_below: bool, tmp_path: Path) -> None:
    source = long_chain(0)
    source.false = source.chain.store.height()
    source.falsify = FALSE_BLOCKS[name]
    light = light_client(source, tmp_path)
    if is_below:
        for _ in range(3):
            source.chain.produce()
        verified(light)
    with pytest.raises((InvalidProof, InvalidCertificate, Malformed)):
        light.verified_block(source.false)


def test_a_false_parent_on_the_way_is_refused(tmp_path: Path) -> None:
    source = long_chain(4)
    source.false = source.chain.store.height() - 1
    source.falsify = FALSE_BLOCKS["another header"]
    light = light_client(source, tmp_path)
    verified(light)
    with pytest.raises(InvalidProof, match="not the one that was decided"):
        light.verified_block(source.false - 1)
