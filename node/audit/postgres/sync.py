"""Keeping the read model in step with a chain.

Every block is replayed: certificate, signatures, guards, effects and roots are verified from the genesis on before its
rows are written. The executed state is kept in a folder of its own, which may be lost, or be behind: blocks whose rows
the database has are replayed again without writing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from node.audit.follow import Follower, check_source, opened
from node.audit.postgres.read_model import ConnectionLost, Position, ReadModel
from node.audit.sources import BlockSource
from node.chain.genesis import Genesis, genesis_hash
from node.errors import Busy, Corrupted, OperatorError
from node.storage.leveldb import LevelStore, WriteBackStore

PAUSE_MAX_S: Final = 10.0
"""The longest pause between two attempts to reach a server or a node that has gone away; the first is a tenth of a
second, and each is twice the one before."""


class Sync:
    """Brings one database to the head of a source, and keeps it there."""

    def __init__(
        self,
        genesis: Genesis,
        source: Callable[[], BlockSource],
        url: str,
        folder: Path,
        older: Sequence[tuple[Genesis, BlockSource]] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`source` opens the source anew, so that it knows its present head. `folder`: of the executed state."""
        self._genesis = genesis
        self._genesis_hash = genesis_hash(genesis).hex()
        self._source = source
        self._url = url
        self._folder = folder
        self._older = older
        self._tell = tell
        self.height = -1
        """The position, as of the last block written or found."""

    def once(self, to: int | None = None) -> int:
        """Bring the database to height `to`, or to the source's head; returns the height. Raises `OperatorError`,
        `Diverged`, `Corrupted`, and `ConnectionLost`."""
        with ReadModel.connected(self._url) as model, ExitStack() as stack:
            follower = self._at_position(model, stack)
            self._advance(model, follower, to)
            return self.height

    def follow(self, every_s: float) -> None:
        """Keep the database in step, for ever. After the first start, a server or a node that goes away is waited
        for."""
        pause_s, has_started, told = 0.1, False, -1
        while True:
            try:
                with ReadModel.connected(self._url) as model, ExitStack() as stack:
                    follower = self._at_position(model, stack)
                    has_started = True
                    while True:
                        self._advance(model, follower, None)
                        if told != self.height:
                            self._tell(f"in step at height {self.height}")
                        pause_s, told = 0.1, self.height
                        time.sleep(every_s)
            except (ConnectionLost, SourceGone) as error:
                if not has_started:
                    raise
                self._tell(f"{error}; trying again")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    # --- one connection -----------------------------------------------------------------------------------
    def _at_position(self, model: ReadModel, stack: ExitStack) -> Follower:
        """A follower whose state is that of the database's position; of a new database, the chain's first state."""
        position = model.position()
        self._check_genesis(position)
        follower = self._opened(stack, position)
        if position is not None:
            with _opened_source(self._source) as source:
                check_source(follower.store, source)
                if source.last < position.height:
                    raise SourceGone(
                        f"the {source.name} ends at block {source.last}, the database at {position.height}"
                    )
                for _ in follower.follow(source, position.height):
                    pass  # the database has these rows
            head = follower.store.head()
            if head.block_id.hex() != position.block_id:
                raise OperatorError(
                    f"the database has block {position.block_id} at height {position.height}, the chain has "
                    f"{head.block_id.hex()}: it was filled from another chain; sync into a new database"
                )
        model.prepare(follower.store)
        self.height = follower.height
        return follower

    def _check_genesis(self, position: Position | None) -> None:
        if position is not None and position.genesis_hash != self._genesis_hash:
            raise OperatorError(
                f"the database has the chain with genesis hash {position.genesis_hash}, the genesis file has "
                f"{self._genesis_hash}: give that chain's genesis file, or sync into a new database"
            )

    def _opened(self, stack: ExitStack, position: Position | None) -> Follower:
        """The executed state, made anew where it is damaged, or ahead of a database that was restored."""
        limit = 0 if position is None else position.height
        for is_last in (False, True):
            with ExitStack() as attempt:
                try:
                    kv = WriteBackStore(LevelStore(self._folder / "state"))
                    attempt.callback(kv.close)
                    follower = opened(self._genesis, kv, self._folder / "predecessor", self._older)
                    if follower.height <= limit or follower.store.is_at_start:
                        stack.push(attempt.pop_all())
                        return follower
                    self._tell(f"the executed state is at {follower.height}, the database at {limit}: replaying")
                except Corrupted as error:
                    if is_last:
                        raise
                    self._tell(f"{error}; replaying the chain")
            shutil.rmtree(self._folder / "state")
            shutil.rmtree(self._folder / "predecessor", ignore_errors=True)
        raise Busy(f"the state in {self._folder} is changed by another program: name another folder with --state")

    def _advance(self, model: ReadModel, follower: Follower, to: int | None) -> None:
        with _opened_source(self._source) as source:
            last = source.last if to is None else to
            if last > source.last:
                raise OperatorError(f"the {source.name} ends at block {source.last}: give --until at most that")
            for executed in follower.follow(source, max(last, follower.height)):
                model.write(executed)
                self.height = executed.result.height


class SourceGone(OperatorError):
    """The source can't be read now."""


class _Watched:
    """A source that can't be read raises `SourceGone`. Implements `BlockSource`."""

    def __init__(self, source: BlockSource) -> None:
        self._source = source
        self.name, self.genesis_hash, self.claimed = source.name, source.genesis_hash, source.claimed
        self.first, self.last = source.first, source.last

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        try:
            yield from self._source.blocks(first, last)
        except OperatorError as error:
            raise SourceGone(str(error)) from None

    def close(self) -> None:
        self._source.close()


@contextmanager
def _opened_source(open_source: Callable[[], BlockSource]) -> Iterator[BlockSource]:
    """The source for one run over its blocks."""
    try:
        source = open_source()
    except OperatorError as error:
        raise SourceGone(str(error)) from None
    try:
        yield _Watched(source)
    finally:
        source.close()
