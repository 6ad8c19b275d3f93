"""A light client follows the validators through every change of their set, and believes nobody who has left it."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import register
from support.light import KEY, NEW, OLD, ChainSource, decoded, handed_on, light_client, set_power, verified, with_entry

from node.chain import trust
from node.chain.block import Commit, Committed, block_id_of
from node.chain.trust import genesis_trust
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import InvalidCertificate, Rejected
from node.txtypes.chain.validator_set import VALIDATORS, ValidatorEntry
from wallet.client import StateAnswer
from wallet.light import TrustStore


def test_the_set_is_followed_to_one_that_shares_no_validator(tmp_path: Path) -> None:
    source = ChainSource(handed_on())
    assert sorted(map(address, NEW)) == [e.address for e in source.chain.store.head().validators.entries]
    light = light_client(source, tmp_path)
    value, header = verified(light)
    assert source.chain.store.state.get(KEY) == value
    assert source.chain.store.height() == header.height
    assert 0 < len(source.asked) < header.height
    assert light.report().set_changes > 0


def test_without_old_sets_the_way_is_not_invented(tmp_path: Path) -> None:
    source = ChainSource(handed_on(), serves_old_sets=False)
    with pytest.raises(InvalidCertificate, match="does not give the validator set"):
        verified(light_client(source, tmp_path))


def test_a_header_of_another_height_than_asked_for_is_refused(tmp_path: Path) -> None:
    class Shifted(ChainSource):
        def committed(self, height: int) -> Committed:
            return super().committed(height - 1)

    with pytest.raises(InvalidCertificate, match="the node gives another"):
        verified(light_client(Shifted(handed_on()), tmp_path))


def test_only_so_many_headers_are_asked_for_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ChainSource(handed_on())
    verified(light_client(source, tmp_path / "free"))
    monkeypatch.setattr(trust, "FETCHES_MAX", len(source.asked))
    verified(light_client(source, tmp_path / "enough"))
    monkeypatch.setattr(trust, "FETCHES_MAX", trust.FETCHES_MAX - 1)
    with pytest.raises(InvalidCertificate, match="start from a newer root"):
        verified(light_client(source, tmp_path / "too few"))


def test_one_change_needs_no_old_sets(tmp_path: Path) -> None:
    """The set of the head is in its state, and most of those who signed were trusted before."""
    chain = Chain()
    chain.do("bmw", register())
    set_power(chain, "workshop-berlin", 0)
    chain.produce()
    source = ChainSource(chain, serves_old_sets=False)
    verified(light_client(source, tmp_path))
    assert [] == source.asked


def test_the_set_that_the_head_itself_names_is_kept(tmp_path: Path) -> None:
    chain = Chain()
    chain.do("bmw", register())
    set_power(chain, "workshop-berlin", 0)
    source = ChainSource(chain)
    verified(light_client(source, tmp_path))
    kept = TrustStore(tmp_path / "light.json", chain.genesis_hash).load()
    assert kept is not None
    assert chain.store.head().validators == kept.validators
    chain.produce()
    verified(light_client(source, tmp_path))


def test_removed_validators_decide_nothing_any_more(tmp_path: Path) -> None:
    """Their keys may have been sold since: from a newer root they count for nothing."""
    chain = handed_on()
    verified(light_client(ChainSource(chain), tmp_path))
    height = chain.store.height()
    old = decoded(ChainSource(chain).states((KEY,)))[0]
    forged_set = genesis_trust(chain.genesis).validators

    def forge(answer: StateAnswer) -> StateAnswer:
        header = replace(
            old, height=height + 2, time_ms=old.time_ms + 5_000,
            validators_hash=forged_set.hash, next_validators_hash=forged_set.hash,
        )  # fmt: skip
        block_id = block_id_of(header, chain.genesis_hash)
        message = vote_sign_bytes(chain.genesis_hash, "precommit", header.height, 0, block_id)
        by_address = {address(name): dev_key("consensus", name) for name in OLD}
        signed = tuple(by_address[e.address].sign(message) for e in forged_set.entries)
        return changed(answer, header=encode(header), commit=encode(Commit(height + 2, 0, block_id, signed)))

    class Forger(ChainSource):
        def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
            return forged_set.entries

    chain.produce()
    with pytest.raises(Rejected):
        verified(light_client(Forger(chain, forge), tmp_path))


@pytest.mark.parametrize("value", [None, b"\xc1", b"\x90"], ids=["none", "no msgpack", "nothing in it"])
def test_a_set_in_the_state_that_is_none_is_asked_for_by_height(value: bytes | None, tmp_path: Path) -> None:
    source = ChainSource(
        handed_on(), lambda a: with_entry(a, value=value) if a.entries[0].key == VALIDATORS.key("set") else a
    )
    verified(light_client(source, tmp_path))
