"""The state in which a successor chain begins: its predecessor's last state, and a new validator set over it.

docs/PROTOCOL.md, Successor chain. Nothing about cars, orders, payments or accounts changes. What does:

- the validators are those of the new genesis, and all others have power 0;
- the chain parameters are those of the new genesis;
- the replay window is empty: nothing that was signed for the predecessor is valid here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.structs import replace

from node.chain.genesis import Genesis, GenesisAccount, GenesisMember, GenesisValidator, genesis_set, start_height
from node.codec import Value
from node.crypto.addresses import to_text
from node.errors import Malformed
from node.ledger.family import Family
from node.ledger.params import CHAIN, PARAMS_ID
from node.txtypes.chain.replay_window import WINDOW
from node.txtypes.chain.validator_set import (
    CONSENSUS_KEY,
    VALIDATOR,
    VALIDATORS,
    KeyUse,
    ValidatorRecord,
    ValidatorState,
)
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import RULESETS

LEFT_BEHIND: Final = WINDOW.key("")
"""Prefix of the state keys that the successor does not take over."""

Read = Callable[[bytes], bytes | None]
"""A value of the predecessor's last state."""


def changed_values(genesis: Genesis, read: Read, validators: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Every state value that is another one than the predecessor's. `validators`: all its values of `validator/`, also
    of members that have paused: nobody comes back by itself.

    Raises `Malformed`, naming the account of the genesis that is not as the predecessor has it.
    """
    versions = RULESETS[genesis.params.ruleset].value_versions
    changes: dict[bytes, bytes] = {}

    def put(family: Family[Any], ident: str | bytes, value: Value) -> None:
        changes[family.key(ident)] = family.encode(value, versions[family.name])

    for index, account in enumerate(genesis.accounts):
        validator = _checked_validator(f"genesis.accounts[{index}]", account, read)
        record = ValidatorRecord(validator.consensus_key, validator.power, start_height(genesis) + 1, 0)
        put(VALIDATOR, account.address, record)
        put(CONSENSUS_KEY, validator.consensus_key, KeyUse(account.address))
    for key, raw in validators:
        known = VALIDATOR.decode(raw)
        if (known.power or known.paused_power) and key not in changes:
            put(VALIDATOR, key.decode("ascii").partition("/")[2], replace(known, power=0, paused_power=0))
    put(VALIDATORS, "set", ValidatorState(genesis_set(genesis).entries, 0, 0, 0))
    put(CHAIN, PARAMS_ID, genesis.params)
    return changes


def _checked_validator(path: str, account: GenesisAccount, read: Read) -> GenesisValidator:
    """A genesis that could change accounts would be a way around every rule of the chain."""
    member = account.member
    if member is None or member.validator is None:
        raise Malformed(f"{path}: the accounts of a successor's genesis are its validators, and no others")
    raw = read(ACCOUNT.key(account.address))
    if raw is None:
        raise Malformed(f"{path}.address: {to_text(account.address)} has no account on the chain that is continued")
    known = ACCOUNT.decode(raw)
    for name in ("keys", "threshold", "sealing_hash", "sponsor"):
        _require_same(f"{path}.{name}", getattr(account, name), getattr(known, name))
    _check_member(path, account.name, member, read(MEMBER.key(account.address)))
    held = read(CONSENSUS_KEY.key(member.validator.consensus_key))
    if held is not None and CONSENSUS_KEY.decode(held).member != account.address:
        raise Malformed(f"{path}.member.validator.consensus_key: served another member of the chain that is continued")
    return member.validator


def _check_member(path: str, name: str, member: GenesisMember, raw: bytes | None) -> None:
    known = None if raw is None else MEMBER.decode(raw)
    if known is None or known.status != "active":
        raise Malformed(f"{path}: {name} is no active member of the chain that is continued")
    _require_same(f"{path}.name", name, known.name)
    _require_same(f"{path}.member.roles", member.roles, known.grants)
    for field in ("country", "group", "sites", "node_key", "node_address"):
        _require_same(f"{path}.member.{field}", getattr(member, field), getattr(known, field))


def _require_same(path: str, given: object, known: object) -> None:
    if given != known:
        raise Malformed(f"{path}: is another than on the chain that is continued")
