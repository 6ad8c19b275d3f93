r"""The field types of transactions. Closed: no free text anywhere. Upper case is demanded, never made.

Annotations say how a field is shown: an `Address` in bech32m, `Time` in RFC 3339, `Money` with its currency, every
other `bytes` in hex (see `schema`). `Code` is scanned for card numbers; `Serial` is typed apart, because one random
serial in ten passes the Luhn test. Patterns end in `\Z`, because `$` would let a trailing newline in.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.codec import Address, Hash32, Height, Millis, PublicKey, Signature, Value
from node.rules.odometer import Source, Unit
from node.rules.vin import VIN_PATTERN

__all__ = [
    "Address", "Attachment", "Code", "Country", "Currency", "Day", "Hash32", "Height", "Id", "Money", "Name",
    "Odometer", "OptionalHash", "PublicKey", "Serial", "Signature", "Time", "Value", "Vin",
]  # fmt: skip

Time = Millis
Vin = Annotated[
    str, Meta(pattern=VIN_PATTERN, min_length=17, max_length=17, description="vehicle identification number (ISO 3779)")
]
Id = Hash32
OptionalHash = Annotated[bytes, Meta(max_length=32)]
"""Empty, or 32 bytes; the static rule refuses anything between."""
Code = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]*\Z", max_length=limits.CODE_LENGTH_MAX, title="code")]
Serial = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]*\Z", max_length=limits.CODE_LENGTH_MAX, title="serial")]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
"""The short business name of a member, in lower case."""
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="ISO 3166-1 alpha-2")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", description="calendar day (ISO 8601)")]
Amount = Annotated[int, Meta(ge=0, le=limits.MONEY_MAX)]


class Money(Value, frozen=True):
    """An integer of minor units (cents, yen) and the currency they count in."""

    amount: Amount
    currency: Currency


class Odometer(Value, frozen=True):
    """What the instrument showed. Lower than before is stored and judged, never refused."""

    value: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    unit: Unit
    source: Source


class Attachment(Value, frozen=True):
    """A document kept elsewhere, by its hash."""

    sha256: Hash32
    size: Annotated[int, Meta(ge=1, le=2**40)]
    media_type: Annotated[str, Meta(pattern=r"^(image|application|text|video)/[a-z0-9.+-]{1,40}\Z")]
