"""`bmw-node successor` and `inherit`: a new chain continues one that a third of its power has left for good."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from msgspec.structs import replace

from node.chain.genesis import (
    Continues,
    Genesis,
    GenesisAccount,
    GenesisMember,
    GenesisValidator,
    genesis_hash,
    genesis_to_json,
    parse_genesis,
)
from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, home_option
from node.codec import encode
from node.consensus.safety import NeverSigned
from node.crypto.addresses import from_text, to_text
from node.daemon.home import Home
from node.errors import Malformed, OperatorError
from node.execution.successor import changed_values
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.storage.state_import import import_predecessor, validators_of
from node.storage.store_dirs import reading, repairing
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import unknown_rules

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path)


class Predecessor(NamedTuple):
    kv: KeyValue
    genesis: Genesis


@contextmanager
def predecessor(path: Path) -> Iterator[Predecessor]:
    """A copy of the store of a stopped node or a checkpoint, whose chain is continued."""
    home = Home(path)
    store = home.store if (home.store / "CURRENT").exists() else path / "store"
    if not (store / "CURRENT").exists():
        raise OperatorError(f"there is no store in {path}: name the old home of a stopped node, or a checkpoint")
    genesis = home.read_genesis()
    with reading(store) as copy:
        kv = LevelStore(copy, create=False)
        try:
            yield Predecessor(kv, genesis)
        finally:
            kv.close()


def predecessor_option(command: Command) -> Command:
    """`--predecessor`, passed on as `old_home`."""
    return click.option(
        "--predecessor",
        "old_home",
        type=FOLDER,
        metavar="DIR",
        help="Home of a stopped node, or a checkpoint, of the chain that this one continues.",
    )(command)


# --- the genesis ---------------------------------------------------------------------------------------
class Survivor(NamedTuple):
    """A validator that goes on, from the output of its `bmw-node keys --json`."""

    address: bytes
    consensus_key: bytes
    possession: bytes


@click.command(
    epilog=example(
        "bmw-node successor --home /var/lib/bmw-node --chain-id bmw-2 --member bmw.json --member munich.json "
        "--power dealer-munich=3 successor.json"
    )
)
@home_option
@click.option("--chain-id", required=True, help="Name of the new chain.")
@click.option(
    "--member", "files", required=True, multiple=True, type=FOLDER, metavar="FILE",
    help="Output of 'bmw-node keys --json' of a validator that goes on. Repeat it for each.",
)  # fmt: skip
@click.option("--power", "powers", multiple=True, metavar="NAME=N", help="Power of a member instead of its old one.")
@click.argument("output", type=FOLDER)
@json_option
@exit_codes()
def successor(
    home: Path, chain_id: str, files: tuple[Path, ...], powers: tuple[str, ...], output: Path, as_json: bool
) -> None:
    """Write the genesis of a chain that continues the one in HOME, which can't go on.

    HOME is the home of a stopped node, or a checkpoint: of those left, the one with the highest block. The members then
    compare the genesis hash, and each makes a new home with it and 'bmw-node inherit'.
    """
    new_powers = dict(_name_and_power(text) for text in powers)
    survivors = [_survivor(path) for path in files]
    with predecessor(home) as old:
        store = ChainStore(old.kv, old.genesis)
        genesis = _genesis(store, chain_id, survivors, new_powers)
        changed_values(genesis, store.state.get, validators_of(old.kv))
        before = store.head().validators
        names = {e.address: _name_of(store, e.address) for e in before.entries}
    if output.exists():
        raise OperatorError(f"{output} exists already: name another file")
    output.write_text(genesis_to_json(genesis))
    after = {a.address: a.member.validator.power for a in genesis.accounts if a.member and a.member.validator}
    names |= {account.address: account.name for account in genesis.accounts}
    summary: dict[str, Any] = {
        "genesis_hash": genesis_hash(genesis).hex(),
        "continues": {
            "genesis_hash": store.genesis_hash.hex(),
            "height": store.height(),
            "block_id": store.head().block_id.hex(),
            "state_root": store.head().state_root.hex(),
        },
        "validators": [
            {"name": name, "address": to_text(at), "power_before": before.power(at) if at in before else 0,
             "power": after.get(at, 0)}
            for at, name in sorted(names.items(), key=lambda pair: pair[1])
        ],
    }  # fmt: skip
    if as_json:
        print_json(summary)
        return
    click.echo(f"wrote {output}, which continues {old.genesis.chain_id} from height {store.height()}")
    for entry in summary["validators"]:
        click.echo(f"  {entry['name']:<24} power {entry['power_before']} before, {entry['power']} from now on")
    click.echo(
        f"genesis hash {summary['genesis_hash']}: every member compares it, and what it continues, with the others"
    )


def _name_and_power(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise click.UsageError(f"--power {text}: give NAME=N, as in dealer-munich=3")
    return name, int(number)


def _survivor(path: Path) -> Survivor:
    try:
        keys = json.loads(path.read_bytes())
        return Survivor(
            from_text(keys["address"]),
            bytes.fromhex(keys["consensus_key"]),
            bytes.fromhex(keys["genesis_possession"]),
        )
    except OSError as error:
        raise OperatorError(f"{path} can't be read ({error.strerror}): check --member") from None
    except (ValueError, KeyError, TypeError, Malformed) as error:
        raise OperatorError(f"{path} is not what 'bmw-node keys --json' prints ({error}): check --member") from None


def _name_of(reader: ChainReader, address: bytes) -> str:
    raw = reader.state.get(MEMBER.key(address))
    return to_text(address) if raw is None else MEMBER.decode(raw).name


def _genesis(store: ChainStore, chain_id: str, survivors: list[Survivor], powers: dict[str, int]) -> Genesis:
    """Everything as in the state, except the validators. Raises `Malformed`, `OperatorError`."""
    head, before = store.head(), store.head().validators
    accounts = []
    for one in survivors:
        raw, member_raw = store.state.get(ACCOUNT.key(one.address)), store.state.get(MEMBER.key(one.address))
        if raw is None or member_raw is None:
            raise OperatorError(f"{to_text(one.address)} is no member of the chain in this home: check --member")
        account, member = ACCOUNT.decode(raw), MEMBER.decode(member_raw)
        power = powers.pop(member.name, before.power(one.address) if one.address in before else 0)
        if not power:
            raise OperatorError(f"{member.name} has no power on the chain that is continued: give --power")
        validator = GenesisValidator(one.consensus_key, one.possession, power)
        accounts.append(
            GenesisAccount(
                member.name,
                one.address,
                account.keys,
                account.threshold,
                account.sealing_hash,
                account.sponsor,
                GenesisMember(
                    member.country,
                    member.group,
                    member.grants,
                    member.sites,
                    validator,
                    member.node_key,
                    member.node_address,
                ),
            )
        )
    if powers:
        raise OperatorError(f"--power {next(iter(powers))}: no --member file is of that name")
    time_ms = max(time.time_ns() // 1_000_000, head.time_ms + 1)
    continues = Continues(store.genesis_hash, head.height, head.block_id, head.state_root)
    params = head.params
    if unknown_rules(params, params.next_ruleset_height):  # none has it: very likely why the chain can't go on
        params = replace(params, next_ruleset=0, next_ruleset_height=0, next_ruleset_hash=b"")
    genesis = Genesis(chain_id, time_ms, store.genesis.tree_depth, params, tuple(accounts), continues)
    return parse_genesis(genesis_to_json(genesis).encode())


# --- the state -----------------------------------------------------------------------------------------
def import_state(kv: KeyValue, genesis: Genesis, old_home: Path | None) -> None:
    """Where the chain continues another, import its first state into an empty store; else do nothing."""
    if genesis.continues is None:
        if old_home is not None:
            raise OperatorError("this chain continues no other: leave --predecessor out")
        return
    if old_home is None:
        raise OperatorError("this chain continues another one: name that one's home with --predecessor")
    with predecessor(old_home) as old:
        import_predecessor(kv, genesis, old.kv, old.genesis.tree_depth)


def _check_unused(place: Home) -> None:
    """A store that was opened but has no state, as after a start without the predecessor's, does not count."""
    if not (place.store / "CURRENT").exists():
        return
    kv = LevelStore(place.store, create=False)
    try:
        has_state = kv.get(schema.META_GENESIS) is not None
    finally:
        kv.close()
    if has_state:
        raise OperatorError(f"{place.path} has a store already: name a home that 'bmw-node init' has just made")
    shutil.rmtree(place.store)


@click.command(
    epilog=example(
        "bmw-node init /var/lib/bmw-node-2 --genesis successor.json",
        "cp /var/lib/bmw-node/keys/*.json /var/lib/bmw-node-2/keys/",
        "bmw-node inherit --home /var/lib/bmw-node-2 --predecessor /var/lib/bmw-node",
    )
)
@home_option
@predecessor_option
@click.confirmation_option(prompt="Is this the first home of its validator on the new chain?")
@json_option
@exit_codes()
def inherit(home: Path, old_home: Path | None, as_json: bool) -> None:
    """Make a successor chain's store from the last state of its predecessor, all of it verified.

    The home's consensus key may sign from the first block on: its signatures on the predecessor do not count here. As
    with reset-signing, you confirm that no other home of this validator exists: it could sign twice.
    """
    place = Home(home)
    place.check()
    genesis = place.read_genesis()
    if old_home is None or genesis.continues is None:
        raise click.UsageError("give --predecessor, and a home whose genesis continues another chain")
    with repairing(place.store):
        _check_unused(place)
        shutil.rmtree(place.incoming, ignore_errors=True)
        try:
            kv = LevelStore(place.incoming)
            try:
                import_state(kv, genesis, old_home)
                head = ChainStore(kv, genesis).head()
            finally:
                kv.close()
            if place.key_file("consensus").exists():
                with place.hold_signing():
                    SafetyFile(place.hard_state).save(encode(NeverSigned(place.read_key("consensus").public)))
            place.incoming.rename(place.store)
        except BaseException:
            shutil.rmtree(place.incoming, ignore_errors=True)
            raise
    root = head.state_root.hex()
    if as_json:
        print_json({"genesis_hash": head.block_id.hex(), "height": head.height, "state_root": root})
        return
    click.echo(f"imported the state of height {head.height}; with the new validators its root is {root}")
    click.echo(f"start with  bmw-node start --home {home}")
