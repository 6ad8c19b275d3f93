"""Genesis documents of the development network and of test networks. `genesis.json` is `dev_genesis()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.chain.genesis import Genesis, GenesisAccount, GenesisMember, GenesisValidator
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.ledger.params import ChainParams
from node.txtypes.chain.validator_set import possession_bytes
from node.txtypes.members.member import Capability, Grant, Site

DEV_TIME_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""

BMW_WMIS = ("WBA", "WBS", "WBX", "WBY", "WMW", "5UX", "5UM", "LBV")


@dataclass(frozen=True)
class Party:
    """One account of a genesis: roles as (role, WMIs), power if it is a validator, the code of its site."""

    name: str
    country: str
    roles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    power: int = 0
    is_member: bool = True
    group: str = ""
    site: str = ""
    capabilities: tuple[Capability, ...] = ()


DEV_PARTIES = (
    Party("bmw", "DE", (("manufacturer", BMW_WMIS),), 10, group="bmw", site="MUC-PLANT"),
    Party("dealer-munich", "DE", (("dealer", ()),), 10, site="MUC-1"),
    Party("dealer-shanghai", "CN", (("dealer", ()),), 10, site="SHA-1"),
    Party("workshop-berlin", "DE", (("workshop", ()),), 10, site="BER-1", capabilities=("hv", "structural", "assist")),
    Party("workshop-hamburg", "DE", (("workshop", ()),), site="HAM-1"),
    Party("bank-1", "DE", (("bank", ()), ("payment_provider", ()))),
    Party("payment-provider-1", "DE", (("payment_provider", ()),)),
    Party("inspector-1", "DE", (("inspector", ()),), group="inspection-south", site="INS-1"),
    Party("inspector-2", "DE", (("inspector", ()),), group="inspection-north", site="INS-2"),
    Party("insurer-1", "DE", (("insurer", ()),)),
    Party("registrar-1", "DE", (("registrar", ()),)),
    Party("registrar-2", "CN", (("registrar", ()),)),
    Party("police-1", "DE", (("police", ()),)),
    Party("carrier-1", "DE", (("carrier", ()),)),
    Party("dismantler-1", "DE", (("dismantler", ()),)),
    Party("identity-attestor-1", "DE", (("identity_attestor", ()),)),
    Party("arbiter-1", "DE", (("arbiter", ()),), group="consumers"),
    Party("arbiter-2", "DE", (("arbiter", ()),), group="consumers"),
    Party("arbiter-3", "DE", (("arbiter", ()),), group="trade"),
    Party("arbiter-4", "CN", (("arbiter", ()),), group="engineers"),
    Party("buyer-1", "DE", is_member=False),
)
COUNTRY_ROLES = ("registrar", "police")
"""Roles that are held for the party's country only."""
PLACES = {
    "MUC": (48_177_000, 11_556_000), "SHA": (31_230_000, 121_474_000), "BER": (52_520_000, 13_405_000),
    "HAM": (53_551_000, 9_994_000), "INS": (48_137_000, 11_575_000),
}  # fmt: skip
"""First letters of a site's code to its place: latitude and longitude in millionths of a degree."""

KeyOf = Callable[[str, str], PrivateKey]
"""Private key for (purpose, name)."""


def account_of(party: Party, key_of: KeyOf, sponsor: bytes) -> GenesisAccount:
    account_key = key_of("account", party.name)
    address = address_of(account_key.public)
    member = None
    if party.is_member:
        validator = None
        if party.power:
            consensus = key_of("consensus", party.name)
            proof = consensus.sign(possession_bytes(bytes(32), address, consensus.public))
            validator = GenesisValidator(consensus.public, proof, party.power)
        grants = tuple(
            Grant(role, wmis, party.country if role in COUNTRY_ROLES else "", party.capabilities, 0, 0, ())
            for role, wmis in party.roles
        )
        sites = (Site(party.site, party.country, *PLACES[party.site[:3]], (), "", "", ""),) if party.site else ()
        node_key = key_of("node", party.name).public if party.power else b""
        member = GenesisMember(party.country, party.group, grants, sites, validator, node_key, "")
    return GenesisAccount(party.name, address, (account_key.public,), 1, b"", sponsor or address, member)


def build_genesis(
    chain_id: str,
    time_ms: int,
    parties: tuple[Party, ...],
    key_of: KeyOf,
    *,
    tree_depth: int = 18,
    params: ChainParams | None = None,
) -> Genesis:
    """A genesis with these parties. The first one sponsors those that are not members."""
    first = address_of(key_of("account", parties[0].name).public)
    accounts = tuple(account_of(party, key_of, b"" if party.is_member else first) for party in parties)
    return Genesis(chain_id, time_ms, tree_depth, params or ChainParams(), accounts, None)


def dev_genesis(time_ms: int = DEV_TIME_MS) -> Genesis:
    """The genesis of the development network: by default the fixed one of the tests, `genesis.json`."""
    return build_genesis("bmw-dev-1", time_ms, DEV_PARTIES, dev_key)
