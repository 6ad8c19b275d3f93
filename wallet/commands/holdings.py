"""`bmw-wallet cars`: the cars that an account holds."""

from __future__ import annotations

from typing import Any

import click

from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import NodeRefused
from wallet.commands.read import accounts_named, echo_verified, held_by, verified_json
from wallet.commands.shared import accept_old_root, example, with_session
from wallet.session import Session
from wallet.show import echo_json, echo_table, plain


@click.command("cars", epilog=example("bmw-wallet cars\nbmw-wallet cars dealer-munich --json"))
@click.argument("address", required=False)
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="cars at most")
@accept_old_root
@with_session
def cars(session: Session, address: str | None, limit: int, accept_old_root: bool) -> None:
    """The cars that an account holds, each proven. ADDRESS may be a name; without one, this home's keys are asked.

    A node could leave a car out: that there are no others is not proven.
    """
    session.check_chain()
    light, found = session.light_client(accept_old_root), list[dict[str, Any]]()
    for each in accounts_named(session, address):
        try:
            found += held_by(session, light, VEHICLE, each, limit)
        except NodeRefused as error:
            if error.problem_code != "account_unknown" or address is not None:
                raise  # a key of this home may have no account yet
    if session.wants_json:
        echo_json({"cars": found} | (verified_json(light) if found else {}))
    elif found:
        rows = [
            (car["vin"], car["model"], car["summary"], car["verdict"], plain(car["title_since"])[:10], car["holder"])
            for car in found
        ]
        echo_table(("vin", "model", "summary", "odometer", "since", "holder"), rows)
        echo_verified(light)
    else:
        click.echo("The node lists no cars; that there are none is not proven.", err=True)
