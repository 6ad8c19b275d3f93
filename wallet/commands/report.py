"""`bmw-wallet report`: what a buyer has to know of a car, on request proven."""

from __future__ import annotations

from typing import Any, Final

import click

from node.errors import InvalidProof
from node.ledger.family import AsOf, Family, Reader
from node.ledger.json_form import from_json, to_json
from node.txtypes.buyers_report import BATTERIES_MAX, ReportRecord
from node.txtypes.disputes.dispute import RECORD_DISPUTE
from node.txtypes.disputes.types import RecordDisputeOpen
from node.txtypes.history import DecodedRecord
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.member import FRAUDS, MEMBER
from node.txtypes.parts.battery import BATTERY
from node.txtypes.service.recall import RECALL, recall_ident
from node.txtypes.service.warranty import WARRANTY, warranty_ident
from node.txtypes.vehicle.claims import DEBTOR, ORDER_CLAIMS, debtor_key
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.sighting import SIGHTINGS
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from node.views.car_report import CLAIMED_MAX, CarReport, car_report
from wallet.commands.read import echo_verified, no_vehicle, parsed_vin, verified_json, verifying
from wallet.commands.shared import example
from wallet.history import ProvenRecord, Redacted, proven_records
from wallet.light import LightClient
from wallet.report import echo_report
from wallet.session import Session
from wallet.show import echo_json

TRIES: Final = 3
"""A record that is added while the report is proven is read with the next try."""


@click.command("report", epilog=example("bmw-wallet report WBA8E9G50GNU12345 --verify"))
@click.argument("vin", type=parsed_vin)
@verifying
def report(session: Session, light: LightClient | None, vin: str) -> None:
    """What a buyer has to know of a car, the most important first.

    With --verify it is computed here, from the car's proven state and from all of its records, which the state commits
    to. That the car has no other battery than those shown is the node's word.
    """
    if light is None:
        answer = session.client.call_json(f"/v1/vehicles/{vin}/report")
        told = {name: value for name, value in answer.items() if name not in ("height", "time")}
        shown = to_json(from_json(CarReport, told, "the node's report"))  # a page has no room for anything else
    else:
        shown = _proven(session, light, vin)
    if session.wants_json:
        echo_json(shown | verified_json(light))
        return
    echo_report(shown)
    echo_verified(light)
    if light is not None:
        words = " and ".join(shown["nodes_word"])
        click.echo(f"(the node's word, not proven: that there are no other {words})", err=True)


def _proven(session: Session, light: LightClient, vin: str) -> dict[str, Any]:
    """The report over proven values and records. Raises `InvalidProof`."""
    for _ in range(TRIES):
        vehicle = session.verified(light, lambda reader, _: reader.get(VEHICLE, vin))
        if vehicle is None:
            raise no_vehicle(vin)
        given = session.client.pages(f"/v1/vehicles/{vin}/history", {}, "records", vehicle.record_count)
        batteries = _listed(session, BATTERY, {"vehicle": vin}, BATTERIES_MAX)
        claimed = _listed(session, ORDER_CLAIMS, {"vin": vin}, CLAIMED_MAX)
        records = tuple(map(_as_known, proven_records(given, vehicle)))

        def compute(
            reader: Reader, as_of: AsOf, head: bytes = vehicle.history_head,
            records: tuple[ReportRecord, ...] = records, batteries: tuple[str, ...] = tuple(batteries),
            claimed: tuple[str, ...] = tuple(claimed),
        ) -> dict[str, Any] | None:  # fmt: skip
            now = reader.get(VEHICLE, vin)
            if now is None or now.history_head != head:
                return None
            return to_json(car_report(vin, now, reader, as_of, records, batteries, claimed))

        shown = session.verified(light, compute, _keys(vin, vehicle, records, batteries, claimed))
        if shown is not None:
            return shown
    raise InvalidProof(f"records were added to {vin} during each of {TRIES} tries: try again")


def _as_known(record: ProvenRecord) -> ReportRecord:
    if isinstance(record, DecodedRecord):
        return record
    return record.face if isinstance(record, Redacted) else None


def _listed(session: Session, family: Family[Any], query: dict[str, str], limit: int) -> list[str]:
    """The ids that the node lists. Whether each is about the car is proven with its value."""
    listed = session.client.pages(family.path, query, family.path.rpartition("/")[2], limit)
    return [family.ident.canonical(str(entry.get("id"))) for entry in listed]


def _keys(
    vin: str, vehicle: Vehicle, records: tuple[ReportRecord, ...], batteries: list[str], claimed: list[str]
) -> list[bytes]:
    """State keys that the report reads, as far as they are known beforehand: each further one takes a request."""
    idents: list[tuple[Family[Any], str | bytes]] = [
        (VEHICLE, vin), (ODOMETER, vin), (LIFE, vin), (SIGHTINGS, vin), (FRAUDS, "all"),
        (DEBTOR, debtor_key(vin, vehicle.holder)),
        (CONDUCT, vehicle.holder),
        (MEMBER, vehicle.maker), (MEMBER, vehicle.holder), *((MEMBER, flag.setter) for flag in vehicle.flags),
        *((RECALL, recall_ident(entry.maker, entry.campaign)) for entry in vehicle.recalls),
        *((WARRANTY, warranty_ident(vin, number)) for number in range(1, vehicle.warranties + 1)),
        *((BATTERY, ident) for ident in batteries), *((ORDER_CLAIMS, ident) for ident in claimed),
    ]  # fmt: skip
    for record in records:
        if isinstance(record, DecodedRecord) and isinstance(record.body, RecordDisputeOpen):
            idents.append((RECORD_DISPUTE, record.face.txid))
    return list(dict.fromkeys(family.key(ident) for family, ident in idents))
