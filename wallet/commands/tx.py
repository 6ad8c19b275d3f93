"""`bmw-wallet tx`: one command for each transaction type, derived from its fields."""

from __future__ import annotations

import inspect
import json
import re
import secrets
import time
from pathlib import Path
from typing import Any, Final

import click

from node.console import say
from node.crypto.addresses import to_text
from node.errors import Malformed, OperatorError
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import parse_time
from node.ledger.family import Reader
from node.ledger.json_form import time_to_text
from node.ledger.kinds import fields_of
from node.limits import DAY_MS, TX_LIFETIME_CAP_MS
from node.txtypes.registry import TYPES
from node.txtypes.sale.deal import vins_of_deal
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING, Listing
from node.txtypes.sale.negotiation import NO_ROOT, OrderOffer
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, material_root
from node.usage import Commands
from wallet.client import unmet_of
from wallet.commands.consent import Consent, agree, consent_options, show_offline, show_proven
from wallet.commands.shared import EXIT_REFUSED, PATH, example, with_session
from wallet.essences import ESSENCES, asks, is_of_deal
from wallet.examples import example_of
from wallet.files import check_absent, read_file
from wallet.forecast import echo_forecast
from wallet.light import CLOCK_AHEAD_MAX_MS, LightClient
from wallet.options import body_from, options_of
from wallet.proving import Place, Unproven
from wallet.session import Session, Signer
from wallet.show import counted, echo_facts, echo_json, echo_unmet, plain
from wallet.submitting import Sent, echo_kept, submit_one
from wallet.txfile import TxDocument, build_payload, sign_payload, write_document

BODY_BYTES_MAX: Final = 1024 * 1024


class TxCommand(click.Command):
    """Accepts `--event_at` as `--event-at`: everywhere else fields are written with underscores."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [re.sub("^--[^=]+", lambda m: m[0].replace("_", "-"), arg) for arg in args])


@click.group("tx", cls=Commands, epilog=example(example_of("vehicle.register")))
def tx() -> None:
    """Make, sign and send a transaction: one command for each type.

    Amounts are exact (52900.00EUR), readings have their unit (12000km), times are RFC 3339 or relative (now, +30d),
    lists are options repeated, structures JSON or name=value,name=value.
    """


def _add_command(name: str, struct: type[TransactionBody]) -> None:
    text = inspect.cleandoc(struct.__doc__ or name)
    if struct in ESSENCES:
        text += f"\n\n{_what_is_shown(struct)}"

    @tx.command(name, cls=TxCommand, params=options_of(struct), help=text, epilog=example(example_of(name)))
    @click.option("sender", "--from", required=True, metavar="NAME",
                  help="the sender's key; NAME@ADDRESS signs for another account than the key's own")  # fmt: skip
    @click.option("cosigners", "--cosign", multiple=True, metavar="NAME", help="further signer (may be repeated)")
    @click.option("body_file", "--body", type=PATH, metavar="FILE.json",
                  help="the body's fields as JSON; options win over it")  # fmt: skip
    @click.option("expires", "--expires", default="+30m", show_default=True, metavar="TIME",
                  help="until when it may be committed, from the head's time")  # fmt: skip
    @click.option("is_waiting", "--wait", is_flag=True, help="wait until it is committed, and prove that it is")
    @click.option("is_dry", "--dry-run", is_flag=True, help="check it now and show what it would change; send nothing")
    @click.option("is_offline", "--offline", is_flag=True, help="ask no node; write a file with -o for submit")
    @click.option("output", "-o", "--output", type=PATH, metavar="FILE", help="the transaction file to write")
    @consent_options
    @with_session
    def command(
        session: Session, body_file: Path | None, sender: str, cosigners: tuple[str, ...], expires: str,
        is_waiting: bool, is_dry: bool, is_offline: bool, output: Path | None, consent: Consent, **values: Any,
    ) -> None:  # fmt: skip
        if is_offline and (is_dry or is_waiting):
            raise click.UsageError("--offline asks no node: leave --dry-run and --wait away")
        if is_offline and output is None:
            raise click.UsageError("--offline needs a file to write: -o FILE")
        if is_offline:
            session.go_offline()
        now_ms = time.time_ns() // 1_000_000 if is_offline else session.now_ms()
        fields = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if v not in (None, ())}
        try:
            address, signers = _signers(session, sender, cosigners, output)
            is_agreed = bool(signers) and (asks(struct) or bool(cosigners or consent.expected))
            # Who is asked before it is signed sees nothing that is not proven.
            light = session.light_client(consent.accept_old_root) if is_agreed and not is_offline else None
            if body_file is not None:
                fields = _body_file(body_file, struct) | fields
            if struct is OrderOffer and not is_offline:
                fields = _with_disclosure(session, light, fields)
            if {"vin", "material_root"} <= set(struct.__struct_fields__) and not is_offline:
                fields = _with_condition(session, light, fields)
            if "order" in struct.__struct_fields__ and not is_offline:
                fields = _with_order(session, light, fields, struct)
            body = body_from(struct, fields, session.names(now_ms))
            expires_at_ms = parse_time(expires, now_ms)
            address = address or session.keystore.info(signers[0].name).address
            payload = build_payload(address, body, salt=secrets.randbits(64), expires_at_ms=expires_at_ms)
        except Malformed as error:
            raise click.UsageError(_as_options(str(error), struct)) from None
        document = TxDocument(session.genesis_hash, payload, ())
        if is_agreed:
            agree(session, document.payload, signers, consent, is_body_known=True, is_offline=is_offline)
        elif is_offline:
            show_offline(session, document.payload)
        elif signers and is_of_deal(struct):
            show_proven(session, document.payload, consent)
        for signer in signers:
            document = signed_by(session, document, signer)
        if output is not None:
            check_absent(output)
            session.outbox.keep([document], "written")
            write_document(output, document)
            click.echo(f"Written to {output}, with {counted(len(document.signatures), 'signature')}.", err=True)
        if is_dry:
            _dry_run(session, document)
        elif output is None:
            waiting = session.light_client(consent.accept_old_root) if is_waiting else None
            echo_sent(session, submit_one(session, document, waiting), document)
        elif session.wants_json:
            echo_json(document.to_json())


def _what_is_shown(struct: type[TransactionBody]) -> str:
    """For the help: who is shown what the transaction means, and what a program has to expect."""
    given = {field.json_name for field in fields_of(struct)}
    read = [name for name in ESSENCES[struct].essential if name not in given and name != "sender"]
    who = "the signers are" if asks(struct) else "a cosigner is"
    needs = "".join(f" --expect {name}=VALUE" for name in read)
    return f"Before it is signed, {who} shown from proven state what it means, and asked. A program gives --yes{needs}."


# --- building ------------------------------------------------------------------------------------------
def _signers(
    session: Session, sender: str, cosigners: tuple[str, ...], output: Path | None
) -> tuple[bytes | None, list[Signer]]:
    """The sender's address, None for that of the first signer's key; and the signers. A file can be written without the
    sender's key, to be signed elsewhere."""
    first = session.signer(sender)
    others = [session.signer(text) for text in cosigners]
    if session.keystore.has(first.name) or output is None:
        session.keystore.info(first.name)
        return first.address, [first, *others]
    return first.address or session.address(first.name), others


def signed_by(session: Session, document: TxDocument, signer: Signer) -> TxDocument:
    """The document with a signature of `signer`. Raises `OperatorError` for one that would hold longer than any chain
    allows: a node could hold it back until it is valid."""
    latest_ms = time.time_ns() // 1_000_000 + CLOCK_AHEAD_MAX_MS + TX_LIFETIME_CAP_MS
    if document.payload.expires_at_ms > latest_ms:
        raise OperatorError(
            f"the transaction would expire at {time_to_text(document.payload.expires_at_ms)}, and no chain allows more "
            f"than {TX_LIFETIME_CAP_MS // DAY_MS} days: it could be held back until then; make it again with an "
            "earlier --expires"
        )
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
    tag, expected = value.pop("type", None), str(struct.__struct_config__.tag)
    if tag not in (None, expected):
        raise Malformed(f"{path} is the body of {tag}, this command makes {expected}")
    return value


def _as_options(text: str, struct: type[TransactionBody]) -> str:
    """An error's text with the field that it names replaced by the option. `body.event_at: ...` is an error of reading
    or decoding, `event_at: ...` of a static rule."""
    for field in struct.__struct_fields__:
        name = field.removesuffix("_ms") if field.endswith("_at_ms") else field
        if named := re.match(rf"(body\.)?({name}|{field})(?=[:.\[])", text):
            return "--" + name.replace("_", "-") + text[named.end() :]
    return text


# --- disclosure ----------------------------------------------------------------------------------------
def _with_disclosure(session: Session, light: LightClient | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an offer, with the listing's version and the disclosure root computed here if they are missing."""
    if "listing" not in fields or ("disclosure_root" in fields and "listing_version" in fields):
        return fields
    try:
        ident = bytes.fromhex(str(fields["listing"]))
    except ValueError:
        return fields

    def read(reader: Reader) -> tuple[Listing | None, Vehicle | None]:
        listing = reader.get(LISTING, ident)
        return listing, reader.get(VEHICLE, listing.vin) if listing is not None and listing.vin else None

    listing, vehicle = session.over_state(light, read)
    if listing is None:
        raise Malformed(f"--listing: there is no listing {ident.hex()}; `bmw-wallet listings` shows all")
    if vehicle is None and listing.vin:
        raise OperatorError("the node shows a listing without its vehicle: name another node")
    if "disclosure_root" not in fields:
        click.echo(_disclosed(listing, vehicle), err=True)
    root = disclosure_root(ident, listing, vehicle).hex()
    return {"listing_version": listing.version, "disclosure_root": root} | fields


def _with_condition(session: Session, light: LightClient | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an act by which a car is taken as it is, with the car's material root computed here if it is
    missing."""
    if "vin" not in fields or "material_root" in fields:
        return fields
    vin = VEHICLE.ident.canonical(str(fields["vin"]))
    vehicle = session.over_state(light, lambda reader: reader.get(VEHICLE, vin))
    if vehicle is None:
        raise Malformed(f"--vin: there is no vehicle {vin}")
    return {"material_root": _shown_root(vin, vehicle)} | fields


def _with_order(
    session: Session, light: LightClient | None, fields: dict[str, Any], struct: type[TransactionBody]
) -> dict[str, Any]:
    """The fields of an act on an order, with the round of its newest terms and the material roots of its cars read here
    if they are missing. A car that is still to be built has none: zeros."""
    names = [n for n in ("round", "material_root", "trade_material_root") if n in struct.__struct_fields__]
    try:
        ident = bytes.fromhex(str(fields.get("order", "")))
    except ValueError:
        return fields
    if not ident or all(name in fields for name in names):
        return fields

    def read(reader: Reader) -> tuple[Order | None, dict[str, Vehicle | None]]:
        order = reader.get(ORDER, ident)
        vins = vins_of_deal(order.vin, order.terms) if order is not None else ()
        return order, {vin: reader.get(VEHICLE, vin) for vin in vins}

    order, vehicles = session.over_state(light, read)
    if order is None:
        raise Malformed(f"--order: there is no order {ident.hex()}")
    trade_in = order.terms.trade_in
    found: dict[str, Any] = {"round": order.round} | ({} if order.vin else {"material_root": NO_ROOT.hex()})
    for name, vin in (("material_root", order.vin), ("trade_material_root", trade_in.vin if trade_in else "")):
        if name in names and name not in fields and vin:
            vehicle = vehicles[vin]
            if vehicle is None:
                raise OperatorError("the node shows an order without its vehicle: name another node")
            found[name] = _shown_root(vin, vehicle)
    return {name: value for name, value in found.items() if name in names} | fields


def _shown_root(vin: str, vehicle: Vehicle) -> str:
    """The material root of a car, after telling what it stands for."""
    click.echo(f"Shown: {_condition(vin, vehicle, '')}; who signs confirms exactly this.", err=True)
    return material_root(vin, vehicle).hex()


def _disclosed(listing: Listing, vehicle: Vehicle | None) -> str:
    if vehicle is None:
        return f"Disclosed: a {plain(listing.model)} to be built; the offer is bound to exactly this listing."
    disclosed = " (the seller says so)" if "odometer" in listing.discloses else ""
    return f"Disclosed: {_condition(listing.vin, vehicle, disclosed)}; the offer is bound to exactly this."


def _condition(vin: str, vehicle: Vehicle, disclosed: str) -> str:
    flags = ", ".join(flag.name for flag in vehicle.flags) or "none"
    brands = ", ".join(f"{brand.code} ({brand.state})" for brand in vehicle.brands) or "none"
    return (
        f"{plain(vin)}, {vehicle.record_count} records, {vehicle.accident_count} accidents, "
        f"odometer {plain(vehicle.verdict)}{disclosed}, flags {plain(flags)}, brands {plain(brands)}"
    )


# --- results -------------------------------------------------------------------------------------------
def _dry_run(session: Session, document: TxDocument) -> None:
    session.outbox.keep([document], "checked")
    answer = session.client.check(document.raw)
    unmet = unmet_of(answer)
    if not isinstance(answer.get("ok"), bool) or answer["ok"] == bool(unmet):
        raise OperatorError("the node does not answer whether the transaction is valid: name another node")
    if session.wants_json:
        echo_json(answer)
    else:
        if not unmet:
            say(f"It is valid now, at height {answer.get('height', '?')}, as the node says. Not submitted.", "good")
        echo_forecast(answer)
    if unmet:
        say(f"It is not valid now: {counted(len(unmet), 'condition')} not met.", "bad", err=True)
        echo_unmet(unmet)
        raise click.exceptions.Exit(EXIT_REFUSED)


def echo_sent(session: Session, sent: Sent, document: TxDocument) -> None:
    """Print the status of a submitted transaction and its txid, which is also the id of what it creates. Exits with 1
    for a rejected one."""
    payload, shown = document.payload, sent.to_json()
    is_proven = isinstance(sent.commit, Place)
    if session.wants_json:
        echo_json(shown)
    else:
        word = "" if sent.status == "pending" else ", proven" if is_proven else ", as the node says"
        echo_facts(
            {"type": type_of(payload.body), "txid": sent.txid.hex(), "status": sent.status + word}
            | {name: shown[name] for name in ("height", "index") if type(shown.get(name)) is int}
            | {"sender": to_text(payload.sender), "expires at": time_to_text(payload.expires_at_ms)}
        )
    if isinstance(sent.commit, Unproven):
        click.echo(f"Not proven: {plain(sent.commit.reason)}.", err=True)
    if sent.is_refused:
        echo_kept([document])
        raise click.exceptions.Exit(EXIT_REFUSED)


for _name, _struct in TYPES.items():
    _add_command(_name, _struct)
