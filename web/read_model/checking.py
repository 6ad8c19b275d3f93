"""Checking of rows against state proofs: the nodes behind the pages are believed, but not for long."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from node.chain.genesis import Genesis
from node.errors import OperatorError, Rejected
from node.log import log
from node.txtypes.members.member import MEMBER
from wallet.client import NodeClient, NodeRefused
from wallet.light import LightClient
from web.read_model.row import Row, keys_of, row_of

LOOKS: Final = 5
"""How often a row may differ from the proven one because the chain has moved on between reading the two."""
CATCH_UP_S: Final = 20.0
FIRST_AFTER_S: Final = 1.0
CONFIRMED: Final = 20
"""Rows that are checked before rows that replace false ones are believed."""


class Difference(Exception):
    """The row of a listing is not what the chain says, or a node has proven something that the validators did not
    decide."""

    def __init__(self, ident: bytes, why: str) -> None:
        super().__init__(f"listing {ident.hex()}: {why}")
        self.ident = ident


class Checked(Protocol):
    """What is checked."""

    @property
    def height(self) -> int: ...

    def a_row(self, random_number: float) -> Row | None: ...

    def row(self, ident: bytes) -> Row | None: ...

    def member(self, address: bytes) -> bytes | None: ...


class Checking:
    """Compares rows with proven values. `rows`: how many have been compared and were the same; `held`: whether the last
    comparison found none that differs, None before the first."""

    def __init__(self, genesis: Genesis, nodes: Sequence[str], home: Path, per_hour: int) -> None:
        # the operator has chosen the root, so its age is no reason to leave rows unchecked
        self._light = LightClient(genesis, home / "light.json", NodeClient(nodes), accept_old_root=True)
        self._per_hour = per_hour
        self._random = random.SystemRandom()
        self.rows, self.checked_at = 0, 0.0
        self.held: bool | None = None

    async def run(self, checked: Callable[[], Checked | None]) -> None:
        """Check one row after the other, `per_hour` of them; never returns. Raises `Difference`."""
        if not self._per_hour:
            await asyncio.Event().wait()
        await asyncio.sleep(FIRST_AFTER_S)
        while True:
            if (rows := checked()) is not None:
                await self._check_one(rows)
            await asyncio.sleep(3_600 / self._per_hour)

    async def confirm(self, rows: Checked, ident: bytes) -> None:
        """Check a listing that differed before, and some others. Raises `Difference`."""
        await self._checked(rows, ident)
        for _ in range(CONFIRMED):
            await self._check_one(rows)

    async def _check_one(self, rows: Checked) -> None:
        row = rows.a_row(self._random.random())
        if row is not None:
            await self._checked(rows, row.ident)

    async def _checked(self, rows: Checked, ident: bytes) -> None:
        try:
            if await self.check(rows, ident):
                self.rows, self.held, self.checked_at = self.rows + 1, True, monotonic()
        except Difference:
            self.held = False
            raise
        except (OperatorError, NodeRefused) as error:  # no node answers, or it is behind: nothing is known of the row
            log("row_not_checked", "warning", {"listing": ident.hex(), "why": str(error)})

    async def check(self, rows: Checked, ident: bytes) -> bool:
        """Whether the rows are new enough to tell that the row of a listing, and the entry of its seller, are what the
        state is proven to have. Raises `Difference` if they are not, `OperatorError`, `NodeRefused`."""
        for _ in range(LOOKS):
            vin = row.vin if (row := rows.row(ident)) is not None else ""
            proven, seller, height = await asyncio.to_thread(self._proven, ident, vin)
            if not await _reached(rows, height):
                return False
            if rows.row(ident) == proven and (proven is None or rows.member(proven.seller) == seller):
                return True
        raise Difference(ident, "the row is not what the chain says")

    def _proven(self, ident: bytes, vin: str) -> tuple[Row | None, bytes | None, int]:
        """Row and seller's entry by proof, and a height of theirs or below. Raises `Difference`, `OperatorError`,
        `NodeRefused`."""
        try:
            height = self._light.verified_head().height
            row = self._light.verified_view(lambda reader, as_of: row_of(ident, reader, as_of), (*keys_of(ident, vin),))
            key = MEMBER.key(row.seller if row is not None else b"")
            seller = self._light.verified_states((key,))[0][key] if row is not None else None
        except NodeRefused:
            raise
        except Rejected as error:
            raise Difference(ident, f"a proof that does not hold: {error}") from None
        return row, seller, height


async def _reached(rows: Checked, height: int) -> bool:
    """Wait until the rows have a height."""
    until = monotonic() + CATCH_UP_S
    while rows.height < height:
        if monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True
