"""Drives the synchronous replica from the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import assert_never

from node.daemon.clocks import Clock
from node.daemon.verifiers import Verifiers
from node.log import log
from node.p2p.network import Network
from node.replica import events as e
from node.replica.replica import Replica
from node.txtypes.envelope import SignedTx


class Pump:
    """Posts events into the replica, executes its actions, and ticks it when its deadline passes."""

    def __init__(self, replica: Replica, verifiers: Verifiers, steady: Clock, wall: Clock) -> None:
        """`steady` is the clock for timers, as in the network; `wall` for block times."""
        self.replica = replica
        self._verifiers = verifiers
        self._steady = steady
        self._wall = wall
        self._events: deque[e.Event] = deque()
        self._is_draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.network: Network | None = None
        self.on_committed: Callable[[e.BlockCommitted], None] = lambda _: None
        self.on_dropped: Callable[[e.Dropped], None] = lambda _: None
        self.on_admitted: Callable[[e.Admitted], None] = lambda _: None
        self.on_notice: Callable[[e.Notice], None] = lambda _: None
        self.on_failure: Callable[[BaseException], None] = lambda _: None
        self.on_handled: Callable[[e.Event, int], None] = lambda _, __: None
        """Gets each event with the milliseconds that it and the actions after it took."""
        self.is_stopped = False

    def start(self) -> None:
        self._execute(self.replica.start(self._steady(), self._wall()))
        self._schedule()

    def stop(self) -> None:
        self.is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def post(self, event: e.Event) -> None:
        """Handle an event; events that are posted while actions are executed are queued."""
        if self.is_stopped:
            return
        self._events.append(event)
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while self._events and not self.is_stopped:
                event, began = self._events.popleft(), self._steady()
                self._execute(self.replica.handle(event, began, self._wall()))
                self.on_handled(event, self._steady() - began)
        except Exception as error:
            self.is_stopped = True
            self.on_failure(error)
        finally:
            self._is_draining = False
        self._schedule()

    def fail(self, reason: str) -> None:
        """Halt the replica. Not through `post`, which takes nothing once an exception has stopped this pump."""
        self.replica.handle(e.Failed(reason), self._steady(), self._wall())

    def _schedule(self) -> None:
        """Tick at the replica's deadline. A timer that is due before it stays: to tick in vain costs less than to set
        a timer with every event."""
        if self.is_stopped or self.replica.halted:
            if self._timer is not None:
                self._timer.cancel()
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, (self.replica.next_deadline_ms() - self._steady()) / 1000)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.post(e.Tick())

    def _execute(self, actions: list[e.Action]) -> None:
        network = self.network
        for action in actions:
            match action:
                case e.Send(peer, message):
                    if network is not None:
                        network.send(peer, message)
                case e.Broadcast(message, besides):
                    if network is not None:
                        network.broadcast(message, besides)
                case e.Misbehaved(peer, code, text, weight):
                    if network is not None:
                        network.misbehaved(peer, code, text, weight)
                case e.Verify(job, transactions, sender):
                    signatures = sum(len(signed.signatures) for signed in transactions)
                    if network is not None and sender:
                        network.verifies_for(sender, signatures)
                    task = asyncio.create_task(self._verify(job, transactions, signatures, is_gossip=bool(sender)))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                case e.Admitted():
                    self.on_admitted(action)
                case e.BlockCommitted():
                    self.on_committed(action)
                case e.Dropped():
                    self.on_dropped(action)
                case e.Notice(name, level, fields):
                    if "peer" in fields and network is not None:  # a local number that means nothing to people
                        fields = {**fields, "peer": network.name_of(fields["peer"])}
                    log(name, level, fields)
                    self.on_notice(action)
                case e.Halt():
                    pass  # logged by the replica's notice `halt`
                case _:
                    assert_never(action)

    async def _verify(self, job: int, transactions: tuple[SignedTx, ...], signatures: int, *, is_gossip: bool) -> None:
        try:
            raws = [signed.raw for signed in transactions]
            results = await self._verifiers.verify(raws, signatures, is_gossip=is_gossip)
        except Exception as error:  # else sync or the height would wait silently for this job
            self.is_stopped = True
            self.on_failure(error)
            return
        self.post(e.Verified(job, results))
