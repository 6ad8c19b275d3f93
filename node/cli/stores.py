"""Commands on stores and archives: checkpoint, export, import, inspect."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import click

from node.chain.block import Block, block_id_of
from node.chain.genesis import genesis_hash
from node.cli.admin_client import admin_request
from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, home_option
from node.daemon.home import Home
from node.errors import InvalidBlock, OperatorError, WrongChain
from node.ledger.json_form import to_json
from node.storage.archive import ArchiveReader, write_archive
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore
from node.storage.rebuild import take
from node.txtypes.envelope import decode_signed_tx

CHECKPOINT_S = 600.0


@click.command(epilog=example("bmw-node checkpoint --home /var/lib/bmw-node /backup/2026-11-22"))
@home_option
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@exit_codes()
def checkpoint(home: Path, target: Path, as_json: bool) -> None:
    """Copy a running node's store consistently, for audit and backup, without signing state."""
    place = Home(home)
    place.check()
    try:
        body = {"dir": str(target.absolute())}
        status, answer = admin_request(place, "POST", "/checkpoint", body, timeout_s=CHECKPOINT_S)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OperatorError(
            f"the node of {home} does not answer on its admin socket ({error}): start it, or copy {place.store} "
            "while it is stopped"
        ) from None
    if status != 200:
        raise OperatorError(answer["error"])
    if as_json:
        print_json(answer)
    else:
        click.echo(f"copied {answer['entries']} entries to {answer['dir']}")


def open_store(place: Home) -> tuple[LevelStore, ChainStore]:
    """The store of a stopped node, or of a checkpoint."""
    path = place.store
    if not place.config.exists() and (place.path / "store" / "CURRENT").exists():
        path = place.path / "store"
    else:
        place.check()
    kv = LevelStore(path, create=False)
    return kv, ChainStore(kv, place.read_genesis())


@click.command(epilog=example("bmw-node export --home /var/lib/bmw-node blocks.bmwarchive --from 1 --to 5000"))
@home_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "start", type=click.IntRange(1), help="First height; without: the chain's first.")
@click.option("--to", "last", type=click.IntRange(1), help="Last height; without: the head.")
@json_option
@exit_codes()
def export(home: Path, file: Path, start: int | None, last: int | None, as_json: bool) -> None:
    """Archive blocks with their certificates, from the store of a stopped node or a checkpoint."""
    if file.exists():
        raise OperatorError(f"{file} exists already: name another file")
    kv, store = open_store(Home(home))
    try:
        if store.height() <= store.start_height:
            raise OperatorError("the store has no block yet: copy it again once the chain has one")
        first, end = start or store.start_height + 1, last or store.height()
        if end > store.height():
            raise OperatorError(f"the store ends at height {store.height()}: give --to at most that")
        if end < first:
            raise click.UsageError(f"from {first} to {end} there is no block: give --to at least as high as --from")
        write_archive(file, store, first, end, store.genesis_hash)
    finally:
        kv.close()
    if as_json:
        print_json({"file": str(file), "from": first, "to": end})
    else:
        click.echo(f"wrote heights {first} to {end} to {file}")


@click.command("import", epilog=example("bmw-node import --home /var/lib/bmw-node blocks.bmwarchive"))
@home_option
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@exit_codes()
def import_(home: Path, file: Path, as_json: bool) -> None:
    """Import an archive's blocks into the store of a stopped node; each is verified and executed."""
    place = Home(home)
    place.check()
    archive = ArchiveReader(file)
    genesis = place.read_genesis()
    if archive.genesis_hash != genesis_hash(genesis):
        raise WrongChain(f"{file} is of the chain {archive.genesis_hash.hex()}, not {genesis_hash(genesis).hex()}")
    kv = LevelStore(place.store)
    try:
        store = ChainStore(kv, genesis)
        before = store.height()
        for committed in archive:
            height = committed.block.header.height
            if height > store.height() + 1:
                raise InvalidBlock(
                    "gap",
                    f"{file} goes on at block {height}, the store ends at {store.height()}: "
                    "import the archive of the blocks between first",
                )
            if height > store.height():
                take(store, committed.block, committed.commit)
        after = store.height()
        if as_json:
            print_json({"height_before": before, "height": after})
        else:
            click.echo(f"imported heights {before + 1} to {after}" if after > before else "nothing new")
    finally:
        kv.close()


@click.command(epilog=example("bmw-node inspect --home /var/lib/bmw-node 42"))
@home_option
@click.argument("what", metavar="HEIGHT|ID|TXID")
@json_option
@exit_codes()
def inspect(home: Path, what: str, as_json: bool) -> None:
    """Print a decoded block or transaction from the store of a stopped node or a checkpoint; always JSON."""
    del as_json
    kv, store = open_store(Home(home))
    try:
        height: int | None = int(what) if what.isdigit() and len(what) < 16 else None
        index: int | None = None
        if height is None:
            try:
                ident = bytes.fromhex(what)
            except ValueError:
                raise click.UsageError(f"{what!r} is neither a height nor hex") from None
            height = store.height_of(ident)
            place = store.place(ident) if height is None else None
            if place is not None:
                height, index = place.height, place.index
        block = store.block(height) if height is not None else None
        if block is None or height is None:
            raise OperatorError(f"the store has no block or transaction {what}")
        print_json(_decoded(store, block, index))
    finally:
        kv.close()


def _decoded(store: ChainStore, block: Block, index: int | None) -> dict[str, Any]:
    transactions = []
    for raw in block.transactions:
        signed = decode_signed_tx(raw, store.genesis_hash)
        body = {"body": to_json(signed.payload.body)}
        transactions.append({"txid": signed.txid.hex()} | to_json(signed.payload) | body)
    if index is not None:
        return transactions[index] | {"height": block.header.height, "index": index}
    commit = store.commit(block.header.height)
    return {
        "id": block_id_of(block.header, store.genesis_hash).hex(),
        "header": to_json(block.header),
        "transactions": transactions,
        "commit": to_json(commit) if commit else None,
    }
