"""Cars as pages show them, on a chain of two years: one with a full life, one without a
blemish, a total loss, one that is imported, cars to order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.chain.genesis import genesis_to_json
from node.crypto.dev_keys import dev_key
from node.ledger.fields import Attachment, Money
from node.txtypes.sale.deal import Tax
from node.txtypes.service.recall import RecallExtend
from support.chain import DAY_MS, START_MS, Chain
from support.life import VIN, Life, km, listing, maintenance, read, register, transfer
from support.papers import eventful_life
from support.specimens import specimen
from support.stages import at

CLEAN, LOST = f"{VIN[:-1]}6", f"{VIN[:-1]}7"
ABSENT = f"{VIN[:-1]}9"


class Shown(NamedTuple):
    """`listing`: of the car without a blemish, whose price was changed; `build`: of cars to order."""

    chain: Chain
    listing: bytes
    build: bytes
    imported: str


def shown_cars(new: Chain | None = None) -> Shown:
    """The chain. `VIN` has the full life of `eventful_life`, a warranty, an open recall and a document. `new`: a chain
    to begin on."""
    chain = eventful_life(new).chain
    paper = Attachment(bytes(range(32)), 48_213, "application/pdf")
    chain.do("workshop-berlin", maintenance(chain, 41_800, services=("ENGINE_OIL",), attachments=(paper,)))
    chain.do("bmw", specimen("warranty.start", chain))
    chain.do("bmw", specimen("recall.open", chain))
    campaign = specimen("recall.open").campaign  # type: ignore[attr-defined]
    chain.do("bmw", RecallExtend(campaign, "add", "scope", (VIN,)))
    for vin in (CLEAN, LOST):
        chain.do(
            "bmw",
            register(vin, produced_on=f"{datetime.fromtimestamp(chain.now / 1000, UTC) - timedelta(40):%Y-%m-%d}"),
        )
        chain.do("bmw", transfer(chain, "dealer-munich", 20, vin), "dealer-munich")
    lost = specimen("vehicle.total_loss", chain, vin=LOST)
    chain.do("insurer-1", lost, "dealer-munich")
    for days, value in ((120, 9_300), (140, 19_800), (100, 27_400)):
        chain.now += days * DAY_MS
        chain.do("workshop-berlin", maintenance(chain, value, CLEAN, services=("ENGINE_OIL",)))
        chain.do("inspector-1", read(CLEAN, km(value + 40), chain.now))
    ident = chain.do("dealer-munich", listing(chain, CLEAN))
    chain.now += 20 * DAY_MS
    lower = specimen("listing.update", chain, {"listing": ident}, price=Money(4_990_000, "EUR"))
    chain.do("dealer-munich", lower)
    build = chain.do("bmw", specimen("listing.build", chain))
    born = specimen("vehicle.import", chain)
    chain.do(born.EXAMPLE.sender, born, *born.EXAMPLE.cosigners)  # type: ignore[attr-defined]
    return Shown(chain, ident, build, born.vin)  # type: ignore[attr-defined]


def shown_today() -> Shown:
    """The same on a chain whose head is of now."""
    now = time.time_ns() // 1_000_000
    lived = shown_cars().chain.now - START_MS
    genesis = build_genesis("bmw-test", now - lived - DAY_MS, DEV_PARTIES, dev_key, tree_depth=6)
    chain = Chain(genesis)
    chain.now = genesis.time_ms + DAY_MS
    shown = shown_cars(chain)
    chain.now = now
    chain.produce()
    return shown


def private_sale() -> Life:
    """A car that somebody without a directory entry offers, who bought it from a dealer."""
    life = at("handed_over")
    offered = specimen("listing.create", life.chain, contracts=("private",), tax=Tax("private", 0, 0))
    life.listing = life.chain.do("buyer-1", offered)
    return life


def genesis_file(chain: Chain, folder: Path) -> Path:
    file = folder / "genesis.json"
    file.write_text(genesis_to_json(chain.genesis))
    return file
