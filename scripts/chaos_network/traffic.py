"""Load from one client a node: births, readings, the same bytes to a second node, rival births to all of them."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass

from support.processes import PRODUCED_ON, Fleet, post

from node.cli.local_network import LocalNode
from node.txtypes.vehicle.title import VehicleRegister

TAGS = "ABCDEFGHJKLM"
RIVAL_TAG = "X"
RIVAL_EVERY = 8
TWICE_EVERY = 3
RIVAL_LIFETIME_MS = 20_000
BATCH = 5
READ_AFTER_S = 6.0
ANSWER_S = 4.0


@dataclass(frozen=True)
class Accepted:
    """Answered 202, or 200, by `node`. Rivals: at most one for each vehicle gets into the chain."""

    txid: str
    node: int
    at: float
    rival: int = -1


class Client(threading.Thread):
    """Small batches to one node, at a steady pace where it answers. What isn't answered is nobody's promise."""

    def __init__(self, index: int, nodes: list[LocalNode], genesis_hash: bytes, pause_s: float) -> None:
        super().__init__(daemon=True)
        self._index = index
        self._nodes = nodes
        self._fleet = Fleet(genesis_hash, TAGS[index])
        # each client's rivals live a little longer than the last one's: other bytes, another txid
        self._rivals = Fleet(genesis_hash, RIVAL_TAG, RIVAL_LIFETIME_MS + index)
        self._halt = threading.Event()
        self._born: list[tuple[float, int]] = []
        self.pause_s = pause_s
        self.accepted: list[Accepted] = []
        self.answers = self.unanswered = self.refused = 0

    def run(self) -> None:
        batch = 0
        while not self._halt.wait(self.pause_s):
            births = range(batch * BATCH, (batch + 1) * BATCH)
            raws = self._fleet.births(BATCH, births.start)
            self._hand_in(raws, births)
            if batch % TWICE_EVERY == 0:  # by now gossip may have brought them there, or may just be about to
                self._hand_in(raws, to=(self._index + 1) % len(self._nodes))
            now = time.monotonic()
            due = [index for at, index in self._born if at < now - READ_AFTER_S][:BATCH]
            if len(due) == BATCH:
                del self._born[:BATCH]
                event = time.time_ns() // 1_000_000 - 60_000
                self._hand_in([self._fleet.reading(index, 100, event) for index in due])
            if batch % RIVAL_EVERY == RIVAL_EVERY - 1:
                self._hand_in([self._rival(batch)], rival=batch)
            batch += 1

    def _rival(self, index: int) -> bytes:
        """The same vehicle as every other client's, born with another paint."""
        paint = f"C{self._index}"
        body = VehicleRegister(self._rivals.vin(index), "330I", (paint,), "MUC", PRODUCED_ON, "petrol", "km", "EU", "")
        return self._rivals.sign("bmw", body)

    def _hand_in(self, raws: list[bytes], births: range | None = None, rival: int = -1, to: int | None = None) -> None:
        index = self._index if to is None else to
        url, document = self._nodes[index].url, {"transactions": [raw.hex() for raw in raws]}
        try:
            status, answer = post(url, "/v1/transactions/batch", document, ANSWER_S)
        except (OSError, ValueError, http.client.HTTPException):
            self.unanswered += 1
            return
        self.answers += 1
        if status != 200:
            self.refused += len(raws)
            return
        for at, result in enumerate(answer["results"]):
            if result["status"] in ("pending", "committed"):
                self.accepted.append(Accepted(result["txid"], index, time.monotonic(), rival))
                if births is not None:
                    self._born.append((time.monotonic(), births[at]))
            else:
                self.refused += 1

    def halt(self) -> None:
        self._halt.set()


class Traffic:
    """All clients; about `per_second` transactions together while every node answers."""

    def __init__(self, nodes: list[LocalNode], genesis_hash: bytes, per_second: float) -> None:
        self.clients = [Client(i, nodes, genesis_hash, 1.0) for i in range(len(nodes))]
        self.set_pace(per_second)

    def set_pace(self, per_second: float) -> None:
        """A birth is followed by a reading: a client's turn brings two batches."""
        for client in self.clients:
            client.pause_s = 2 * BATCH * len(self.clients) / per_second

    def accepted(self) -> list[Accepted]:
        """One for each answer: a transaction that two nodes have taken is a promise of both."""
        return [one for client in self.clients for one in client.accepted.copy()]

    def counts(self) -> dict[str, int]:
        return {
            name: sum(getattr(client, name) for client in self.clients) for name in ("answers", "unanswered", "refused")
        }

    def __enter__(self) -> Traffic:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for client in self.clients:
            client.halt()
        for client in self.clients:
            if client.is_alive():
                client.join(ANSWER_S * 3)
