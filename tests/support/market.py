"""Cars on sale: steps that put varied cars on the market of any chain, and a node over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from node import limits
from node.chain.block import EMPTY_COMMIT
from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.chain.genesis import genesis_to_json
from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.execution.block_validation import seal_block
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.ledger.json_form import time_to_text
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.vehicle.vehicle import VEHICLE
from support.backend import SingleNode, serving
from support.chain import DAY_MS, Chain, address
from support.life import accident, km, listing, register, transfer, where
from support.load import MANY_IN_ONE
from support.specimens import Readable, specimen

Step = tuple[str, TransactionBody, tuple[str, ...]]
MODELS = (
    ("330I", "petrol"),
    ("X5", "phev"),
    ("I4", "bev"),
    ("320D-TOURING", "diesel"),
    ("M4", "petrol"),
    ("I3", "bev"),
)
SELLERS = ("dealer-munich", "dealer-shanghai")
RAILS = specimen("listing.create").rails[:1]
ROUNDS = 4


def is_imported(number: int) -> bool:
    return number % 6 == 5 and number < 6 * limits.IMPORTS_PER_DAY_MAX


def vin_of(number: int) -> str:
    return f"JTDKB20U0{number:08d}" if is_imported(number) else f"WBA8E9G5{number:09d}"


def seller_of(number: int) -> str:
    return "dealer-munich" if is_imported(number) else SELLERS[number % 2]


def price_of(number: int) -> Money:
    """Some are dear, some are cheap, and some cost the same."""
    return Money(2_000_000 + 150_000 * (number * 7 % 40), "EUR" if number % 5 else "CNY")


def round_of(chain: Readable, which: int, numbers: Iterable[int]) -> list[Step]:
    """One of the `ROUNDS` in which cars come onto the market, each in blocks after those of the round before."""
    return [step for number in numbers if (step := _STEPS[which](chain, number)) is not None]


def _born(chain: Readable, number: int) -> Step:
    model, powertrain = MODELS[number % len(MODELS)]
    if is_imported(number):
        return _imported(chain, number)
    return "bmw", register(vin_of(number), model=model, powertrain=powertrain, produced_on=_day(chain, number % 90)), ()


def _day(chain: Readable, ago: int) -> str:
    return time_to_text(chain.now - (3 + ago) * DAY_MS)[:10]


def _imported(chain: Readable, number: int) -> Step:
    model, year = ("PRIUS", "YARIS", "RAV4")[number % 3], 2015 + number % 9
    body = specimen("vehicle.import", chain, vin=vin_of(number), model=model, produced_year=year, history=(),
                    first_registered_on=f"{year}-05-02", where=where("MUC-1", model), event_at_ms=chain.now,
                    odometer=km(20_000 + number * 977 % 130_000),
                    origin_brands=("hail",) if number % 12 == 5 else ())  # fmt: skip
    return "dealer-munich", body, ("inspector-1",)


def _bought(chain: Readable, number: int) -> Step | None:
    if is_imported(number):
        return None
    seller = seller_of(number)
    return "bmw", transfer(chain, seller, 20 + number * 131 % 900, vin_of(number)), (seller,)


def _lived(chain: Readable, number: int) -> Step | None:
    """Some have had an accident, some have a warranty."""
    vin = vin_of(number)
    if number % 4 == 1 and not is_imported(number):
        hit = accident(chain, 950 + number % 40, vin, "cosmetic", where=where("", MODELS[number % len(MODELS)][0]))
        return "police-1", hit, ()
    if number % 4 == 2:
        return "bmw", specimen("warranty.start", chain, vin=vin, starts_at_ms=chain.now), ()
    return None


def _listed(chain: Readable, number: int) -> Step:
    vin, country = vin_of(number), "CN" if seller_of(number) == "dealer-shanghai" else "DE"
    body = listing(
        chain, vin, price=price_of(number), country=country, configuration=(), rails=RAILS,
        expires_at_ms=chain.now + 20 * DAY_MS,
    )  # fmt: skip
    return seller_of(number), body, ()


_STEPS: tuple[Callable[[Readable, int], Step | None], ...] = (_born, _bought, _lived, _listed)


# --- a chain of its own ------------------------------------------------------------------------------------------
def market_chain(kv: Any = None, *, depth: int = 8) -> Chain:
    """A chain of today without limits on accounts."""
    now = time.time_ns() // 1_000_000
    genesis = build_genesis("bmw-test", now - 40 * DAY_MS, DEV_PARTIES, dev_key, tree_depth=depth, params=MANY_IN_ONE)
    chain = Chain(genesis, kv)
    chain.now = now - DAY_MS
    return chain


def raws_of(chain: Chain, steps: Iterable[Step]) -> list[bytes]:
    return [chain.sign(sender, body, *cosigners) for sender, body, cosigners in steps]


def put_on_sale(chain: Chain, numbers: Iterable[int]) -> None:
    """Cars by their numbers, in one block for each round."""
    numbers = list(numbers)
    for which in range(ROUNDS):
        chain.produce(*raws_of(chain, round_of(chain, which, numbers)))


def commit(chain: Chain, raws: list[bytes]) -> None:
    """A block of transactions that hold, executed once, without verifying their signatures again."""
    head, run = chain.store.head(), chain.run()
    for raw in raws:
        run.add(CheckedTx(decode_signed_tx(raw, chain.genesis_hash)))
    result = run.finish()
    last = chain.store.commit(head.height) if head.height else EMPTY_COMMIT
    block = seal_block(run, result, head, head.validators.proposer(head.height + 1, 0), (), last)
    chain.store.commit_block(block, result, chain.commit_for(block))
    chain.now += 1_000


def grow(chain: Chain, count: int, block_txs: int = 1_000) -> None:
    """So many cars on sale, in large blocks."""
    for first in range(0, count, block_txs):
        for which in range(ROUNDS):
            commit(chain, raws_of(chain, round_of(chain, which, range(first, min(count, first + block_txs)))))


class MarketNode:
    """A `SingleNode` in a thread of its own. Only `do` changes the chain while it serves."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.url = chain, ""
        self.node = SingleNode(chain)
        self.loop = asyncio.new_event_loop()
        self.stopping = asyncio.Event()

    async def serve(self, ready: Callable[[], None]) -> None:
        async with serving(self.node) as (_, server, _):
            self.url = server.url
            ready()
            await self.stopping.wait()

    def do(self, change: Callable[[Chain], Any]) -> Any:
        """Change the chain in the thread of the node, and wake those who follow it."""

        async def done() -> Any:
            found = change(self.chain)
            self.node.wake()
            return found

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(60)


@contextlib.contextmanager
def market_node(chain: Chain) -> Iterator[MarketNode]:
    node, ready = MarketNode(chain), threading.Event()
    thread = threading.Thread(target=lambda: node.loop.run_until_complete(node.serve(ready.set)))
    thread.start()
    try:
        assert ready.wait(10), "the node serves"
        yield node
    finally:
        node.loop.call_soon_threadsafe(node.stopping.set)
        thread.join(10)
        node.loop.close()


def genesis_file(chain: Chain, folder: Path) -> Path:
    path = folder / "genesis.json"
    path.write_text(genesis_to_json(chain.genesis))
    return path


def withdraw(chain: Chain, numbers: Iterable[int]) -> None:
    """Take cars off the market."""
    idents = {number: chain.state(VEHICLE, vin_of(number)).market.listing for number in numbers}
    steps = [(seller_of(number), specimen("listing.withdraw", None, {"listing": ident}), ())
             for number, ident in idents.items()]  # fmt: skip
    chain.produce(*raws_of(chain, steps))


def known_in(chain: Chain) -> dict[str, list[str]]:
    """Ids that a market of cars has, by the name of their place in the path of a page."""
    vins = [vin_of(number) for number in range(9)]
    listings = [chain.state(VEHICLE, vin).market.listing.hex() for vin in vins]
    return {
        "vin": vins, "id": listings, "member": ["dealer-munich", "bmw", "workshop-berlin"], "txid": listings,
        "block": ["1", "2", str(chain.store.height()), str(chain.store.height() + 1)], "order": listings,
        "address": [to_text(address(name)) for name in ("dealer-munich", "buyer-1")],
    }  # fmt: skip
