"""Genesis document: the initial state of a chain. Its hash identifies the chain in everything that is signed.

genesis hash = H("bmw/genesis", canonical encoding), independent of the JSON's formatting
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from msgspec import Meta

from node import limits
from node.chain.validators import ValidatorSet
from node.codec import Value, encode
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.hashing import tagged
from node.crypto.signing import is_signature
from node.errors import Malformed
from node.ledger.body import table_codes
from node.ledger.fields import Address, Hash32, Name, OptionalHash, PublicKey, RegistrationCountry, Signature, Time
from node.ledger.json_form import from_json, to_json
from node.ledger.params import ChainParams
from node.ledger.ruleset import Ruleset
from node.rules.registration import REGISTRATION_COUNTRIES
from node.txtypes.chain.validator_set import ValidatorEntry, possession_bytes
from node.txtypes.disputes.arbiters import ARBITERS_MAX
from node.txtypes.identity.account import Keys, SealingHash, Threshold
from node.txtypes.members.member import Grant, Group, Site
from node.txtypes.rulesets import RULESETS, unknown_rules

GENESIS_BYTES_MAX = 4 * 1024 * 1024


class GenesisValidator(Value, frozen=True):
    """`possession`: the consensus key's signature over `possession_bytes(32 zero bytes, address, key)`."""

    consensus_key: PublicKey
    possession: Signature
    power: Annotated[int, Meta(ge=1, le=limits.POWER_MAX)]


class GenesisMember(Value, frozen=True):
    """A member that exists from the start; a validator if `validator` is given."""

    country: RegistrationCountry
    group: Group
    roles: tuple[Grant, ...]
    sites: Annotated[tuple[Site, ...], Meta(max_length=limits.SITES_MAX)]
    validator: GenesisValidator | None
    node_key: OptionalHash
    node_address: Annotated[str, Meta(pattern=r"^([A-Za-z0-9.-]{1,80}:[0-9]{1,5})?\Z")]


class GenesisAccount(Value, frozen=True):
    """An account that exists from the start; a member if `member` is given."""

    name: Name
    address: Address
    keys: Keys
    threshold: Threshold
    sealing_hash: SealingHash
    sponsor: Address
    member: GenesisMember | None


class Continues(Value, frozen=True):
    """The predecessor chain, and its last block. Heights continue from there."""

    genesis_hash: Hash32
    height: Annotated[int, Meta(ge=1, le=2**53)]
    block_id: Hash32
    state_root: Hash32


class Genesis(Value, frozen=True):
    """The genesis document. `continues`: the predecessor of a successor chain."""

    chain_id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{2,39}\Z")]
    time_ms: Time
    tree_depth: Annotated[int, Meta(ge=1, le=24)]
    params: ChainParams
    accounts: Annotated[tuple[GenesisAccount, ...], Meta(min_length=1, max_length=1_000)]
    continues: Continues | None


def genesis_hash(genesis: Genesis) -> bytes:
    """The genesis hash, 32 bytes. Operators compare it out of band."""
    return tagged("bmw/genesis", encode(genesis))


def start_height(genesis: Genesis) -> int:
    """Height of the genesis state: 0, or the predecessor's last height."""
    return genesis.continues.height if genesis.continues is not None else 0


def genesis_set(genesis: Genesis) -> ValidatorSet:
    """The validator set of the first block."""
    entries = [
        ValidatorEntry(a.address, a.member.validator.consensus_key, a.member.validator.power)
        for a in genesis.accounts
        if a.member is not None and a.member.validator is not None
    ]
    return ValidatorSet(tuple(sorted(entries, key=lambda entry: entry.address)))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise Malformed(f"genesis: the key {key!r} occurs twice in one object")
        fields[key] = value
    return fields


def parse_genesis(text: bytes) -> Genesis:
    """Parse and check a genesis document. Raises `Malformed` with the path of the first wrong field."""
    if len(text) > GENESIS_BYTES_MAX:
        raise Malformed(f"genesis: {len(text)} bytes, at most {GENESIS_BYTES_MAX} are allowed")
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"genesis: not JSON: {error}") from None
    genesis: Genesis = from_json(Genesis, document, "genesis")
    _check(genesis)
    return genesis


def _check(genesis: Genesis) -> None:
    names: set[str] = set()
    addresses: set[bytes] = set()
    consensus_keys: set[bytes] = set()
    total = 0
    if len(genesis.params.next_ruleset_hash) != (32 if genesis.params.next_ruleset else 0):
        raise Malformed("genesis.params.next_ruleset_hash: 32 bytes where next_ruleset is set, else empty")
    first = start_height(genesis) + 1
    for height in (first, max(first, genesis.params.next_ruleset_height)):
        if unknown := unknown_rules(genesis.params, height):
            raise Malformed(f"genesis.params: {unknown}")
    for index, account in enumerate(genesis.accounts):
        path = f"genesis.accounts[{index}]"
        if account.name in names:
            raise Malformed(f"{path}.name: {account.name} occurs twice")
        if account.address in addresses:
            raise Malformed(f"{path}.address: {to_text(account.address)} occurs twice")
        if genesis.continues is None and account.address != address_of(account.keys[0]):  # else keys may have changed
            raise Malformed(f"{path}.address: not the address of the first key, {to_text(address_of(account.keys[0]))}")
        if account.threshold > len(account.keys) or len(set(account.keys)) != len(account.keys):
            raise Malformed(f"{path}.threshold: {account.threshold} of {len(account.keys)} different keys can't be met")
        if len(account.sealing_hash) not in (0, 32):
            raise Malformed(f"{path}.sealing_hash: 32 bytes, or empty")
        names.add(account.name)
        addresses.add(account.address)
        if account.member is not None:
            _check_roles(path + ".member", account.member, RULESETS[genesis.params.ruleset])
            total += _check_member(path + ".member", account, account.member, consensus_keys)
    for index, account in enumerate(genesis.accounts):
        if genesis.continues is None and account.sponsor not in addresses:
            raise Malformed(f"genesis.accounts[{index}].sponsor: no account of this genesis")
    arbiters = sum(1 for a in genesis.accounts if a.member is not None and _is_arbiter(a.member))
    if arbiters > ARBITERS_MAX:
        raise Malformed(f"genesis.accounts: {arbiters} arbiters are more than {ARBITERS_MAX}")
    if not 1 <= total <= limits.POWER_MAX:
        raise Malformed(f"genesis.accounts: total power {total} is not between 1 and {limits.POWER_MAX}")


def _is_arbiter(member: GenesisMember) -> bool:
    return any(grant.role == "arbiter" and grant.status != "revoked" for grant in member.roles)


def _check_roles(path: str, member: GenesisMember, rules: Ruleset) -> None:
    """What a guard would check of a grant that governance makes."""
    for place, grant in enumerate(member.roles):
        for table, code in table_codes(grant):
            if code not in rules.codes[table]:
                raise Malformed(f"{path}.roles[{place}]: {code!r} is not in the ruleset's table of {table}")


def _check_member(path: str, account: GenesisAccount, member: GenesisMember, consensus_keys: set[bytes]) -> int:
    if member.country not in REGISTRATION_COUNTRIES:
        raise Malformed(f"{path}.country: {member.country} is not a country of ISO 3166-1, nor XK")
    if len(member.node_key) not in (0, 32):
        raise Malformed(f"{path}.node_key: 32 bytes, or empty")
    validator = member.validator
    if validator is None:
        return 0
    if validator.consensus_key in consensus_keys:
        raise Malformed(f"{path}.validator.consensus_key: used by another member too")
    if validator.consensus_key in account.keys or validator.consensus_key == member.node_key:
        raise Malformed(f"{path}.validator.consensus_key: also used as account key or node key")
    message = possession_bytes(bytes(32), account.address, validator.consensus_key)
    if not is_signature(validator.consensus_key, message, validator.possession):
        raise Malformed(f"{path}.validator.possession: does not prove possession of the consensus key")
    consensus_keys.add(validator.consensus_key)
    return validator.power


def genesis_to_json(genesis: Genesis) -> str:
    """The document as indented JSON; it parses back to the same hash."""
    return json.dumps(to_json(genesis), indent=2) + "\n"


def uses_dev_keys(genesis: Genesis) -> list[str]:
    """Names of accounts with a public development key, which anybody can sign for."""
    return [a.name for a in genesis.accounts if dev_key("account", a.name).public in a.keys]
