"""`bmw-node`: the program for operators."""

from __future__ import annotations

from typing import Final

import click

from node.cli.exit_codes import fail
from node.usage import CONTEXT, Program, example, with_versions

PLACES: Final = {
    "checkpoint": "node.cli.stores:checkpoint",
    "compact": "node.cli.repair:compact",
    "debug": "node.cli.debug:debug",
    "devnet": "node.cli.devnet:devnet",
    "export": "node.cli.stores:export",
    "import": "node.cli.stores:import_",
    "inherit": "node.cli.successor:inherit",
    "init": "node.cli.init:init",
    "inspect": "node.cli.stores:inspect",
    "keys": "node.cli.init:keys",
    "load": "node.cli.load:load",
    "peers": "node.cli.status:peers",
    "reindex": "node.cli.repair:reindex",
    "reset-signing": "node.cli.init:reset_signing",
    "rollback": "node.cli.repair:rollback",
    "rulesets": "node.cli.rulesets:rulesets",
    "serve": "node.cli.serve:serve",
    "signer": "node.cli.signer:signer",
    "start": "node.cli.start:start",
    "status": "node.cli.status:status",
    "successor": "node.cli.successor:successor",
    "testnet": "node.cli.init:testnet",
    "validators": "node.cli.status:validators",
    "verify-store": "node.cli.repair:verify_store",
}
"""Every command, and where it is."""


@click.group(
    "bmw-node",
    cls=Program,
    places=PLACES,
    context_settings=CONTEXT,
    epilog=example(
        "bmw-node init /var/lib/bmw-node --genesis genesis.json",
        "bmw-node start --home /var/lib/bmw-node",
        "bmw-node status --node http://127.0.0.1:26700",
    ),
)
def cli() -> None:
    """Run and maintain a node of the vehicle chain."""
    if not __debug__:
        fail("bmw-node refuses to run under 'python -O': its assertions guard the chain", 2)


with_versions(cli, "bmw-node")


def main() -> None:
    cli(prog_name="bmw-node")


if __name__ == "__main__":
    main()
