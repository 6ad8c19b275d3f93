"""Signed transactions made before the clock runs, and the client that hands them in over RPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import aiohttp
import msgspec
from support import life
from support.chain import address
from support.signing import sign_transaction

from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody

BATCH = 250
LIFETIME_MS = 4 * 3_600_000
READINGS_A_DAY = 8
WINDOW = 2_000
"""Transactions that may be under way: below what a pool takes of one account."""
LAG = WINDOW // 2
LOOK_S = 0.1
"""Seconds between two requests for the number of committed transactions."""
POSTERS, POSTERS_TO_ONE = 2, 4
"""Batches under way at once. With two, a validator alone waits a seventh of its time for signatures to be verified;
several on one machine have no processor idle for more."""
WORKLOADS = ("register", "maintenance", "mixed")


class Workload:
    """Every transaction holds whenever the car's birth is committed before it."""

    def __init__(self, name: str, genesis_hash: bytes, seed: int) -> None:
        self.name = name
        self._genesis_hash = genesis_hash
        self._salt = seed << 32
        self._keys = {n: dev_key("account", n) for n in ("bmw", "workshop-berlin", "police-1")}
        self.now = time.time_ns() // 1_000_000

    def state(self, family: object, ident: object) -> None:
        """None of the bodies depends on state."""

    def _sign(self, sender: str, body: TransactionBody) -> bytes:
        self._salt += 1
        signers = [(address(sender), self._keys[sender])]
        expires = self.now + LIFETIME_MS
        return sign_transaction(
            signers[0][0], body, signers, self._genesis_hash, salt=self._salt, expires_at_ms=expires
        )

    def _vin(self, index: int) -> str:
        return f"WBA8E9G5{index:09d}"

    def births(self, count: int) -> list[bytes]:
        return [self._birth(index) for index in range(count)]

    def _birth(self, index: int) -> bytes:
        return self._sign("bmw", life.register(self._vin(index), configuration=(), engine_serial=""))

    def cars_needed(self, count: int) -> int:
        """Cars that are to be born before a stream of `count`."""
        return count // READINGS_A_DAY + 1 if self.name == "maintenance" else LAG

    def stream(self, cars: int, count: int) -> Iterator[bytes]:
        """`count` transactions. In the mixed life each car of the stream is born `LAG` cars before its first record."""
        for i in range(count):
            if self.name == "register":
                yield self._birth(cars + i)
            elif self.name == "maintenance":
                yield self._record(1, i % cars, 100 + i // cars)
            elif i % 4 == 0:
                yield self._birth(cars + i // 4)
            else:
                yield self._record(i % 4, i // 4, 100 + i % 4)

    def _record(self, kind: int, car: int, value: int) -> bytes:
        vin = self._vin(car)
        if kind == 1:
            body = life.maintenance(self, value, vin)
        elif kind == 2:
            body = life.read(vin, life.km(value), self.now)
        else:  # of the police, who writes as many a day as there are
            return self._sign("police-1", life.accident(self, value, vin, "cosmetic"))
        return self._sign("workshop-berlin", body)


async def hand_in(urls: list[str], raws: list[bytes], until: float, window: int = WINDOW) -> int:
    """Batches to all nodes in turn, some under way at once, no more than `window` ahead of what is committed; how
    many transactions were accepted. Those that a full pool refuses are handed in again."""
    accepted, at, committed = 0, 0, 0
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as http:

        async def committed_so_far() -> int:
            async with http.get(urls[0] + "/metrics") as answer:
                text = await answer.text()
            return next(
                int(float(line.split()[1])) for line in text.splitlines() if line.startswith("bmw_txs_committed_total ")
            )

        start = await committed_so_far()

        async def follow() -> None:
            nonlocal committed
            while True:
                await asyncio.sleep(LOOK_S)
                committed = await committed_so_far() - start

        async def post() -> None:
            nonlocal accepted, at
            while at < len(raws) and time.monotonic() < until:
                if accepted - committed > window:
                    await asyncio.sleep(LOOK_S / 2)
                    continue
                batch, url = raws[at : at + BATCH], urls[at // BATCH % len(urls)]
                at += BATCH
                document = msgspec.json.encode({"transactions": [raw.hex() for raw in batch]})
                async with http.post(url + "/v1/transactions/batch", data=document) as answer:
                    results = msgspec.json.decode(await answer.read())["results"]
                good = sum(result["status"] in ("pending", "committed") for result in results)
                accepted += good
                if good < len(batch):
                    refused = next(r for r in results if r["status"] not in ("pending", "committed"))
                    if refused.get("problem", {}).get("status") != 429:
                        raise AssertionError(f"a transaction was refused: {refused}")
                    raws.extend(raw for raw, r in zip(batch, results, strict=True) if r["status"] == "refused")
                    await asyncio.sleep(0.1)

        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(follow())
            await asyncio.gather(*(post() for _ in range(POSTERS_TO_ONE if len(urls) == 1 else POSTERS)))
            following.cancel()
    return accepted
