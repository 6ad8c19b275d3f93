"""What newer software makes before and after the activation of a ruleset that it adds."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from msgspec.structs import replace
from support.blocks import sealed
from support.chain import Chain, dev_test_genesis
from support.commands import run
from support.life import VIN, register
from support.newer_chain import OTHER_VIN, activate, activation, crossed, inspection
from support.newer_software import NewerReadings, newer_software, older_software, ruleset_2
from support.replaying import GENESIS
from support.sources import ChainSource

from node.audit.replay import Replay
from node.audit.workers import InProcess
from node.codec import Value, encode
from node.errors import InvalidBlock, OperatorError
from node.execution import genesis_state
from node.execution.genesis_state import genesis_entries, genesis_head
from node.ledger.family import Family, Older
from node.replica.replica import Replica, ReplicaConfig
from node.rules.tables import Tables
from node.storage.chain_store import ChainStore
from node.txtypes.history import decode_record
from node.txtypes.members.member import MEMBER_NAME, NameHolder
from node.txtypes.rulesets import RULESETS, build_ruleset, unknown_rules
from node.txtypes.vehicle.readings import ODOMETER


def test_ruleset_1_is_the_same_in_both() -> None:
    older = RULESETS[1]
    with newer_software():
        again = build_ruleset(1, Tables(), older.severity, older.verdict)
        assert (again.hash, again.types, again.value_versions) == (older.hash, older.types, older.value_versions)
        assert ruleset_2().types.keys() - older.types.keys() == {"firmware.check"}
        assert ruleset_2().hash != older.hash


def test_a_type_that_is_known_and_not_active_yet_is_judged_by_no_other_guard() -> None:
    for software in (newer_software, older_software):
        with software():
            chain = Chain()
            assert ["type_not_active"] == chain.unmet(inspection(chain))


def test_a_value_is_rewritten_when_it_is_next_touched() -> None:
    state = crossed().chain.store.state
    touched, other = state.get(ODOMETER.key(VIN)), state.get(ODOMETER.key(OTHER_VIN))
    assert touched is not None and other is not None
    assert (2, 1) == (msgpack.unpackb(touched)[0], msgpack.unpackb(other)[0]), "the tag is the version"
    with newer_software():
        newer, upgraded = ODOMETER.decode(touched), ODOMETER.decode(other)
        assert isinstance(newer, NewerReadings) and isinstance(upgraded, NewerReadings)
        assert (4, 1) == (newer.total, upgraded.total)
        assert other == ODOMETER.encode(upgraded, 1), "reading changes no byte"


def test_the_changed_function_judges_from_the_height_on() -> None:
    with newer_software():
        records = [decode_record(raw) for _, raw in crossed().chain.store.records(VIN, 0, 9)]
    severities = [code for record in records for code in record.content.outcome if code.startswith("severity:")]
    assert ["severity:minor", "severity:moderate"] == severities
    assert "firmware.check" in [record.face.kind for record in records]


@pytest.fixture(autouse=True)
def _newer_reads() -> Any:
    """Nothing is left behind by a test that fails in between."""
    yield
    assert list(RULESETS) == [1]


def test_a_header_names_the_ruleset_that_judged_its_block() -> None:
    height = crossed().height
    assert RULESETS[1].hash == crossed().committed(height - 1).block.header.ruleset_hash
    assert ruleset_2().hash == crossed().committed(height).block.header.ruleset_hash
    with newer_software():
        params = crossed().chain.store.head().params
        assert (2, 0, 0) == (params.ruleset, params.next_ruleset, params.next_ruleset_height)


def test_a_replay_by_newer_software_crosses_the_activation() -> None:
    with newer_software():
        out = Replay(GENESIS, ChainSource(crossed().chain), InProcess()).run()
        assert (None, crossed().chain.store.head().state_root) == (out.divergence, out.state_root)


def test_an_index_is_built_when_newer_software_opens_an_older_store() -> None:
    with older_software():
        kv = Chain().store.kv
        chain = Chain(kv=kv)
        chain.produce(*(raw for raw in crossed().committed(1).block.transactions))
    assert [] == list(kv.scan(b"Xvehicle/model/", b"Xvehicle/model0"))
    with newer_software():
        store = ChainStore(kv, chain.genesis)
        assert sorted((VIN, OTHER_VIN)) == store.entries(b"Xvehicle/model/330I/", "", 9)


class NewerHolder(Value, tag=2, frozen=True):
    """Version 2 of the family that has the names of members: a value that genesis has."""

    address: bytes
    changes: int = 0


def test_the_state_of_genesis_is_written_as_the_ruleset_in_force_says(monkeypatch: pytest.MonkeyPatch) -> None:
    genesis = dev_test_genesis()
    before = genesis_entries(genesis)
    newer: Family[Any] = Family(
        MEMBER_NAME.name,
        NewerHolder,
        ident=MEMBER_NAME.ident,
        version=2,
        since=2,
        older=(Older(1, 1, NameHolder, lambda v: NewerHolder(v.address), lambda v: NameHolder(v.address)),),
    )
    monkeypatch.setattr(genesis_state, "MEMBER_NAME", newer)
    monkeypatch.setattr(genesis_state, "NameHolder", NewerHolder)
    assert before == genesis_entries(genesis)
    assert genesis_head(genesis, before) == genesis_head(genesis, genesis_entries(genesis))
    assert encode(NewerHolder(bytes(20))) != encode(NameHolder(bytes(20)))


def test_a_certified_block_with_a_type_that_is_not_active_is_invalid_for_both() -> None:
    for software in (newer_software, older_software):
        with software():
            chain = Chain()
            block = chain.build(chain.sign("bmw", register()))
            with pytest.raises(InvalidBlock, match=r"type_not_active.*transaction 1"):
                chain.judge(sealed(block, transactions=(*block.transactions, inspection(chain))))


# --- two builds of one number -----------------------------------------------------------------------------------
def activated(chain: Chain, ruleset_hash: bytes) -> str:
    """Why the software cannot judge the height after the head, where ruleset 2 with the hash begins there."""
    params = replace(
        chain.store.head().params,
        next_ruleset=2,
        next_ruleset_height=chain.store.height() + 1,
        next_ruleset_hash=ruleset_hash,
    )
    return unknown_rules(params, chain.store.height() + 1)


def test_two_builds_of_a_ruleset_are_told_apart_before_its_height() -> None:
    other = bytes(range(32))
    with newer_software():
        chain = Chain()
        assert "" == activated(chain, ruleset_2().hash)
        assert f"judged by ruleset 2 with hash {other.hex()}, which this software does not know" in activated(
            chain, other
        )
        height = activate(chain, activation(9, other))
        replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
        replica.start(chain.now)
        assert f"from height {height} on" in replica.halted and other.hex() in replica.halted
        with pytest.raises(OperatorError, match=other.hex()):
            chain.run()


def test_operators_see_numbers_and_hashes() -> None:
    assert run("bmw-node", "rulesets").out.split() == ["version", "hash", "1", RULESETS[1].hash.hex()]
    with newer_software():
        found = run("bmw-node", "rulesets", "--json").json["rulesets"]
        assert found == [{"version": n, "hash": RULESETS[n].hash.hex()} for n in (1, 2)]
