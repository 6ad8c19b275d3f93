"""`bmw-wallet vehicle`, `history`, `order`, `account`, `listings`: state of the chain, on request with proofs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final

import click

from node import limits
from node.console import say
from node.crypto.addresses import to_text
from node.errors import InvalidProof, Malformed
from node.ledger.family import AsOf, Family, MissingKey, Reader
from node.ledger.json_form import time_to_text, to_json
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import frauds_since
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import NodeRefused, at_height
from wallet.commands.shared import accept_old_root, example, with_session
from wallet.history import proven_records, record_json
from wallet.light import LightClient
from wallet.session import Session
from wallet.show import counted, echo_facts, echo_json, echo_table, plain
from wallet.timeline import echo_timeline
from wallet.values import parse_vin

KEYS_MAX: Final = limits.RPC_KEYS_MAX - 10
"""State keys of one request, with room for those that a view turns out to read. Above: a list is proven in smaller
steps."""

LIST_STEP: Final = 20

HEIGHT_MAX: Final = 2**53 - 1

HELD_SHOWN: Final = 100
"""Cars and orders that `account` shows; `cars` has a limit of its own."""

OLD_HEAD_MS: Final = 10 * 60_000
"""An idle chain makes a block every ten seconds. Above: the reader is told that newer blocks may be held back."""


def parsed_vin(text: str) -> str:
    try:
        return parse_vin(text)
    except Malformed as error:
        raise click.BadParameter(str(error)) from None


def ident(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise click.BadParameter(f"{text!r} is not an id: 64 characters of lower-case hex, as `tx` printed them")
    return text


def _address(session: Session, text: str, parameter: str) -> bytes:
    try:
        return session.address(text)
    except Malformed as error:
        raise click.BadParameter(str(error), param_hint=parameter) from None


def verifying(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--verify`, `--accept-old-root` and the session's options. Passes session, and light client or None."""

    @click.option("--verify", is_flag=True, help="show only what is proven against the validators' signatures")
    @accept_old_root
    @with_session
    @wraps(command)
    def wrapped(session: Session, verify: bool, accept_old_root: bool, **values: Any) -> None:
        session.check_known_chain()
        command(session, session.light_client(accept_old_root) if verify else None, **values)

    return wrapped


def as_of_height(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--height`."""
    text = "as it was after this height, if the node keeps that state; 0: as it is now"
    return click.option("--height", type=click.IntRange(0, HEIGHT_MAX), default=0, help=text)(command)


def _view(
    session: Session, light: LightClient | None, family: Family[Any], ident: str, height: int = 0
) -> dict[str, Any] | None:
    """The view of a value: the node's answer, or computed here from proven values; None if its absence is proven. That
    of a height, if it is not 0, has the height and its time."""
    if light is None:
        answer = session.client.call_json(f"{family.path}/{ident}", at_height(height))
        return {name: value for name, value in answer.items() if height or name not in ("height", "time")}

    def compute(reader: Reader, as_of: AsOf) -> dict[str, Any] | None:
        value = reader.get(family, ident)
        assert family.view is not None, "the family is served"
        stamp = {"height": height, "time": time_to_text(as_of.now_ms)} if height else {}
        return None if value is None else to_json(family.view.of(ident, value, reader, as_of)) | stamp

    return session.verified(light, compute, height=height)


def proven_values(
    session: Session, light: LightClient, family: Family[Any], idents: Sequence[str]
) -> list[dict[str, Any]]:
    """The views of the values that a node lists, computed from proven values; those that are gone are left out."""
    known = [family.ident.canonical(each) for each in dict.fromkeys(idents)]
    views: list[dict[str, Any]] = []
    for start in range(0, len(known), LIST_STEP):
        views += _proven_step(session, light, family, known[start : start + LIST_STEP])
    return views


def _proven_step(session: Session, light: LightClient, family: Family[Any], idents: list[str]) -> list[dict[str, Any]]:
    """All keys that any of the views lacks are requested together, so that few requests are needed."""
    keys = [family.key(each) for each in idents]
    assert family.view is not None, "the family is served"
    view, missing = family.view, list[bytes]()

    def compute(reader: Reader, as_of: AsOf) -> list[dict[str, Any]]:
        missing.clear()
        views = []
        for each in idents:
            try:
                if (value := reader.get(family, each)) is not None:
                    views.append(to_json(view.of(each, value, reader, as_of)))
            except MissingKey as lacking:
                missing.append(lacking.key)
        return views

    while True:
        if len(keys) > KEYS_MAX and len(idents) > 1:
            middle = len(idents) // 2
            halves = (idents[:middle], idents[middle:])
            return [each for half in halves for each in _proven_step(session, light, family, half)]
        views = session.verified(light, compute, keys)
        if not missing:
            return views
        keys += [key for key in dict.fromkeys(missing) if key not in keys]


def verified_json(light: LightClient | None) -> dict[str, Any]:
    return {} if light is None else {"verified": to_json(light.report())}


def echo_verified(light: LightClient | None) -> None:
    """Print the verified height, and the trust root on standard error."""
    if light is None:
        return
    report = light.report()
    age_ms = time.time_ns() // 1_000_000 - report.time_ms
    if age_ms > OLD_HEAD_MS:
        say(
            f"The newest block that this node proves is {age_ms // 60_000} minutes old: the chain has stopped, or the "
            "node holds back newer blocks; compare with another node.",
            "warn", err=True,
        )  # fmt: skip
    say(f"verified at height {report.height}, {time_to_text(report.time_ms)}", "good")
    click.echo(
        f"(trust root: height {report.root_height}, id {report.root_id.hex()}, {report.root_age_days} days old; "
        f"{report.set_changes} changes of the validator set since)",
        err=True,
    )


def _echo_view(session: Session, view: dict[str, Any], light: LightClient | None) -> None:
    if session.wants_json:
        echo_json(view | verified_json(light))
        return
    echo_facts(view)
    echo_verified(light)


@click.command("vehicle", epilog=example("bmw-wallet vehicle WBA8E9G50GNU12345 --verify"))
@click.argument("vin", type=parsed_vin)
@as_of_height
@verifying
def vehicle(session: Session, light: LightClient | None, vin: str, height: int) -> None:
    """A vehicle as it is now: existence, registration, title, market, flags, odometer verdict."""
    view = _view(session, light, VEHICLE, vin, height)
    if view is None:
        echo_verified(light)
        raise no_vehicle(vin, height)
    _echo_view(session, view, light)


def no_vehicle(vin: str, height: int = 0) -> InvalidProof:
    if height:
        return InvalidProof(f"it is proven that {vin} was not on this chain at height {height}")
    return InvalidProof(f"it is proven that {vin} is not on this chain: compare it with the papers")


@click.command("history", epilog=example("bmw-wallet history WBA8E9G50GNU12345 --limit 50"))
@click.argument("vin", type=parsed_vin)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="records at most")
@verifying
def history(session: Session, light: LightClient | None, vin: str, limit: int) -> None:
    """Every record of a vehicle, the oldest first; with --verify complete and unchanged."""
    if light is None:
        records = session.client.pages(f"/v1/vehicles/{vin}/history", {}, "records", limit)
    else:
        records = _proven_history(session, light, vin)
    withheld = sum(record.get("content") is None for record in records)
    verified = verified_json(light)
    if light is not None:
        verified["verified"]["withheld"] = withheld
    if session.wants_json:
        echo_json({"vin": vin, "records": records} | verified)
        return
    echo_timeline(records)
    click.echo(counted(len(records), "record") + (f", {withheld} of them withheld by the node" if withheld else ""))
    echo_verified(light)


def _proven_history(session: Session, light: LightClient, vin: str) -> list[dict[str, Any]]:
    """The records of a vehicle as its proven state commits to them."""
    proven, frauds = session.verified(light, lambda reader, _: (reader.get(VEHICLE, vin), frauds_since(reader)))
    if proven is None:
        raise no_vehicle(vin)
    count = proven.record_count
    given = session.client.pages(f"/v1/vehicles/{vin}/history", {}, "records", count) if count else []
    records = proven_records(given, proven)
    return [record_json(vin, sequence, record, frauds) for sequence, record in enumerate(records)]


@click.command("order", epilog=example("bmw-wallet order show 5f1c... --json"))
@click.argument("ident", metavar="ID", type=ident)
@as_of_height
@verifying
def order(session: Session, light: LightClient | None, ident: str, height: int) -> None:
    """An order with its payments."""
    view = _view(session, light, ORDER, ident, height)
    if view is None:
        then = f"was no order {ident} at height {height}" if height else f"is no order {ident}: compare the id"
        raise InvalidProof(f"it is proven that there {then}")
    if session.wants_json:
        echo_json(view | verified_json(light))
        return
    echo_facts(_in_currency(view, _price_of(view).get("currency", "")))
    echo_verified(light)


AMOUNTS: Final = frozenset({
    "amount", "cancel_fee", "kept", "net", "final", "authorised", "voided", "captured", "under_way", "settled",
    "returned", "refunded", "charged_back", "represented", "instructed", "excess",
})  # fmt: skip
"""Fields of orders and payments in minor units of the price's currency."""


def _price_of(order: Mapping[str, Any]) -> dict[str, Any]:
    """The price of an order, empty where the node shows none."""
    terms = order.get("terms")
    price = terms.get("price") if isinstance(terms, dict) else None
    return price if isinstance(price, dict) else {}


def _in_currency(value: Any, currency: str) -> Any:
    """An order's JSON with its minor units as money, for people."""
    if isinstance(value, list):
        return [_in_currency(entry, currency) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: {"amount": str(entry), "currency": currency}
        if name in AMOUNTS and type(entry) is int
        else _in_currency(entry, currency)
        for name, entry in value.items()
    }


@click.command("account", epilog=example("bmw-wallet account\nbmw-wallet account dealer-munich --verify"))
@click.argument("address", required=False)
@verifying
def account(session: Session, light: LightClient | None, address: str | None) -> None:
    """An account: keys, sponsor, membership, roles, its first cars and orders.

    ADDRESS may be a name; without one, this home's keys are asked. With --verify what is listed is proven; that the
    lists of cars and orders are complete is not.
    """
    addresses = accounts_named(session, address)
    views = [_account(session, light, each, is_named=address is not None) for each in addresses]
    if len(views) == 1:
        _echo_view(session, views[0], light)
    elif session.wants_json:
        echo_json({"accounts": views} | verified_json(light))
    else:
        for view in views:
            echo_facts(view)
            click.echo()
        echo_verified(light)
    if light is not None:
        click.echo("(every car and order listed is proven; that there are no more is the node's word)", err=True)


def accounts_named(session: Session, address: str | None) -> list[bytes]:
    """The account that is named; without a name those of this home's keys. Raises `click.UsageError`."""
    if address is not None:
        return [_address(session, address, "ADDRESS")]
    addresses = [info.address for info in session.keystore.list()]
    if not addresses:
        raise click.UsageError("there are no keys here: name an ADDRESS, or make one with bmw-wallet key new")
    return addresses


def _account(session: Session, light: LightClient | None, address: bytes, *, is_named: bool) -> dict[str, Any]:
    """The view of an account. A key of this home may have none yet; an account that was named must exist."""
    try:
        view = _view(session, light, ACCOUNT, address.hex())
    except NodeRefused as error:
        if error.problem_code != "account_unknown" or is_named or light is not None:
            raise
        view = None
    if view is None and is_named:
        raise InvalidProof(f"it is proven that there is no account {to_text(address)}: a member opens one for you")
    if view is None:
        return {"address": to_text(address), "account": None}
    return view | holdings(session, light, address)


def held_by(
    session: Session, light: LightClient | None, family: Family[Any], address: bytes, limit: int
) -> list[dict[str, Any]]:
    """Views of the cars that an account holds, or of the orders that it is a party to. With a light client each is
    proven, and left out where the account has nothing to do with it."""
    text, plural = to_text(address), family.path.rpartition("/")[2]
    items = session.client.pages(f"/v1/accounts/{text}/{plural}", {}, plural, limit)
    if light is None:
        return items
    proven = proven_values(
        session, light, family, [str(item.get("vin" if family is VEHICLE else "id")) for item in items]
    )
    return [item for item in proven if text in _parties_of(item)]


def _parties_of(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """The holder of a car; seller, agent, buyer and lender of an order."""
    finance = (item.get("terms") or {}).get("finance") or {}
    return item.get("holder"), item.get("seller"), item.get("buyer"), item.get("agent"), finance.get("lender")


def holdings(session: Session, light: LightClient | None, address: bytes) -> dict[str, Any]:
    """The cars and orders of an account, the first `HELD_SHOWN` of each."""
    cars = held_by(session, light, VEHICLE, address, HELD_SHOWN)
    orders = held_by(session, light, ORDER, address, HELD_SHOWN)
    return {
        "cars": [{name: car.get(name) for name in ("vin", "model", "summary")} for car in cars],
        "orders": [
            {name: each.get(name) for name in ("id", "vin", "status")} | {"price": _price_of(each)} for each in orders
        ],
    }


@click.command("listings", epilog=example("bmw-wallet listings --country DE --model 330I"))
@click.option("--country", metavar="CODE", help="ISO 3166-1 alpha-2, such as DE")
@click.option("--model", metavar="CODE", help="model code, such as 330I")
@click.option("--seller", metavar="ADDRESS", help="address or name")
@click.option("--vin", metavar="VIN", help="one vehicle")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="listings at most")
@with_session
def listings(session: Session, /, limit: int, **filters: str | None) -> None:
    """Cars on offer."""
    session.check_known_chain()
    query = {name: value for name, value in filters.items() if value}
    if "seller" in query:
        query["seller"] = to_text(_address(session, query["seller"], "--seller"))
    items = session.client.pages("/v1/listings", query, "listings", limit)
    if session.wants_json:
        echo_json({"listings": items})
    elif items:
        echo_table(
            ("listing", "vin", "model", "price", "country", "seller", "until"),
            [
                (
                    item.get("id"), item.get("vin"), item.get("model"), item.get("price"), item.get("country"),
                    item.get("seller_name") or item.get("seller"), plain(item.get("expires_at", ""))[:10],
                )
                for item in items
            ],
        )  # fmt: skip
    else:
        click.echo("No cars on offer that fit.", err=True)
