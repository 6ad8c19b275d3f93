"""`bmw-node signer`: the process that holds the consensus key, and the move of a key into its home."""

from __future__ import annotations

import asyncio
import errno
import grp
import os
import signal
import sys
from pathlib import Path

import click

from node.chain.genesis import Genesis, genesis_hash
from node.cli.exit_codes import UNREACHABLE, exit_codes, fail
from node.cli.init import check_outside_source_trees, write_home
from node.cli.options import example, home_option
from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.signing import PrivateKey
from node.daemon import key_rotation
from node.daemon.config import load_config
from node.daemon.home import Home
from node.daemon.signer import SignerService
from node.errors import OperatorError
from node.log import log, set_up_logging
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.txtypes.chain.validator_set import CONSENSUS_KEY


@click.command(
    epilog=example(
        "bmw-node signer --home /var/lib/bmw-signer --take /var/lib/bmw-node",
        "bmw-node signer --home /var/lib/bmw-signer --socket /run/bmw-signer/signer.sock",
    )
)
@home_option
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), help="Unix socket.  [default: HOME/data/signer.sock]"
)
@click.option("--group", help="Let the members of this group connect too; otherwise only this user can.")
@click.option(
    "--take",
    "source",
    metavar="NODEHOME",
    type=click.Path(path_type=Path),
    help="Move consensus key and signing state from a stopped node's home to this one, then end.",
)
@exit_codes()
def signer(home: Path, path: Path | None, group: str | None, source: Path | None) -> None:
    """Hold the consensus key and sign for one node over a Unix socket, until SIGTERM or SIGINT."""
    if source is not None:
        take(Home(source), Home(home))
        return
    place = Home(home)
    place.check()
    config = load_config(place.config, os.environ, {})
    set_up_logging(config.node.log_level, config.node.log_format)
    genesis = place.read_genesis()
    ident = genesis_hash(genesis)
    with place.hold_signing():
        key = place.read_key("consensus")
        address = _address_of(place, config.node.validator)
        service = SignerService(
            LocalSigner(address, key, SafetyFile(place.hard_state), ident),
            ident,
            path or place.signer_socket,
            None if group is None else _group_id(group),
        )
        log("signer", "info", {"validator": to_text(address), "consensus_key": key.public, "chain": ident})
        failure = asyncio.run(_run(service, path or place.signer_socket))
    if failure is not None:
        fail(str(failure) or repr(failure), UNREACHABLE)
    sys.exit(0)


async def _run(service: SignerService, path: Path) -> BaseException | None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.request_stop)
    await service.start()
    log("listening", "info", {"socket": str(path)})
    await service.wait_stopped()
    log("stopping", "info", {})
    await service.stop()
    return service.failure


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OperatorError(f"there is no group {name}: create it, or leave --group out") from None


def _address_of(home: Home, configured: str) -> bytes:
    """The member it signs for: as configured, else by its account key. A signer does not see the chain."""
    if configured:
        return from_text(configured)
    if home.key_file("account").exists():
        return address_of(home.read_key("account").public)
    raise OperatorError(f"the signer does not know its member: set node.validator in {home.config}")


# --- take ----------------------------------------------------------------------------------------
def take(source: Home, target: Home) -> None:
    """Move key and signing state. At every moment the key is in one of the two homes, together with the state.

    Raises `OperatorError`; `Busy` where the node runs. Can be repeated after a crash.
    """
    source.check()
    if not target.config.exists():
        check_outside_source_trees(target.path)
    genesis = source.read_genesis()
    configured = load_config(source.config, os.environ, {}).node.validator
    if not source.key_file("consensus").exists():
        raise OperatorError(f"{source.key_file('consensus')} does not exist: was it taken already?")
    if key_rotation.next_key(source) is not None:
        raise OperatorError(
            f"a next consensus key waits in {source.path}: take the key once the rotation is carried out, or delete "
            f"{source.key_file(key_rotation.NEXT)} if it never will be"
        )
    key = source.read_key("consensus")
    store = LevelStore(source.store, create=source.store.exists() is False)
    try:
        with source.hold_signing():
            address = _member_of(source, configured, key, genesis, store)
            state = SafetyFile(source.hard_state).load()
            _prepare(target, genesis, address)
            with target.hold_signing():
                if state is None:
                    target.hard_state.unlink(missing_ok=True)
                else:
                    SafetyFile(target.hard_state).save(state)
                _rename(source.key_file("consensus"), target.key_file("consensus"))
                source.hard_state.unlink(missing_ok=True)
    finally:
        store.close()
    click.echo(f"moved the consensus key of {to_text(address)} and its signing state to {target.path}")
    click.echo(f'set node.signer_socket = "{target.signer_socket.absolute()}" in {source.config}')


def _member_of(home: Home, configured: str, key: PrivateKey, genesis: Genesis, store: LevelStore) -> bytes:
    """By the same rule as the node."""
    if configured:
        return from_text(configured)
    raw = ChainStore(store, genesis).state.get(CONSENSUS_KEY.key(key.public))
    if raw is not None:
        return CONSENSUS_KEY.decode(raw).member
    return _address_of(home, "")


def _prepare(target: Home, genesis: Genesis, address: bytes) -> None:
    """Make a signer's home without a key, or use the one that an interrupted move has left."""
    if not target.config.exists():
        write_home(target.path, genesis, {}, {"node.validator": to_text(address)})
        return
    if target.key_file("consensus").exists() or target.read_genesis() != genesis:
        raise OperatorError(f"{target.path} is another home already: name a new folder")
    if load_config(target.config, {}, {}).node.validator != to_text(address):
        raise OperatorError(f"{target.config} names another member: name a new folder")


def _rename(here: Path, there: Path) -> None:
    """The step that moves the key: atomic, and on disk when this returns."""
    try:
        here.rename(there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise OperatorError(
            f"{there.parent} is on another disk, where a key can't be moved in one step: name a folder on the disk of "
            f"{here.parent}, and move that folder as a whole afterwards"
        ) from None
    for folder in (there.parent, here.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
