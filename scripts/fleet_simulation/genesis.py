"""The trade that a fleet lives with: makers, dealers, workshops, inspectors, and those of them that cheat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from node.chain.dev_genesis import BMW_WMIS, Party, account_of
from node.chain.genesis import Genesis
from node.crypto.dev_keys import dev_key
from node.ledger.params import ChainParams
from node.txtypes.members.member import Site

VALIDATORS: Final = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")
CITIES: Final[dict[str, tuple[str, int, int]]] = {
    "berlin": ("DE", 52_520_000, 13_405_000), "hamburg": ("DE", 53_551_000, 9_994_000),
    "munich": ("DE", 48_137_000, 11_575_000), "cologne": ("DE", 50_938_000, 6_960_000),
    "frankfurt": ("DE", 50_110_000, 8_682_000), "stuttgart": ("DE", 48_775_000, 9_182_000),
    "leipzig": ("DE", 51_340_000, 12_375_000), "nuremberg": ("DE", 49_452_000, 11_077_000),
    "warsaw": ("PL", 52_230_000, 21_011_000), "brussels": ("BE", 50_850_000, 4_350_000),
}  # fmt: skip
"""City to its country and place in millionths of a degree."""
HOME_CITIES: Final = tuple(city for city, (country, _, _) in CITIES.items() if country == "DE")
SPONSOR: Final = "bank-1"
"""Opens the private accounts. It writes nothing on cars, so that being sponsored makes nobody related to a writer."""
PROVIDER: Final = "payment-provider-1"
WASH_DEALER, WASH_INSPECTOR, SHADY_DEALER = "wash-dealer", "wash-inspector", "shady-dealer"
"""A dealer and an inspector of one declared group; a dealer whose shell of an inspector is declared as nobody's."""
ARBITERS: Final = tuple(f"arbiter-{n}" for n in range(1, 6))
WORKSHOPS_IN_A_CITY: Final = 6
INSPECTORS_IN_A_CITY: Final = 3
DEALERS_IN_A_CITY: Final = 3
RIVALS: Final = 20
SHADY: Final = 5


@dataclass(frozen=True)
class Trade:
    """The names of the members, by what they do in the simulation."""

    workshops: dict[str, tuple[str, ...]]
    """City to its honest workshops."""
    inspectors: dict[str, tuple[str, ...]]
    dealers: dict[str, tuple[str, ...]]
    insurers: tuple[str, ...] = ("insurer-1", "insurer-2", "insurer-3")
    rivals: tuple[str, ...] = tuple(f"rival-{n:02}" for n in range(RIVALS))
    """Accredited workshops and inspectors that attack the cars of others."""
    shady: tuple[str, ...] = tuple(f"shady-{n}" for n in range(SHADY))
    """Accredited workshops and inspectors that write whatever they are paid for."""

    def dealer_of(self, number: int) -> str:
        every = [name for names in self.dealers.values() for name in names]
        return every[number % len(every)]


def _in_cities(kind: str, count: int) -> dict[str, tuple[str, ...]]:
    return {city: tuple(f"{kind}-{city}-{n}" for n in range(count)) for city in CITIES}


TRADE: Final = Trade(
    _in_cities("workshop", WORKSHOPS_IN_A_CITY), _in_cities("inspector", INSPECTORS_IN_A_CITY),
    _in_cities("dealer", DEALERS_IN_A_CITY),
)  # fmt: skip


def _parties() -> list[tuple[Party, str]]:
    """Each party with its city."""
    found = [
        (Party("bmw", "DE", (("manufacturer", BMW_WMIS),), 10, group="bmw", site="MUC-PLANT"), "munich"),
        (Party("dealer-munich", "DE", (("dealer", ()),), 10, site="MUC-1"), "munich"),
        (Party("dealer-shanghai", "CN", (("dealer", ()),), 10), ""),
        (Party("workshop-berlin", "DE", (("workshop", ()),), 10, site="BER-1"), "berlin"),
        (Party(SPONSOR, "DE", (("bank", ()), ("payment_provider", ()))), ""),
        (Party(PROVIDER, "DE", (("payment_provider", ()),)), ""),
        (Party("police-1", "DE", (("police", ()),)), ""),
        (Party("registrar-1", "DE", (("registrar", ()),)), ""),
        (Party("registrar-2", "PL", (("registrar", ()),)), ""),
        (Party("dismantler-1", "DE", (("dismantler", ()),), site="BER-9"), "berlin"),
        (Party(WASH_DEALER, "DE", (("dealer", ()),), group="wash", site="W-1"), "berlin"),
        (Party(WASH_INSPECTOR, "DE", (("inspector", ()),), group="wash", site="W-2"), "berlin"),
        (Party(SHADY_DEALER, "DE", (("dealer", ()),), site="W-3"), "leipzig"),
        *((Party(name, "DE", (("insurer", ()),)), "") for name in TRADE.insurers),
        *((Party(name, "DE", (("arbiter", ()),), group=group), "")
          for name, group in zip(ARBITERS, ("consumers", "consumers", "trade", "trade", "engineers"), strict=True)),
        *((Party(name, "DE", (("workshop", ()), ("inspector", ())), site="R-1"), "cologne") for name in TRADE.rivals),
        *((Party(name, "DE", (("workshop", ()), ("inspector", ())), site="S-1"), "leipzig") for name in TRADE.shady),
    ]  # fmt: skip
    for city, (country, _, _) in CITIES.items():
        code = city[:3].upper()
        every = ("hv", "structural", "assist")
        found += [(Party(name, country, (("workshop", ()),), site=f"{code}-W{n}", capabilities=every), city)
                  for n, name in enumerate(TRADE.workshops[city])]  # fmt: skip
        found += [(Party(name, country, (("inspector", ()),), group=f"inspection-{n}", site=f"{code}-I{n}"), city)
                  for n, name in enumerate(TRADE.inspectors[city])]  # fmt: skip
        found += [(Party(name, country, (("dealer", ()),), site=f"{code}-D{n}"), city)
                  for n, name in enumerate(TRADE.dealers[city])]  # fmt: skip
    return found


SITES: Final[dict[str, str]] = {party.name: party.site for party, _ in _parties()}
"""Member to the code of its site, empty for none."""
CITY_OF: Final[dict[str, str]] = {party.name: city for party, city in _parties()}


def fleet_genesis(time_ms: int, tree_depth: int) -> Genesis:
    """The genesis of a fleet's chain, with the default parameters; its keys are development keys."""
    accounts = []
    for party, city in _parties():
        account = account_of(replace_site(party), dev_key, b"")
        if party.site and account.member is not None:
            country, latitude, longitude = CITIES[city]
            site = Site(party.site, country, latitude, longitude, (), "", "", "")
            account = replace(account, member=replace(account.member, sites=(site,)))
        accounts.append(account)
    return Genesis("bmw-fleet", time_ms, tree_depth, ChainParams(), tuple(accounts), None)


def replace_site(party: Party) -> Party:
    """The party without its site, whose place `account_of` would take from its country."""
    return Party(party.name, party.country, party.roles, party.power, party.is_member, party.group, "",
                 party.capabilities)  # fmt: skip
