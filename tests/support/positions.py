"""Positions of a game that is played by the rules of the ledger: what everybody could do next, tried without blocks.

A position is what has changed since a committed state, and a time. A move is judged by the real execution, and gives
the next position; nothing is encoded, signed, hashed into a tree or written. A search visits thousands in a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from node.crypto.dev_keys import dev_key
from node.execution.block_run import BlockRun
from node.ledger.body import TransactionBody
from node.ledger.overlay import BlockOverlay, Overlay, StateReader
from node.ledger.signed import TxSignature
from node.txtypes.envelope import CheckedTx, Payload, SignedTx
from support.chain import HOUR_MS, Chain, address

Move = tuple[str, str, TransactionBody, tuple[str, ...]]
"""Name, sender, body, who signs besides."""


@dataclass(frozen=True)
class Position:
    """`number`: of moves that led here, so that what they begin has ids of its own."""

    now: int
    changes: Overlay
    number: int = 0


@dataclass
class Game:
    """Positions over the committed state of a chain."""

    chain: Chain
    values: dict[bytes, Any] = field(default_factory=dict)
    """What was read of the committed state."""

    def begin(self) -> Position:
        return Position(self.chain.now, {})

    def at(self, position: Position) -> At:
        return At(self, position)


class _Overlay(BlockOverlay):
    """What has changed until a position. What was read of the committed state is read once for the whole game."""

    def __init__(self, state: StateReader, game: Game, position: Position) -> None:
        super().__init__(state)
        self.changes, self._game = position.changes, game
        self.values = {key: value for key, (_, value) in position.changes.items()}

    def load(self, family: Any, key: bytes) -> Any:
        known = self._game.values
        if key not in known:
            known[key] = super().load(family, key)
        self.values[key] = known[key]
        return known[key]


class At:
    """A position as its players see it."""

    def __init__(self, game: Game, position: Position) -> None:
        self.position, self.game, self.now = position, game, position.now
        store, chain = game.chain.store, game.chain
        self._run = BlockRun(store.state, store.tree, store.head(), chain.genesis_hash, position.now)
        self._run._overlay = _Overlay(store.state, game, position)

    def state(self, family: Any, ident: Any) -> Any:
        return self._run._overlay.get(family, family.key(ident))

    def get(self, family: Any, ident: Any) -> Any:
        return self.state(family, ident)

    def after(self, sender: str, body: TransactionBody, *cosigners: str) -> Position | list[str]:
        """The next position; or the codes of the guards that are not met."""
        number = self.position.number + 1
        signatures = tuple(_signature(name) for name in dict.fromkeys((sender, *cosigners)))
        payload = Payload(address(sender), number, self.now + HOUR_MS, body)
        txid = number.to_bytes(32, "big")
        ledger = self._run.carry_out(CheckedTx(SignedTx(b"", b"", payload, signatures, txid, b"")))
        if ledger.unmet_guards:
            return [guard.code for guard in ledger.unmet_guards]
        return Position(self.now, self.position.changes | ledger.changes, number)

    def later(self, now: int) -> Position:
        return Position(now, self.position.changes, self.position.number)


def _signature(name: str) -> TxSignature:
    known = _SIGNATURES.get(name)
    if known is None:
        known = _SIGNATURES[name] = TxSignature(address(name), dev_key("account", name).public, bytes(64))
    return known


_SIGNATURES: dict[str, TxSignature] = {}


def explore(
    game: Game, moves: Callable[[At], Iterable[Move]], times: Callable[[At], Iterable[int]], key: Callable[[At], Any],
    visit: Callable[[At], None],
) -> Iterator[str]:  # fmt: skip
    """Visit every position that can be reached, each once; positions of one key are one. Yields the name of every move
    that was possible, as often as it was."""
    seen, waiting = set(), [game.begin()]
    while waiting:
        here = game.at(waiting.pop())
        found = key(here)
        if found in seen:
            continue
        seen.add(found)
        visit(here)
        for name, sender, body, cosigners in moves(here):
            after = here.after(sender, body, *cosigners)
            if isinstance(after, Position):
                waiting.append(after)
                yield name
        for now in times(here):
            waiting.append(here.later(now))
            yield "time"
