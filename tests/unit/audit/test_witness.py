"""Witnesses: what they co-sign, what they never do, and what halts them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.life import register
from support.light import liars, usurping
from support.memory_store import MemoryStore
from support.witnessing import KEY, Honest, Silent, long_chain, showing, two_views, witness

from node.audit.witness import EVERY, HEADS_KEPT, Halted, NotSigned, Witness
from node.chain.block import block_id_of
from node.crypto.dev_keys import dev_key
from node.errors import OperatorError


@pytest.fixture
def kv() -> MemoryStore:
    return MemoryStore()


def test_a_witness_signs_every_hundredth_height_and_the_head_on_request(kv: MemoryStore) -> None:
    chain = long_chain()
    runs = witness({"a": Honest(chain), "b": Honest(chain)}, kv)
    runs.advance_hundredths()
    assert [2 * EVERY] == [height for height in range(1, chain.store.height() + 1) if runs.signed(height)]
    head = runs.advance()
    stored = chain.store.head()
    assert (head.height, head.block_id, head.state_root) == (stored.height, stored.block_id, stored.state_root)
    assert head.is_signed() and "light" == head.mode and KEY.public == head.key
    assert not changed_signature(head).is_signed()
    while chain.store.height() < 3 * EVERY + 1:
        chain.produce()
    runs.advance_hundredths()
    assert runs.signed(3 * EVERY) is not None and runs.signed(3 * EVERY + 1) is None


def changed_signature(cosignature):
    return type(cosignature)(*[getattr(cosignature, n) for n in cosignature.__struct_fields__[:-1]], bytes(64))


def test_a_height_has_one_cosignature_in_every_run(kv: MemoryStore) -> None:
    first, second = two_views(3)
    height = first.store.height()
    made = witness({"a": Honest(first)}, kv).sign(height)
    first.now += 60_000
    again = witness({"b": Honest(second)}, kv)
    assert made == again.sign(height)
    with pytest.raises(Halted) as halted:
        again.sign(height - 1)  # the parent of what it has signed is another
    assert 2 == len(halted.value.evidence["headers"])
    assert again.signed(height - 1) is None


def test_all_that_it_signs_is_one_chain(kv: MemoryStore) -> None:
    """Also where no two headers of one height, and no child of one, come before it."""
    first, second = two_views(20)
    height = first.store.height()
    witness({"a": Honest(first)}, kv).sign(height - 8)
    hidden, early = Honest(first), fork_of(kv)
    hidden.pruned_to = height - 4
    with pytest.raises(NotSigned, match="on the way"):
        witness({"a": hidden}, early).sign(height)
    for below in (True, False):
        with pytest.raises(NotSigned if below else Halted) as refused:
            witness({"b": Honest(second)}, fork_of(kv)).sign(height - 13 if below else height)
    evidence = refused.value.evidence
    assert [height, height - 8] == [each["height"] for each in evidence["headers"]]
    assert 7 == len(evidence["between"])
    both = {"a": Honest(first), "b": Honest(second)}
    other = fork_of(kv)
    with pytest.raises(Halted):
        witness(both, other).sign(height - 13)
    runs = witness({"a": Honest(first)}, kv)
    assert runs.sign(height - 13).is_signed() and runs.sign(height).is_signed()


def fork_of(kv: MemoryStore) -> MemoryStore:
    return MemoryStore(dict(kv.scan(b"", b"\xff")))


def test_a_split_view_halts_it_for_good_and_is_evidence(kv: MemoryStore) -> None:
    first, second = two_views(2)
    height = first.store.height()
    runs = witness({"a": Honest(first), "b": Honest(second)}, kv)
    with pytest.raises(Halted):
        runs.advance()
    later = witness({"a": Honest(first)}, kv)
    with pytest.raises(Halted) as halted:
        later.sign(height)
    evidence = halted.value.evidence
    ids = {chain.store.head().block_id.hex() for chain in (first, second)}
    assert (height, ids) == (evidence["height"], {each["block_id"] for each in evidence["headers"]})
    assert 4 == len(evidence["signed_both"]) and "time_ms" in evidence["differing"]
    assert later.signed(height) is None


def test_a_node_that_lies_without_the_validators_halts_nothing(kv: MemoryStore) -> None:
    chain = long_chain()
    nodes = {"liar": usurping(chain, liars()), "silent": Silent(chain), "honest": Honest(chain)}
    assert chain.store.head().block_id == witness(nodes, kv).advance().block_id
    alone = witness({"liar": usurping(chain, liars())}, MemoryStore())
    with pytest.raises(NotSigned):
        alone.advance()
    chain.now -= 4 * 3_600_000
    with pytest.raises(NotSigned):  # a head that is ahead of its clock
        witness({"honest": Honest(chain)}, MemoryStore()).advance()


def test_a_full_witness_executes_what_it_signs(kv: MemoryStore, tmp_path) -> None:
    chain = Chain()
    chain.do("bmw", register())
    for _ in range(4):
        chain.produce()
    runs = witness({"a": Honest(chain)}, kv, full=tmp_path)
    assert "full" == runs.advance().mode
    assert runs.sign(3).is_signed()


def test_a_root_that_execution_does_not_give_halts_a_full_witness_alone(tmp_path) -> None:
    chain = Chain()
    chain.do("bmw", register())
    block = chain.build()
    forged = replace(block, header=replace(block.header, state_root=bytes(32)))
    node = showing(chain, forged)
    height = block.header.height
    light = witness({"a": node}, MemoryStore()).sign(height)
    assert (bytes(32), block_id_of(forged.header, chain.genesis_hash)) == (light.state_root, light.block_id)
    kv = MemoryStore()
    runs = witness({"a": node}, kv, full=tmp_path)
    with pytest.raises(Halted) as halted:
        runs.sign(height)
    assert (height, "state_root") == (
        halted.value.evidence["divergence"]["height"], halted.value.evidence["divergence"]["rule"]
    )  # fmt: skip
    assert runs.signed(height) is None
    # A node that shows other contents under a decided header is false; the chain is not.
    honest = chain.build(chain.sign("bmw", register("WBA8E9G50GNU54321")))
    false = showing(chain, replace(honest, transactions=()))
    with pytest.raises(NotSigned):
        witness({"a": false}, MemoryStore(), full=tmp_path).sign(height)


def test_old_heads_are_forgotten_and_never_signed_again(kv: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.audit.witness.HEADS_KEPT", 50)
    assert HEADS_KEPT > 50
    chain = long_chain()
    runs = witness({"a": Honest(chain)}, kv)
    for height in (150, EVERY, 165, 190, 216, 217):
        runs.sign(height)
    kept = [h for h in range(1, 221) if runs.signed(h)]
    assert [EVERY, 190, 216, 217] == kept
    with pytest.raises(NotSigned):
        runs.sign(150)
    assert runs.sign(168).is_signed()
    with pytest.raises(NotSigned):
        runs.sign(chain.store.height() + 1)


def test_hard_state_of_another_key_or_chain_is_refused(kv: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = long_chain()
    witness({"a": Honest(chain)}, kv)
    monkeypatch.setattr("support.witnessing.KEY", dev_key("node", "another"))
    with pytest.raises(OperatorError, match="another chain or key"):
        witness({"a": Honest(chain)}, kv)
    with pytest.raises(OperatorError, match="gone"):
        Witness(chain.genesis, KEY, MemoryStore(), {"a": Honest(chain)})


def test_a_full_witness_signs_every_hundredth_height_that_it_passes(kv: MemoryStore, tmp_path) -> None:
    chain = long_chain()
    runs = witness({"a": Honest(chain)}, kv, full=tmp_path)
    assert runs.sign(2 * EVERY + 3).is_signed()
    assert [EVERY, 2 * EVERY, 2 * EVERY + 3] == [h for h in range(1, chain.store.height() + 1) if runs.signed(h)]
    runs.stop()
    with pytest.raises(NotSigned, match="stops"):
        runs.sign(2 * EVERY + 4)
