"""`bmw-wallet`: for dealers, workshops and buyers. The commands are in `wallet.commands`."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

import click

from node.errors import Corrupted, OperatorError, Rejected
from node.usage import Program, with_versions
from wallet.commands.files import cosign, sign, submit
from wallet.commands.holdings import cars
from wallet.commands.key import key
from wallet.commands.proposals import proposal, proposals
from wallet.commands.read import account, history, listings, order, vehicle
from wallet.commands.ref import ref
from wallet.commands.shared import EXIT_REFUSED, EXIT_UNREADABLE, example, session_options
from wallet.commands.tx import tx
from wallet.show import echo_rejected, plain


class Wallet(Program):
    """The root group. It turns every error into one sentence on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except Rejected as error:
            echo_rejected(error)
            ctx.exit(EXIT_REFUSED)
        except (OperatorError, Corrupted) as error:
            advice = ": name another node" if isinstance(error, Corrupted) else ""
            click.secho(f"Error: {plain(error)}{advice}.", fg="red", err=True)
            ctx.exit(EXIT_UNREADABLE)
        except BrokenPipeError:
            # The reader of our output has closed it (`| head`), which is no error of ours.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(0)


@click.group(
    cls=Wallet,
    context_settings={"help_option_names": ["-h", "--help"]},
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


for _command in (key, tx, sign, cosign, submit, vehicle, history, order, account, cars, listings, proposals, proposal):
    main.add_command(_command)
main.add_command(ref)
with_versions(main, "bmw-wallet")


if __name__ == "__main__":
    main()
