"""`bmw-wallet`: for dealers, workshops and buyers. The commands are in `wallet.commands`."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any, Final

import click

from node.console import say
from node.errors import Corrupted, OperatorError, Rejected
from node.usage import CONTEXT, Program, example, with_versions
from wallet.commands.shared import EXIT_REFUSED, EXIT_UNREADABLE, session_options

PLACES: Final = {
    "account": "wallet.commands.read:account",
    "buy": "wallet.commands.buying:buy",
    "cars": "wallet.commands.holdings:cars",
    "certificate": "wallet.commands.certificate:certificate",
    "cosign": "wallet.commands.files:cosign",
    "history": "wallet.commands.read:history",
    "key": "wallet.commands.key:key",
    "listings": "wallet.commands.read:listings",
    "order": "wallet.commands.orders:order",
    "outbox": "wallet.commands.outbox:outbox",
    "proposal": "wallet.commands.proposals:proposal",
    "proposals": "wallet.commands.proposals:proposals",
    "ref": "wallet.commands.ref:ref",
    "report": "wallet.commands.report:report",
    "sign": "wallet.commands.files:sign",
    "submit": "wallet.commands.files:submit",
    "tx": "wallet.commands.tx:tx",
    "vehicle": "wallet.commands.read:vehicle",
}
"""Every command, and where it is."""


class Wallet(Program):
    """The root group. It turns every error into one sentence on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Rejected as error:
            from wallet.show import echo_rejected

            echo_rejected(error)
            ctx.exit(EXIT_REFUSED)
        except (OperatorError, Corrupted) as error:
            advice = ": name another node" if isinstance(error, Corrupted) else ""
            say(f"Error: {error}{advice}.", "bad", err=True)
            ctx.exit(EXIT_UNREADABLE)
        except BrokenPipeError:
            # The reader of our output has closed it (`| head`), which is no error of ours.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(0)


@click.group(
    "bmw-wallet",
    cls=Wallet,
    places=PLACES,
    context_settings=CONTEXT,
    epilog=example(
        "bmw-wallet key new alice\n"
        "bmw-wallet vehicle WBA8E9G50GNU12345\n"
        "bmw-wallet tx odometer.read --help\n"
        "BMW_WALLET_NODE=http://10.0.0.1:26700,http://10.0.0.2:26700 bmw-wallet listings"
    ),
)
@partial(session_options, is_root=True)
def main() -> None:
    """Keys, transactions and reads for the vehicle chain.

    Exit codes: 0 done, 1 the chain refused or a check failed, 2 wrong usage, 3 could not reach or read something.
    """
    if not __debug__:
        click.echo("Error: bmw-wallet refuses to run under 'python -O': its assertions guard what is signed", err=True)
        sys.exit(2)


with_versions(main, "bmw-wallet")


if __name__ == "__main__":
    main()
