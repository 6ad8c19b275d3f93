"""`bmw-wallet tx`: one command for each transaction type, made from its fields."""

from __future__ import annotations

import inspect
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from node.crypto.addresses import to_text
from node.errors import Malformed, OperatorError
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import parse_time
from node.ledger.json_form import time_to_text
from node.txtypes.registry import TYPES
from node.txtypes.sale.listing import LISTING, Listing, disclosure_root
from node.txtypes.sale.order_types import OrderOffer
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from wallet.client import unmet_of
from wallet.commands.examples import example_of
from wallet.commands.shared import EXIT_REFUSED, Ended, errors_told, example, session_of, session_options
from wallet.compose import build_payload, sign_payload
from wallet.options import body_from, options_of
from wallet.session import Session, Signer, parse_signer, read_file
from wallet.show import echo_facts, echo_json, echo_unmet, plain
from wallet.submitting import Sent, submit_one
from wallet.txfile import TxDocument, write_document

EXPIRES_DEFAULT: Final = "+30m"
BODY_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True)
class Wish:
    """The options that every transaction command has."""

    sender: str
    cosigners: tuple[str, ...]
    is_waiting: bool
    is_dry: bool
    is_offline: bool
    output: Path | None
    body_file: Path | None
    expires: str


class TxCommand(click.Command):
    """Understands `--event_at` as `--event-at`: fields bear underscores everywhere else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_dashed(argument) for argument in args])


def _dashed(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def _common_options() -> list[click.Option]:
    path = click.Path(path_type=Path)
    return [
        click.Option(["sender", "--from"], required=True, metavar="NAME",
                     help="the sender's key; NAME@ADDRESS signs for another account than the key's own"),
        click.Option(["cosigners", "--cosign"], multiple=True, metavar="NAME", help="further signer (may be repeated)"),
        click.Option(["body_file", "--body"], type=path, metavar="FILE.json",
                     help="the body's fields as JSON; options win over it"),
        click.Option(["expires", "--expires"], default=EXPIRES_DEFAULT, show_default=True, metavar="TIME",
                     help="until when it may be committed, from the head's time"),
        click.Option(["is_waiting", "--wait"], is_flag=True, help="wait until it is committed; print height and index"),
        click.Option(["is_dry", "--dry-run"], is_flag=True, help="ask whether it would hold now; send nothing"),
        click.Option(["is_offline", "--offline"], is_flag=True, help="ask no node; write a file with -o for submit"),
        click.Option(["output", "-o", "--output"], type=path, metavar="FILE", help="the transaction file to write"),
    ]  # fmt: skip


@click.group("tx", epilog=example(example_of("vehicle.register")))
def tx() -> None:
    """Make, sign and send a transaction: one command for each type.

    Amounts are exact (52900.00EUR), readings have their unit (12000km), times are RFC 3339 or relative (now, +30d),
    lists are options repeated, structures JSON or name=value,name=value.
    """


def _command(name: str, struct: type[TransactionBody]) -> TxCommand:
    def run(**values: Any) -> None:
        context = click.get_current_context()
        wish = Wish(**{field: values.pop(field) for field in Wish.__dataclass_fields__})
        if wish.is_offline and (wish.is_dry or wish.is_waiting):
            raise click.UsageError("--offline asks no node: leave --dry-run and --wait away", context)
        if wish.is_offline and wish.output is None:
            raise click.UsageError("--offline needs a file to write: -o FILE", context)
        given = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if v not in (None, ())}
        with errors_told():
            _run(session_of(context), context, struct, given, wish)

    return TxCommand(
        name,
        context_settings={"help_option_names": ["-h", "--help"]},
        params=[*options_of(struct), *_common_options(), *session_options()],
        callback=run,
        help=inspect.cleandoc(struct.__doc__ or name),
        epilog=example(example_of(name)),
    )


for _name, _struct in TYPES.items():
    tx.add_command(_command(_name, _struct))


# --- making it -----------------------------------------------------------------------------------------
def _run(
    session: Session, context: click.Context, struct: type[TransactionBody], given: dict[str, Any], wish: Wish
) -> None:
    now_ms = _now(session, wish)
    try:
        if wish.body_file is not None:
            given = _body_file(wish.body_file, struct) | given
        if struct is OrderOffer and not wish.is_offline:
            given = _with_disclosure(session, given)
        body = body_from(struct, given, session.names(now_ms))
        expires_at_ms = parse_time(wish.expires, now_ms)
        sender, signers = _signers(session, wish)
        payload = build_payload(
            sender if sender is not None else signers[0].account(session.open_key(signers[0].name)),
            body,
            salt=secrets.randbits(64),
            expires_at_ms=expires_at_ms,
        )
    except Malformed as error:
        raise click.UsageError(_as_options(str(error), struct), context) from None
    document = TxDocument(session.genesis_hash, payload, ())
    for signer in signers:
        document = signed_by(session, document, signer)
    if wish.output is not None and wish.output.exists():
        raise OperatorError(f"{wish.output} is there already: name another file with -o")
    if wish.output is not None:
        write_document(wish.output, document)
        click.echo(f"Written to {wish.output}, with {len(document.signatures)} signatures.", err=True)
    if wish.is_dry:
        _dry_run(session, document)
    elif wish.output is None:
        tell_sent(session, submit_one(session, document, wish.is_waiting), document)
    elif session.wants_json:
        echo_json(document.to_json())


def _now(session: Session, wish: Wish) -> int:
    """The head's time, or this clock's where no node may be asked."""
    if wish.is_offline:
        session.genesis = session.offline_genesis()
        return time.time_ns() // 1_000_000
    return session.now_ms()


def _signers(session: Session, wish: Wish) -> tuple[bytes | None, list[Signer]]:
    """(sender where it is known without its key, who signs). Without the key, a file may go out to be signed."""
    first = parse_signer(session, wish.sender)
    cosigners = [parse_signer(session, text) for text in wish.cosigners]
    if session.has_key(first.name) or wish.output is None:
        session.keystore.info(first.name)
        return first.address, [first, *cosigners]
    return first.address or session.address(first.name), cosigners


def signed_by(session: Session, document: TxDocument, signer: Signer) -> TxDocument:
    key = session.open_key(signer.name)
    account = signer.account(key, document.payload.body.new_account_keys())
    return document.with_signature(sign_payload(document.payload_bytes, document.genesis_hash, account, key))


def _body_file(path: Path, struct: type[TransactionBody]) -> dict[str, Any]:
    try:
        value = json.loads(read_file(path, BODY_BYTES_MAX, "body file"))
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path} is not JSON ({error}): write the body's fields as one object") from None
    if not isinstance(value, dict):
        raise Malformed(f"{path}: an object with the body's fields is expected")
    named, wanted = value.pop("type", None), str(struct.__struct_config__.tag)
    if named not in (None, wanted):
        raise Malformed(f"{path} is the body of {named}, this command makes {wanted}")
    return value


def _as_options(text: str, struct: type[TransactionBody]) -> str:
    """The field that an error names, as the option that was typed.

    `body.event_at: ...` comes from reading, `body: ... - at `$.vin`` from decoding, `event_at: ...` from a static rule.
    """
    decoded = re.fullmatch(r"body: (.*) - at `\$\.([a-z_]+)(.*)`", text)
    if decoded is not None:
        text = f"body.{decoded[2]}{decoded[3]}: {decoded[1]}"
    for field in struct.__struct_fields__:
        name = field.removesuffix("_ms") if field.endswith("_at_ms") else field
        for head in (f"body.{name}", f"body.{field}", name, field):
            if text.startswith(head) and text[len(head) :][:1] in (":", ".", "["):
                return "--" + name.replace("_", "-") + text[len(head) :]
    return text


# --- what was shown ------------------------------------------------------------------------------------
def _with_disclosure(session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    """The listing's version and the root over what is disclosed now, computed here, where they were not given."""
    filled = dict(given)
    listing_id = filled.get("listing")
    if listing_id is None or ("disclosure_root" in filled and "listing_version" in filled):
        return filled
    try:
        ident = bytes.fromhex(str(listing_id))
    except ValueError:
        return filled
    raw = session.client.state_value(LISTING.key(ident))
    if raw is None:
        raise Malformed(f"--listing: there is no listing {ident.hex()}; `bmw-wallet listings` shows those there are")
    listing: Listing = LISTING.decode(raw)
    vehicle_raw = session.client.state_value(VEHICLE.key(listing.vin))
    if vehicle_raw is None:
        raise OperatorError("the node shows a listing without its vehicle: name another node")
    vehicle: Vehicle = VEHICLE.decode(vehicle_raw)
    filled.setdefault("listing_version", listing.version)
    if "disclosure_root" not in filled:
        filled["disclosure_root"] = disclosure_root(ident, listing, vehicle).hex()
        click.echo(_disclosed(listing, vehicle), err=True)
    return filled


def _disclosed(listing: Listing, vehicle: Vehicle) -> str:
    flags = ", ".join(flag.name for flag in vehicle.flags) or "none"
    brands = ", ".join(vehicle.brands) or "none"
    disclosed = " (the seller says so)" if listing.odometer_disclosed else ""
    return (
        f"Disclosed: {plain(listing.vin)}, {vehicle.record_count} records, {vehicle.accident_count} accidents, "
        f"odometer {plain(vehicle.verdict)}{disclosed}, flags {plain(flags)}, brands {plain(brands)}; "
        "the offer is bound to exactly this."
    )


# --- telling it ----------------------------------------------------------------------------------------
def _dry_run(session: Session, document: TxDocument) -> None:
    answer = session.client.check(document.raw)
    unmet = unmet_of(answer)
    if session.wants_json:
        echo_json(answer)
    elif not unmet:
        click.echo(f"It would hold now, at height {plain(answer.get('height', '?'))}. Nothing was sent.")
    if unmet:
        count = len(unmet)
        click.secho(f"It would not hold now: {count} condition{'' if count == 1 else 's'} not met.", fg="red", err=True)
        echo_unmet(unmet)
        raise Ended(EXIT_REFUSED)


def tell_sent(session: Session, sent: Sent, document: TxDocument) -> None:
    """Where it stands, and its txid, which also names what it creates."""
    if session.wants_json:
        echo_json(sent.to_json())
        return
    payload = document.payload
    echo_facts(
        {"type": type_of(payload.body), "txid": sent.txid.hex(), "status": sent.status}
        | {name: sent.answer[name] for name in ("height", "index") if name in sent.answer}
        | {"sender": to_text(payload.sender), "expires at": time_to_text(payload.expires_at_ms)}
    )
