"""`bmw-node`: the program for operators."""

from __future__ import annotations

import click

from node.cli.debug import debug
from node.cli.devnet import devnet
from node.cli.exit_codes import fail
from node.cli.init import init, keys, reset_signing, testnet
from node.cli.options import example
from node.cli.repair import compact, reindex, rollback, verify_store
from node.cli.rulesets import rulesets
from node.cli.signer import signer
from node.cli.start import start
from node.cli.status import peers, status, validators
from node.cli.stores import checkpoint, export, import_, inspect
from node.cli.successor import inherit, successor
from node.usage import Program, with_versions


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
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


for command in (
    init, start, signer, devnet, testnet, keys, status, peers, validators, checkpoint, export, import_, inspect,
    reset_signing, rollback, reindex, verify_store, compact, debug, successor, inherit,
    rulesets,
):  # fmt: skip
    cli.add_command(command)
with_versions(cli, "bmw-node")


def main() -> None:
    cli(prog_name="bmw-node")


if __name__ == "__main__":
    main()
