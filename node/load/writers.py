"""Writers: the accounts that a load signs for, and the bodies that they sign.

Everything is written about cars of the model `LOADTEST` that were registered for a load. Nothing is written about
anybody's car.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any, Final

from node import limits
from node.crypto.addresses import address_of
from node.crypto.signing import PrivateKey
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, Where
from node.ledger.json_form import time_to_text
from node.ledger.signed import assemble, txid_of
from node.load.mix import Kind
from node.txtypes.identity.quota import weight_of
from node.txtypes.service.records import Due, MaintenanceRecord, OdometerRead
from node.txtypes.vehicle.title import VehicleRegister
from wallet.txfile import build_payload, sign_payload

MODEL: Final = "LOADTEST"
"""Model code of the cars of a load, so that everybody can tell them from real ones."""
UNASSIGNED_WMI: Final = "ZZZ"
"""Starts the VINs of a manufacturer whose role names no identifier: ISO 3780 has assigned it to nobody."""
RECORDS_PER_CAR: Final = limits.READINGS_PER_AUTHOR_AND_DAY_MAX
"""Records of a load about one car. An author may add no more readings to a car on one day, so that a load that wrote
more would measure its own refusals."""
_AGE_MS: Final = 31 * limits.DAY_MS
"""Age of a car at its registration: any that is not above `limits.BIRTH_AGE_MAX_MS`."""
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_SERIAL: Final = "0123456789" + _LETTERS
_RUN_LENGTH: Final = 7


@dataclass(frozen=True)
class Writer:
    """A key with the account of that key. `wmi`: how the VINs of its cars begin, empty for none; `site`: its place of
    business, or empty; `kinds`: what a node has said that it can send."""

    key: PrivateKey
    wmi: str
    site: str
    kinds: frozenset[Kind] = frozenset()

    @property
    def address(self) -> bytes:
        return address_of(self.key.public)

    def able(self, kinds: frozenset[Kind]) -> Writer:
        return replace(self, kinds=kinds)


def writer_of(key: PrivateKey, member: Mapping[str, Any]) -> Writer:
    """The writer with this key. `member`: its account as `/v1/members/{address}` shows it, empty for no member."""
    grants, sites = member.get("grants"), member.get("sites")
    wmis = [
        grant.get("wmis") or [UNASSIGNED_WMI]
        for grant in (grants if isinstance(grants, list) else [])
        if isinstance(grant, dict) and (grant.get("role"), grant.get("status")) == ("manufacturer", "active")
    ]
    # The three last characters of a longer identifier have the place of the serial number here.
    short = [str(wmi) for listed in wmis for wmi in listed if len(str(wmi)) == 3]
    codes = [str(site.get("code")) for site in (sites if isinstance(sites, list) else []) if isinstance(site, dict)]
    return Writer(key, short[0] if short else "", codes[0] if codes else "")


@dataclass(frozen=True, slots=True)
class SignedLoad:
    """A signed transaction of a load. `weight`: what the quotas of its payers are charged."""

    raw: bytes
    txid: bytes
    sender: bytes
    kind: Kind
    weight: int


@dataclass
class Author:
    """Writes and signs the transactions of one run. `run`: letters that make its VINs differ from those of others."""

    genesis_hash: bytes
    now_ms: int
    expires_at_ms: int
    run: str = field(default_factory=lambda: "".join(secrets.choice(_LETTERS) for _ in range(_RUN_LENGTH)))
    _births: int = 0

    # --- transactions ---
    @staticmethod
    def cars_needed(kinds: Sequence[Kind]) -> int:
        """The number of cars that a stream of these kinds writes about."""
        return math.ceil(sum(kind != "births" for kind in kinds) / RECORDS_PER_CAR)

    def births(self, writers: Sequence[Writer], count: int) -> Iterator[tuple[str, SignedLoad]]:
        """New cars in turn of all writers: the VIN of each, and its registration."""
        turns = cycle(writers)
        for _ in range(count):
            writer = next(turns)
            vin = self._new_vin(writer)
            yield vin, self.signed(writer, "births", vin)

    def stream(
        self, kinds: Iterator[Kind], writers: Mapping[Kind, Sequence[Writer]], cars: Sequence[str]
    ) -> Iterator[SignedLoad]:
        """A transaction for each kind, of its writers in turn. A car gets `RECORDS_PER_CAR` records, one after the
        other; `cars` must suffice."""
        turns = {kind: cycle(able) for kind, able in writers.items()}
        records = 0
        for kind in kinds:
            writer = next(turns[kind])
            if kind == "births":
                yield self.signed(writer, kind, self._new_vin(writer))
            else:
                yield self.signed(writer, kind, cars[records // RECORDS_PER_CAR], records % RECORDS_PER_CAR)
                records += 1

    def signed(self, writer: Writer, kind: Kind, vin: str, number: int = 0) -> SignedLoad:
        """A signed transaction about a car. `number`: how many records of the load the car has already."""
        body, salt = self._body(writer, kind, vin, number), secrets.randbits(64)
        payload = build_payload(writer.address, body, salt=salt, expires_at_ms=self.expires_at_ms)
        raw = assemble(payload, [sign_payload(payload, self.genesis_hash, writer.address, writer.key)])
        txid = txid_of(self.genesis_hash, payload)
        return SignedLoad(raw, txid, writer.address, kind, weight_of(body, len(raw)))

    # --- bodies ---
    def example_vin(self, writer: Writer) -> str:
        """A VIN that no car has. The check of a transaction with it tells whether the writer may send that type."""
        return _vin(writer.wmi or UNASSIGNED_WMI, self.run, len(_SERIAL) ** 3 * 10_000 - 1)

    def _new_vin(self, writer: Writer) -> str:
        self._births += 1
        return _vin(writer.wmi, self.run, self._births - 1)

    def _body(self, writer: Writer, kind: Kind, vin: str, number: int) -> TransactionBody:
        if kind == "births":
            produced_on = time_to_text(self.now_ms - _AGE_MS).partition("T")[0]
            return VehicleRegister(vin, MODEL, (), "LOAD", produced_on, "petrol", "km", "EU", "")
        kilometres = 10 + number
        # Later readings are higher, in whatever order they are committed: the car's verdict stays logical.
        event_at_ms, where = self.now_ms - 60_000 + 1_000 * number, Where(writer.site, "obd", MODEL)
        odometer = Odometer(kilometres, "km", "cluster")
        if kind == "maintenance":
            services, due = ("ENGINE_OIL",), Due(kilometres + 15_000, 0)
            return MaintenanceRecord(
                vin, services, (), due, event_at_ms=event_at_ms, where=where, odometer=odometer
            )  # fmt: skip
        return OdometerRead(vin, "reading", event_at_ms=event_at_ms, where=where, odometer=odometer)


def _vin(wmi: str, run: str, index: int) -> str:
    """WMI, run, three characters and the four digits of a serial number. No VIN has eight digits in a row, so none
    looks like the number of a payment card."""
    assert len(wmi) == 3 and len(run) == _RUN_LENGTH and 0 <= index < len(_SERIAL) ** 3 * 10_000
    number, serial = index // 10_000, ""
    for _ in range(3):
        number, digit = divmod(number, len(_SERIAL))
        serial = _SERIAL[digit] + serial
    return f"{wmi}{run}{serial}{index % 10_000:04d}"


def weights(load: Sequence[SignedLoad]) -> Counter[bytes]:
    """What each sender's transactions weigh together."""
    total = Counter[bytes]()
    for each in load:
        total[each.sender] += each.weight
    return total
