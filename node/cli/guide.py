"""What a person can do on a development network: its accounts, and commands to type in another terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import click

from node.chain.genesis import Genesis
from node.console import Cell, say, show_table
from node.crypto.addresses import to_text

PASSPHRASE = "devnet-only"
COLUMNS = ("account", "roles", "validator", "key", "address")
HERE, PUBLIC = "in the wallet", "key import --dev"


class Played(NamedTuple):
    """What a story has left on the chain: a car, its holder, and the keys in the wallet, name to address."""

    vin: str
    holder: str
    keys: Mapping[str, str]


def show_accounts(genesis: Genesis, played: Played | None) -> None:
    """The accounts of the network, and how to sign as one of them."""
    keys = dict(played.keys) if played is not None else {}
    rows = []
    for account in genesis.accounts:
        member = account.member
        roles = ", ".join(grant.role for grant in member.roles) if member is not None else "-"
        is_validator = member is not None and member.validator is not None
        key = Cell(HERE, "good") if account.name in keys else Cell(PUBLIC)
        rows.append(
            (Cell(account.name, "strong"), roles, "yes" if is_validator else "no", key, to_text(account.address))
        )
        keys.pop(account.name, None)
    rows.extend((Cell(name, "strong"), "-", "no", Cell(HERE, "good"), address) for name, address in keys.items())
    click.echo()
    say("Accounts", "strong")
    show_table(COLUMNS, rows)
    say(
        "--from NAME signs as an account whose key is in the wallet. The keys of a development network are public: "
        "bmw-wallet key import --dev NAME takes any of the others into it."
    )


def commands(folder: Path, genesis_file: Path, url: str, played: Played | None) -> Iterator[str]:
    """Lines for a shell, each of which works as it is."""
    yield f"export BMW_WALLET_NODE={url} BMW_WALLET_HOME={quote(str(folder / 'wallet'))}"
    yield f"export BMW_WALLET_GENESIS={quote(str(genesis_file))} BMW_WALLET_PASSPHRASE={PASSPHRASE}"
    if played is None:
        yield "bmw-wallet key import --dev bmw"
        yield "bmw-wallet tx vehicle.register --help"
    else:
        yield f"bmw-wallet history {played.vin}"
        yield f"bmw-wallet report {played.vin}"
        yield f"bmw-wallet account {played.holder}"
        read = f"bmw-wallet tx odometer.read --vin {played.vin} --context inspection --from inspector-1"
        read += " --where site=INS-1,vin_source=scan,model_seen=330I"
        yield f"{read} --odometer 1200km --wait"
        yield f"{read} --odometer 5km --dry-run"
    yield "bmw-wallet listings"
    yield f"bmw-node status --node {url}"
    yield f"bmw-node validators --node {url}"
    yield f"curl -s {url}/v1/status"


def show_commands(folder: Path, genesis_file: Path, url: str, played: Played | None) -> None:
    """What to type while the network is up."""
    click.echo()
    say("The network stays up until Ctrl-C. In another terminal, for example:", "strong")
    for line in commands(folder, genesis_file, url, played):
        click.echo(f"  {line}")
    click.echo(f"The interface to try in a browser: {url}/docs")
