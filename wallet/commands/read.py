"""`bmw-wallet vehicle`, `history`, `order`, `account`, `listings`: what is on the chain, proven where asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from node.crypto.addresses import to_text
from node.errors import InvalidProof, Malformed
from node.ledger.family import AsOf, Family, Reader
from node.ledger.json_form import time_to_text, to_json
from node.limits import DAY_MS
from node.rules.vin import VIN_PATTERN
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.sale.order import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from wallet.client import NodeRefused
from wallet.commands.shared import errors_told, example, session_of, with_session
from wallet.history import check_history
from wallet.light import LightClient
from wallet.session import Session
from wallet.show import echo_facts, echo_json, echo_table, plain, timeline


def _vin(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.match(VIN_PATTERN, value):
        raise click.BadParameter(f"{value!r} is not a VIN: 17 characters of A-Z and 0-9 without I, O and Q")
    return value


def _ident(_: click.Context, __: click.Parameter, value: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise click.BadParameter(f"{value!r} is not an id: 64 characters of lower-case hex, as `tx` printed them")
    return bytes.fromhex(value)


def verifying(command: Callable[..., None]) -> Callable[..., None]:
    """`--verify` and `--accept-old-root`: the command gets a light client, or None."""

    @click.option("--verify", is_flag=True, help="show only what is proven against the validators' signatures")
    @click.option("--accept-old-root", is_flag=True, help="start from a trust root older than 180 days")
    @wraps(command)
    def wrapped(*args: Any, verify: bool, accept_old_root: bool, **values: Any) -> None:
        with errors_told():
            session = session_of(click.get_current_context())
            session.check_known_chain()
            light = session.light_client(accept_old_root) if verify else None
            command(*args, session=session, light=light, **values)

    return wrapped


def _view(session: Session, light: LightClient | None, family: Family[Any], ident: str) -> dict[str, Any] | None:
    """What a value counts as now: as the node says, or computed here from proven values; None where its absence is
    proven. Both are one function's."""
    if light is None:
        shown = session.client.get_json(f"{family.path}/{ident}")
        return {name: value for name, value in shown.items() if name not in ("height", "time")}

    def compute(reader: Reader, as_of: AsOf) -> dict[str, Any] | None:
        value = reader.get(family, ident)
        assert family.view is not None, "the family is served"
        return None if value is None else to_json(family.view.of(ident, value, reader, as_of))

    return session.verified(light, compute)


def _verification(light: LightClient) -> dict[str, Any]:
    report = light.report()
    return {
        "height": report.header.height,
        "time": time_to_text(report.header.time_ms),
        "root_height": report.root_height,
        "root_id": report.root_id.hex(),
        "root_age_days": report.root_age_ms // DAY_MS,
        "set_changes": report.set_changes,
    }


def _tell(session: Session, shown: dict[str, Any], light: LightClient | None) -> None:
    """Facts, and on standard error how they were verified."""
    if light is not None:
        shown = shown | {"verified": _verification(light)}
    if session.wants_json:
        echo_json(shown)
        return
    echo_facts({name: value for name, value in shown.items() if name != "verified"})
    _tell_verified(light)


def _tell_verified(light: LightClient | None) -> None:
    if light is None:
        return
    found = _verification(light)
    click.secho(f"verified at height {found['height']}, {found['time']}", fg="green")
    click.echo(
        f"(trust root: height {found['root_height']}, id {found['root_id']}, {found['root_age_days']} days old; "
        f"{found['set_changes']} changes of the validator set since)",
        err=True,
    )


@click.command("vehicle", epilog=example("bmw-wallet vehicle WBA8E9G50GNU12345 --verify"))
@click.argument("vin", callback=_vin)
@with_session
@verifying
def vehicle(vin: str, session: Session, light: LightClient | None) -> None:
    """A vehicle as it is now: existence, registration, title, market, flags, odometer verdict."""
    shown = _view(session, light, VEHICLE, vin)
    if shown is None:
        _tell_verified(light)
        raise InvalidProof(f"it is proven that {vin} is not on this chain: compare it with the papers")
    _tell(session, shown, light)


@click.command("history", epilog=example("bmw-wallet history WBA8E9G50GNU12345 --limit 50"))
@click.argument("vin", callback=_vin)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="records at most")
@with_session
@verifying
def history(vin: str, limit: int, session: Session, light: LightClient | None) -> None:
    """Every record of a vehicle, the oldest first; with --verify complete and unchanged."""
    found: Vehicle | None = None
    if light is not None:
        found = session.verified(light, lambda reader, _: reader.get(VEHICLE, vin))
        if found is None:
            raise InvalidProof(f"it is proven that {vin} is not on this chain: compare it with the papers")
        limit = found.record_count
    records = session.client.pages(f"/v1/vehicles/{vin}/history", {}, "records", limit) if limit else []
    shown: dict[str, Any] = {"vin": vin, "records": records}
    if light is not None and found is not None:
        withheld = check_history(records, found)
        shown["verified"] = _verification(light) | {"withheld": withheld}
    if session.wants_json:
        echo_json(shown)
        return
    for line in timeline(records):
        click.echo(line)
    click.echo(f"{len(records)} records")
    _tell_verified(light)


@click.command("order", epilog=example("bmw-wallet order 5f1c... --json"))
@click.argument("ident", metavar="ID", callback=_ident)
@with_session
@verifying
def order(ident: bytes, session: Session, light: LightClient | None) -> None:
    """An order with its payments."""
    shown = _view(session, light, ORDER, ident.hex())
    if shown is None:
        raise InvalidProof(f"it is proven that there is no order {ident.hex()}: compare the id")
    _tell(session, shown, light)


@click.command("account", epilog=example("bmw-wallet account\nbmw-wallet account dealer-munich --verify"))
@click.argument("address", required=False)
@with_session
@verifying
def account(address: str | None, session: Session, light: LightClient | None) -> None:
    """An account: keys, sponsor, membership, roles. ADDRESS may be a name; without one, this home's keys are asked."""
    if address is not None:
        try:
            addresses = [session.address(address)]
        except Malformed as error:
            raise click.BadParameter(str(error), param_hint="ADDRESS") from None
    else:
        addresses = [info.address for info in session.keystore.list()]
        if not addresses:
            raise click.UsageError("there are no keys here: name an ADDRESS, or make one with bmw-wallet key new")
    shown = [_account(session, light, one, is_asked_for=address is not None) for one in addresses]
    if len(shown) == 1:
        _tell(session, shown[0], light)
    elif session.wants_json:
        echo_json({"accounts": shown} | ({"verified": _verification(light)} if light is not None else {}))
    else:
        for one in shown:
            echo_facts(one)
            click.echo()
        _tell_verified(light)


def _account(
    session: Session, light: LightClient | None, address: bytes, *, is_asked_for: bool = True
) -> dict[str, Any]:
    """A key that has no account yet is only shown as such, unless it was asked for by name."""
    none_yet = {"address": to_text(address), "account": None}
    try:
        shown = _view(session, light, ACCOUNT, address.hex())
    except NodeRefused as error:
        if error.problem_code != "account_unknown" or is_asked_for:
            raise
        return none_yet
    if shown is None and is_asked_for:
        raise InvalidProof(f"it is proven that there is no account {to_text(address)}: a member opens one for you")
    return shown or none_yet


@click.command("listings", epilog=example("bmw-wallet listings --country DE --model 330I"))
@click.option("--country", metavar="CODE", help="ISO 3166-1 alpha-2, such as DE")
@click.option("--model", metavar="CODE", help="model code, such as 330I")
@click.option("--seller", metavar="ADDRESS", help="address or name")
@click.option("--vin", metavar="VIN", help="one vehicle")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="listings at most")
@with_session
@click.pass_context
def listings(context: click.Context, /, limit: int, **filters: str | None) -> None:
    """Cars on offer."""
    with errors_told():
        session = session_of(context)
        session.check_known_chain()
        query = {name: value for name, value in filters.items() if value}
        if "seller" in query:
            try:
                query["seller"] = to_text(session.address(query["seller"]))
            except Malformed as error:
                raise click.BadParameter(str(error), param_hint="--seller") from None
        found = session.client.pages("/v1/listings", query, "listings", limit)
        if session.wants_json:
            echo_json({"listings": found})
        elif found:
            echo_table(
                ("listing", "vin", "model", "price", "country", "seller", "until"),
                [
                    (
                        item.get("id"), item.get("vin"), item.get("model"), item.get("price"), item.get("country"),
                        item.get("seller_name") or item.get("seller"), plain(item.get("expires_at", ""))[:10],
                    )
                    for item in found
                ],
            )  # fmt: skip
        else:
            click.echo("No cars on offer that fit.", err=True)
