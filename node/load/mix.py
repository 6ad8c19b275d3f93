"""Mixes: the kinds of transactions that a load consists of, and the share of each.

A kind is a transaction type that one member can send alone, without an earlier transaction of its own:

    births        `vehicle.register` of a manufacturer, each for a new VIN
    maintenance   `maintenance.record` of a workshop about a car that was registered for the load
    odometer      `odometer.read` of any accredited writer about such a car

A mix is the name of a kind, `mixed`, or shares such as `births=1,maintenance=3`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from node.errors import Malformed

Kind = Literal["births", "maintenance", "odometer"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ROLES: Final[dict[Kind, str]] = {
    "births": "a manufacturer", "maintenance": "a workshop", "odometer": "an accredited writer",
}  # fmt: skip
"""Who can send a kind, for error messages. A node decides it (`/v1/transactions/check`)."""
MIXED: Final[dict[Kind, int]] = {"births": 1, "maintenance": 2, "odometer": 1}
"""Shares of `mixed`."""
SHARE_MAX: Final = 1_000
"""Largest share of a kind. Above: malformed."""
_SHARE: Final = re.compile(r"([a-z]+)=([0-9]{1,9})")


@dataclass(frozen=True)
class Mix:
    """Shares by kind; every share is at least 1."""

    shares: dict[Kind, int]

    def sequence(self, count: int) -> Iterator[Kind]:
        """`count` kinds, each as evenly spread as its share permits. The same mix gives the same sequence."""
        credit, whole = Counter[Kind](), sum(self.shares.values())
        for _ in range(count):
            credit.update(self.shares)
            chosen = max(self.shares, key=lambda kind: credit[kind])
            credit[chosen] -= whole
            yield chosen


def parse_mix(text: str) -> Mix:
    """The mix that `text` names. Raises `Malformed`."""
    by_name: dict[str, Kind] = {kind: kind for kind in KINDS}
    if text == "mixed":
        return Mix(dict(MIXED))
    if text in by_name:
        return Mix({by_name[text]: 1})
    shares: dict[Kind, int] = {}
    for part in text.split(","):
        found = _SHARE.fullmatch(part.strip())
        if found is None or found[1] not in by_name:
            names = ", ".join(KINDS)
            raise Malformed(f"{part.strip()!r} is no part of a mix: write {names}, mixed, or births=1,maintenance=3")
        kind, share = by_name[found[1]], int(found[2])
        if kind in shares:
            raise Malformed(f"{kind} is given twice: give each kind once")
        if not 1 <= share <= SHARE_MAX:
            raise Malformed(f"{kind}={share}: a share is a number from 1 to {SHARE_MAX:,}")
        shares[kind] = share
    return Mix(shares)
