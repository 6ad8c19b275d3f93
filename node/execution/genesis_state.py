"""The state of height 0, from the genesis document."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from node.chain.genesis import Genesis, genesis_hash, genesis_set
from node.codec import Value
from node.crypto.state_tree import StateTree, bucket_of, changed_bucket, slot_of
from node.execution.head import ChainHead
from node.ledger.family import Family
from node.ledger.params import CHAIN
from node.txtypes.chain.validator_set import (
    CONSENSUS_KEY,
    VALIDATOR,
    VALIDATORS,
    KeyUse,
    ValidatorRecord,
    ValidatorState,
)
from node.txtypes.disputes.arbiters import ARBITERS, Arbiters, is_named
from node.txtypes.identity.account import ACCOUNT, Account
from node.txtypes.members.makers import MAKERS, Makers, with_maker
from node.txtypes.members.member import MEMBER, MEMBER_NAME, Member, NameHolder
from node.txtypes.rulesets import RULESETS


def genesis_entries(genesis: Genesis) -> dict[bytes, bytes]:
    """Every state key of height 0 and its value, in the version that the ruleset in force names."""
    versions = RULESETS[genesis.params.ruleset].value_versions
    entries: dict[bytes, bytes] = {}
    makers: dict[str, Makers] = {}
    arbiters: list[bytes] = []

    def put(family: Family[Any], ident: str | bytes, value: Value) -> None:
        entries[family.key(ident)] = family.encode(value, versions[family.name])

    for account in genesis.accounts:
        put(
            ACCOUNT,
            account.address,
            Account(account.keys, account.threshold, account.sealing_hash, account.sponsor, 0, 0),
        )
        member = account.member
        if member is None:
            continue
        entry = Member(
            account.name, member.country, member.group, 0, member.roles, member.sites, member.node_key,
            member.node_address, (),
        )  # fmt: skip
        put(MEMBER, account.address, entry)
        if is_named(entry):
            arbiters.append(account.address)
        put(MEMBER_NAME, account.name, NameHolder(account.address))
        for wmi in (wmi for grant in member.roles if grant.role == "manufacturer" for wmi in grant.wmis):
            makers[wmi] = with_maker(makers.get(wmi), account.address, genesis.time_ms)
        if member.validator is not None:
            key, power = member.validator.consensus_key, member.validator.power
            put(VALIDATOR, account.address, ValidatorRecord(key, power, 1, 0))
            put(CONSENSUS_KEY, key, KeyUse(account.address))
    if arbiters:
        put(ARBITERS, "all", Arbiters(tuple(sorted(arbiters))))
    put(VALIDATORS, "set", ValidatorState(genesis_set(genesis).entries, 0, 0, 0))
    for wmi, known in makers.items():
        put(MAKERS, wmi, known)
    put(CHAIN, "params", genesis.params)
    return entries


def buckets_of(entries: dict[bytes, bytes], depth: int) -> dict[int, bytes]:
    """The non-empty buckets of a whole state."""
    buckets: dict[int, bytes] = {}
    for key, value in entries.items():
        slot = slot_of(key)
        number = bucket_of(slot, depth)
        buckets[number] = changed_bucket(buckets.get(number, b""), slot, sha256(value).digest())
    return buckets


def genesis_head(genesis: Genesis, entries: dict[bytes, bytes]) -> ChainHead:
    validators = genesis_set(genesis)
    root = StateTree(genesis.tree_depth, buckets_of(entries, genesis.tree_depth).items()).root
    return ChainHead(0, genesis_hash(genesis), genesis.time_ms, root, validators, genesis.params, validators)
