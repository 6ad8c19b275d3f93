"""Repair of a stopped node's store: rollback, reindex, verify-store, compact. Nothing else in the home is changed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from node.audit.progress import ReplayProgress
from node.chain.genesis import Genesis
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, home_option
from node.cli.successor import import_state, predecessor_option
from node.console import Bar
from node.daemon.home import Home
from node.errors import Busy, Corrupted, OperatorError
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import unless_damaged
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.lost_blocks import SIGNING_STATE, lost_blocks, lost_text
from node.storage.rebuild import BrokenChain, Extent, check_whole, extent_of, rebuild
from node.storage.store_check import StoreCheck
from node.storage.store_dirs import (
    Rebuilt,
    bytes_in,
    exchange,
    finish_rebuilt,
    kept_name,
    reading,
    rebuilt_folder,
    repairing,
    settle,
)
from node.storage.verify_report import StoreDamage, damage_at

SHOWN_MAX = 20
"""Damages that verify-store lists; the rest is counted."""


# --- rollback and reindex ------------------------------------------------------------------------------
@click.command(epilog=example("bmw-node rollback --home /var/lib/bmw-node --heights 2"))
@home_option
@click.option("--heights", type=click.IntRange(1), default=1, show_default=True, help="How many blocks to go back.")
@click.option("--discard", is_flag=True, help="Remove the old store instead of keeping it beside the new one.")
@predecessor_option
@json_option
@exit_codes(corrupted=FAILED)
def rollback(home: Path, heights: int, discard: bool, old_home: Path | None, as_json: bool) -> None:
    """Take a stopped node back by some blocks.

    The state is recomputed: the node's own blocks are verified and executed from genesis into a new store, then the
    stores are exchanged. Other nodes still have the removed blocks, and this node will sync the same ones again: to
    undo decided blocks the validators must agree to go back together. Signing state is kept, so a validator never signs
    a height twice.
    """
    _report(_rebuilt(home, "rollback", heights, discard, old_home), as_json)


@click.command(epilog=example("bmw-node reindex --home /var/lib/bmw-node"))
@home_option
@click.option("--discard", is_flag=True, help="Remove the old store instead of keeping it beside the new one.")
@predecessor_option
@json_option
@exit_codes(corrupted=FAILED)
def reindex(home: Path, discard: bool, old_home: Path | None, as_json: bool) -> None:
    """Recompute state, tree, records and indexes of a stopped node from its blocks.

    Every block is verified and executed from genesis into a new store, then the stores are exchanged. An invalid block
    is named, and the old store stays in place.
    """
    _report(_rebuilt(home, "reindex", 0, discard, old_home), as_json)


def _rebuilt(home: Path, command: str, heights: int, discard: bool, old_home: Path | None) -> dict[str, Any]:
    place = Home(home)
    place.check()
    genesis, store = place.read_genesis(), place.store
    with repairing(store):
        finished = settle(store)
        shutil.rmtree(rebuilt_folder(store), ignore_errors=True)  # of an interrupted run
        kv = LevelStore(store, create=False)
        try:
            extent = extent_of(kv, genesis)
            if finished is not None and (finished.command, finished.height) == (command, extent.last):
                return _result(finished, store, store.with_name(finished.kept_as), discard)
            purpose = _purpose(command, store, extent, heights)
            _make(kv, store, genesis, purpose, old_home)
        except BrokenChain as error:
            raise Corrupted(_with_fix(error, home, extent)) from None
        finally:
            kv.close()
        try:
            kept = exchange(store)
        except Busy:  # a node has just been started on the old one
            shutil.rmtree(rebuilt_folder(store), ignore_errors=True)
            raise
        return _result(purpose, store, kept, discard)


def _purpose(command: str, store: Path, extent: Extent, heights: int) -> Rebuilt:
    check_whole(extent)
    blocks = extent.last - extent.first + 1
    if heights > blocks:
        raise click.UsageError(f"--heights {heights}: the store has {blocks} blocks, give at most that")
    return Rebuilt(command, extent.last, extent.last - heights, kept_name(store, f"{command}-{extent.last}"))


def _make(kv: LevelStore, store: Path, genesis: Genesis, purpose: Rebuilt, old_home: Path | None) -> None:
    """Make the rebuilt store beside the old one, on disk; nothing is left of it where that fails."""
    rebuilt = rebuilt_folder(store)
    needed, free = bytes_in(store), shutil.disk_usage(store).free
    if free < needed:
        raise OperatorError(f"a second store beside {store} needs {needed} bytes, {free} are free: make room")
    progress = ReplayProgress(purpose.height, sys.stderr)
    try:
        cache = WriteBackStore(LevelStore(rebuilt))
        try:
            import_state(cache, genesis, old_home)
            rebuild(kv, ChainStore(cache, genesis), purpose.height, progress)
            cache.flush()
        finally:
            cache.close()
        finish_rebuilt(rebuilt, purpose)
    except BaseException:
        shutil.rmtree(rebuilt, ignore_errors=True)
        raise
    finally:
        progress.close()


def _with_fix(error: BrokenChain, home: Path, extent: Extent) -> str:
    command = _rollback_command(home, extent.last, error.height)
    return f"{error}; the store is unchanged; '{command}' goes back to height {error.height - 1}, then sync again"


def _rollback_command(home: Path, last: int, height: int) -> str:
    return f"bmw-node rollback --home {home} --heights {last - height + 1}"


def _result(purpose: Rebuilt, store: Path, kept: Path, discard: bool) -> dict[str, Any]:
    if discard:
        shutil.rmtree(kept, ignore_errors=True)
    return {
        "command": purpose.command,
        "height_before": purpose.before,
        "height": purpose.height,
        "store": str(store),
        "old_store": str(kept) if kept.exists() else None,
    }


def _report(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    height = result["height"]
    if result["command"] == "rollback":
        click.echo(f"went back from height {result['height_before']} to {height}: its state is recomputed and verified")
        click.echo(
            "the other nodes still have the removed blocks, and this one will sync the same ones again; to undo "
            "decided blocks the validators must agree to go back together"
        )
    else:
        click.echo(f"recomputed everything from {height} blocks, each verified and executed")
    click.echo("signing state, keys, settings and journal are untouched")
    if result["old_store"]:
        click.echo(f"the old store is kept: once the node runs well, remove it with  rm -r {result['old_store']}")


# --- verify-store --------------------------------------------------------------------------------------
@click.command("verify-store", epilog=example("bmw-node verify-store --home /var/lib/bmw-node --json"))
@home_option
@json_option
@exit_codes(corrupted=FAILED)
def verify_store(home: Path, as_json: bool) -> None:
    """Check every key of a stopped node's store, or of a checkpoint, against the others; change nothing.

    Blocks, certificates, roots, values, records and indexes are read with checksums. Nothing is executed, so this takes
    a fraction of the time of a replay ('bmw-audit replay --store'). Exit code 1: damaged, with the place.
    """
    place, store = _opened(home)
    genesis = place.read_genesis()
    with reading(store) as copy:
        try:
            check, extent, listed, rest = _checked(copy, genesis, store.with_name(SIGNING_STATE))
        except Corrupted as error:
            raise Corrupted(str(error).replace(str(copy), str(store))) from None
        listed = [replace(damage, text=damage.text.replace(str(copy), str(store))) for damage in listed]
    report = {
        "result": "damaged" if listed else "ok",
        "store": str(store),
        "height": check.height,
        "keys": sum(check.counts.values()),
        "families": check.counts,
        "damages": [damage.to_json() for damage in listed],
        "damages_not_shown": len(rest),
    }
    if as_json:
        print_json(report)
    else:
        _print_check(report, listed)
    if listed:
        fail(_damage_text(listed, rest, home, extent), FAILED)


def _checked(
    copy: Path, genesis: Genesis, signing_state: Path
) -> tuple[StoreCheck, Extent, list[StoreDamage], list[StoreDamage]]:
    """The check, the store's extent, the damages to list and the others."""
    kv = LevelStore(copy, create=False)
    steps = _Steps()
    try:
        extent = extent_of(kv, genesis)
        unless_damaged(ChainReader(kv).check_rules, None)  # damage is for the check to report
        check = StoreCheck(kv, genesis, steps)
        damages = chain(_lost(kv, signing_state), check.damages())
        return check, extent, list(islice(damages, SHOWN_MAX)), list(damages)
    finally:
        steps.close()
        kv.close()


def _lost(kv: LevelStore, signing_state: Path) -> Iterator[StoreDamage]:
    lost = lost_blocks(kv, signing_state)
    if lost:
        yield damage_at(schema.block_key(lost.start), lost.start, lost_text(lost), is_derived=False)


def _opened(home: Path) -> tuple[Home, Path]:
    """The store of a home or a checkpoint."""
    place = Home(home)
    if not place.config.exists() and (home / "store" / "CURRENT").exists():
        return place, home / "store"
    place.check()
    return place, place.store


def _print_check(report: dict[str, Any], listed: list[StoreDamage]) -> None:
    for name, count in report["families"].items():
        click.echo(f"{name:<20} {count}")
    click.echo(f"{'all keys':<20} {report['keys']}, to height {report['height']}")
    for damage in listed:
        click.echo(f"damaged: {damage}")
    if report["damages_not_shown"]:
        click.echo(f"and {report['damages_not_shown']} more")
    if not listed:
        click.echo("no damage found")


def _damage_text(listed: list[StoreDamage], rest: list[StoreDamage], home: Path, extent: Extent) -> str:
    first, everything = listed[0], listed + rest
    count = len(everything)
    lowest = max(1, min((damage.height for damage in everything if not damage.is_derived), default=1))
    if not extent.is_whole or lowest > extent.last:
        fix = "restore a checkpoint, or wipe the store and sync again"
    elif all(damage.is_derived for damage in everything):
        fix = f"it follows from the blocks, which are intact: run 'bmw-node reindex --home {home}'"
    else:
        fix = (
            f"run '{_rollback_command(home, extent.last, lowest)}' to go back before it, then sync again, or restore a "
            "checkpoint"
        )
    others = f" (and {count - 1} more)" if count > 1 else ""
    return f"the store is damaged{others}: {first}; {fix}"


class _Steps:
    """Progress over key families: with the time left for blocks, as a count for the others."""

    def __init__(self) -> None:
        self._line = Bar(None, sys.stderr)
        self._blocks: ReplayProgress | None = None

    def __call__(self, family: str, done: int, total: int) -> None:
        if not self._line.is_shown:
            return
        if family == "block" and total:
            self._blocks = self._blocks or ReplayProgress(total, sys.stderr)
            self._blocks(done, 0)
            return
        self._end_blocks()
        if self._line.is_due():
            self._line.update(done, f"{family}: {done:,}")

    def _end_blocks(self) -> None:
        if self._blocks is not None:
            self._blocks.close()
            self._blocks = None

    def close(self) -> None:
        self._end_blocks()
        self._line.close()


# --- compact -------------------------------------------------------------------------------------------
@click.command(epilog=example("bmw-node compact --home /var/lib/bmw-node"))
@home_option
@json_option
@exit_codes()
def compact(home: Path, as_json: bool) -> None:
    """Return the space of replaced and deleted entries in a stopped node's store to the disk."""
    _, store = _opened(home)
    with repairing(store):
        before = bytes_in(store) if store.is_dir() else 0
        kv = LevelStore(store, create=False)
        try:
            kv.compact()
            kv.write({}, [])  # LevelDB reports a failed compaction at the next write
        finally:
            kv.close()
        after = bytes_in(store)
    if as_json:
        print_json({"store": str(store), "bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{before:,} bytes before, {after:,} after")
