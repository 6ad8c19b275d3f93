"""New software under an old ruleset: it reads values of newer form, and writes them as the ruleset in force says."""

from __future__ import annotations

from typing import Any

import pytest
from support import rulesets
from support.chain import Chain, address
from support.governing import carry_out
from support.second_codec import unpack
from support.stages import at

from node.codec import Value
from node.ledger.family import NAME_IDENT, Family, Index, Older
from node.ledger.fields import Address
from node.rules.damage import severity
from node.rules.tables import Tables
from node.rules.verdict import judge
from node.storage.chain_store import ChainStore
from node.txtypes.chain import actions
from node.txtypes.chain.actions import MemberAdmit, RulesetActivate
from node.txtypes.members.member import MEMBER_NAME, NameHolder
from node.txtypes.registry import FAMILIES
from node.txtypes.rulesets import RULESETS, build_ruleset


class Holder(Value, tag=2, frozen=True):
    """The member that has a name, with a rank that ruleset 1 does not know."""

    address: Address
    rank: int = 0


NEWER = Family(
    "member-name",
    Holder,
    ident=NAME_IDENT,
    version=2,
    since=2,
    older=(Older(1, 1, NameHolder, lambda old: Holder(old.address), lambda new: NameHolder(new.address)),),
    indexes=(Index("rank", lambda holder: (str(holder.rank),), NAME_IDENT),),
)
ACTIVE_FROM = 5
PLAIN_HASH = rulesets.newer().hash
"""Of ruleset 2 without a second version of the family."""


@pytest.fixture
def newer_software(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family has a second version from ruleset 2 on, and types make values of it."""
    for name, value in vars(NEWER).items():
        monkeypatch.setattr(MEMBER_NAME, name, value)
    monkeypatch.setattr(actions, "NameHolder", Holder)
    for number, tables in ((1, Tables()), (2, rulesets.newer().tables)):
        monkeypatch.setitem(RULESETS, number, build_ruleset(number, tables, severity, judge))


def name(chain: Chain, name: str) -> Any:
    return unpack(chain.store.state.get(MEMBER_NAME.key(name)))


def admitted(chain: Chain, who: str) -> None:
    assert "carried_out" == carry_out(chain, MemberAdmit(address(who), who, "DE"))


def as_old_software_has_it() -> Chain:
    chain = at("").chain
    admitted(chain, "buyer-1")
    return chain


def test_ruleset_1_is_the_same_in_newer_software(newer_software: None) -> None:
    assert PLAIN_HASH != RULESETS[2].hash, "the versions of values are in the hash"
    assert {1, 2} == {RULESETS[number].value_versions["member-name"] for number in (1, 2)}
    assert dict.fromkeys((1, 2), 1) == {n: RULESETS[n].value_versions["member"] for n in (1, 2)}


def test_until_the_activation_every_byte_is_as_before(request: pytest.FixtureRequest) -> None:
    old = as_old_software_has_it()
    first_hash = RULESETS[1].hash
    request.getfixturevalue("newer_software")
    new = Chain(old.genesis)
    admitted(new, "buyer-1")
    assert first_hash == RULESETS[1].hash
    assert old.store.head() == new.store.head()
    state = [dict(chain.store.kv.scan(b"S", b"T")) for chain in (old, new)]
    assert state[0] == state[1]
    assert [1, address("buyer-1")] == name(new, "buyer-1")
    assert Holder(address("buyer-1")) == new.state(MEMBER_NAME, "buyer-1")


def test_after_it_a_value_is_rewritten_when_it_is_next_written(newer_software: None) -> None:
    chain = Chain()
    assert "carried_out" == carry_out(chain, RulesetActivate(2, ACTIVE_FROM, RULESETS[2].hash))
    while chain.store.height() < ACTIVE_FROM:
        chain.produce()
    assert 2 == chain.store.head().params.ruleset
    assert [1, address("bmw")] == name(chain, "bmw"), "nothing is migrated"
    admitted(chain, "buyer-1")
    assert [2, address("buyer-1"), 0] == name(chain, "buyer-1")
    assert Holder(address("bmw")) == chain.state(MEMBER_NAME, "bmw")
    assert chain.store.head() == ChainStore(chain.store.kv, chain.genesis).head()


def test_a_genesis_is_written_as_its_ruleset_says(request: pytest.FixtureRequest) -> None:
    old = Chain().store.head()
    request.getfixturevalue("newer_software")
    assert old == Chain().store.head()


def test_a_new_index_over_old_values_follows_from_what_they_are_upgraded_to(newer_software: None) -> None:
    chain = Chain()
    entries = [key for key, _ in chain.store.kv.scan(b"Xmember-name/", b"Xmember-name0")]
    names = [key[len(b"Smember-name/") :] for key, _ in chain.store.kv.scan(b"Smember-name/", b"Smember-name0")]
    assert [b"Xmember-name/rank/0/" + found for found in names] == entries
    assert "member-name" in FAMILIES
