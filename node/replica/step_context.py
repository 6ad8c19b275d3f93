"""Context of one `handle` call: the current time and the actions to carry out, in order."""

from __future__ import annotations

from node.replica import events as e
from node.replica.messages import Message


class StepContext:
    """Shared by all parts of a replica. `halted`: why the replica has halted, else empty.

    `now_ms` is steady time, for timers. `wall_ms` is wall-clock time, which may be set forwards and back: for block
    times only.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self.wall_ms = 0
        self.halted = ""
        self._actions: list[e.Action] = []

    def begin(self, now_ms: int, wall_ms: int) -> None:
        """Start a step. `now_ms` never decreases."""
        self.now_ms = max(now_ms, self.now_ms)
        self.wall_ms = wall_ms

    def on_the_wall(self, steady_ms: int) -> int:
        """The wall-clock time of a steady time, unless the clock was set meanwhile."""
        return self.wall_ms - (self.now_ms - steady_ms)

    def take(self) -> list[e.Action]:
        """Remove and return the queued actions."""
        actions, self._actions = self._actions, []
        return actions

    def add(self, action: e.Action) -> None:
        self._actions.append(action)

    def send(self, peer: e.PeerId, message: Message) -> None:
        self._actions.append(e.Send(peer, message))

    def broadcast(self, message: Message, besides: e.PeerId | None = None) -> None:
        self._actions.append(e.Broadcast(message, besides))

    def notice(self, name: str, level: str, **fields: object) -> None:
        self._actions.append(e.Notice(name, level, fields))

    def misbehaved(self, peer: e.PeerId, code: str, text: str, weight: int = 10) -> None:
        self._actions.append(e.Misbehaved(peer, code, text, weight))

    def halt(self, reason: str) -> None:
        """Halt the replica: going on could be wrong."""
        self.halted = reason
        self.notice("halt", "critical", why=reason)
        self._actions.append(e.Halt(reason))
