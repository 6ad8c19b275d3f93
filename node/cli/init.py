"""Commands that make and show homes: init, testnet, keys, reset-signing."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from node.chain.dev_genesis import Party, build_genesis
from node.chain.genesis import Genesis, genesis_hash, genesis_to_json
from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, home_option, read_genesis_file
from node.codec import encode
from node.consensus.safety import HardState, NeverSigned, decode_hard_state
from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.signing import PrivateKey
from node.daemon import key_rotation
from node.daemon.config import config_text, load_config
from node.daemon.home import KEY_NAMES, Home
from node.errors import Corrupted, OperatorError, Rejected
from node.ledger.json_form import to_json
from node.source_tree import enclosing_source_tree
from node.storage.safety_store import SafetyFile
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.validator_set import possession_bytes
from node.usage import Commands

P2P_PORT, RPC_PORT = 26800, 26700
FOLLOWER_KEYS: Final = ("node",)

TESTNET_TREE_DEPTH: Final = 20
"""A million buckets: a few entries each at ten million vehicles. The tree takes 64 MiB of memory."""


def write_home(path: Path, genesis: Genesis | None, keys: dict[str, PrivateKey], overrides: dict[str, Any]) -> Home:
    """Make a home, whole or not at all. Raises `OperatorError` where there is one already or it can't be made."""
    home = Home(path)
    if home.config.exists():
        raise OperatorError(f"{path} is a node's home already: name another folder")
    with contextlib.ExitStack() as undo:
        for folder in (home.path, home.path / "keys", home.path / "data"):
            if not folder.exists():
                undo.callback(_removed, folder.rmdir)
        try:
            home.make()
            for purpose, key in keys.items():
                home.write_key(purpose, key)
                undo.callback(_removed, home.key_file(purpose).unlink)
            if "consensus" in keys:
                undo.callback(_removed, home.hard_state.unlink)
                SafetyFile(home.hard_state).save(encode(NeverSigned(keys["consensus"].public)))
            if genesis is not None:
                undo.callback(_removed, home.genesis.unlink)
                home.genesis.write_text(genesis_to_json(genesis))
            undo.callback(_removed, home.config.unlink)
            home.config.write_text(config_text(overrides))
            home.config.chmod(0o600)
        except OSError as error:
            raise OperatorError(
                f"the home {path} can't be made ({error.strerror}): check the path, its owner and the free space"
            ) from None
        undo.pop_all()
    return home


def check_outside_source_trees(folder: Path) -> None:
    """Raises `OperatorError` for a folder whose keys could be published. Those of a development network are public."""
    if (tree := enclosing_source_tree(folder, Path.home())) is not None:
        raise OperatorError(
            f"{folder} is in the source tree {tree}, and keys there could be published with it: name a folder outside, "
            "or let git ignore this one"
        )


def _removed(remove: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        remove()


def new_keys(purposes: tuple[str, ...] = KEY_NAMES) -> dict[str, PrivateKey]:
    """Independent keys, one for each purpose."""
    return {purpose: PrivateKey(secrets.token_bytes(32)) for purpose in purposes}


@click.command(
    epilog=example(
        "bmw-node init /var/lib/bmw-node --genesis genesis.json",
        "bmw-node init /var/lib/bmw-reads --genesis genesis.json --follower",
    )
)
@click.argument("home", type=click.Path(path_type=Path), envvar="BMW_NODE_HOME")
@click.option("--genesis", "genesis_file", type=click.Path(path_type=Path), help="Genesis file to copy.")
@click.option("--follower", "is_follower", is_flag=True, help="Make a node key only: the node can never sign a vote.")
@json_option
@exit_codes()
def init(home: Path, genesis_file: Path | None, is_follower: bool, as_json: bool) -> None:
    """Make a home: keys (mode 0600), config.toml with every setting commented, and the genesis."""
    check_outside_source_trees(home)
    genesis = read_genesis_file(genesis_file) if genesis_file else None
    made = write_home(home, genesis, new_keys(FOLLOWER_KEYS if is_follower else KEY_NAMES), {})
    if as_json:
        ident = {} if genesis is None else {"genesis_hash": genesis_hash(genesis).hex()}
        print_json(_keys_of(made) | {"home": str(home)} | ident)
        return
    click.echo(f"made {home}")
    if genesis is None:
        click.echo(f"copy the network's genesis to {made.genesis}, then compare its hash with the other members")
    else:
        click.echo(f"genesis hash {genesis_hash(genesis).hex()}: compare it with the other members")
    if is_follower:
        click.echo(f"name the nodes to follow in p2p.peers of {made.config}, then:  bmw-node start --home {home}")
    else:
        click.echo("hand in these when joining:  bmw-node keys --home " + str(home))


@click.command(
    epilog=example("bmw-node testnet --validators 4 --output ./net --hosts 10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4")
)
@click.option("--validators", "count", type=click.IntRange(1, 100), default=4, show_default=True)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder for the homes.")
@click.option("--hosts", default="", help="Comma-separated, one for each validator; without: all on 127.0.0.1.")
@click.option("--chain-id", default="bmw-testnet-1", show_default=True)
@json_option
@exit_codes()
def testnet(count: int, output: Path, hosts: str, chain_id: str, as_json: bool) -> None:
    """Make homes, new keys and one genesis for N hosts."""
    check_outside_source_trees(output)
    names = [f"validator-{index}" for index in range(count)]
    addresses = [host.strip() for host in hosts.split(",") if host.strip()]
    if addresses and len(addresses) != count:
        raise click.UsageError(f"--hosts names {len(addresses)} hosts for {count} validators")
    keys = {name: new_keys() for name in names}
    roles = (("manufacturer", ()), ("dealer", ()), ("workshop", ()), ("payment_provider", ()))
    parties = tuple(Party(name, "DE", roles, max(1, 1000 // count // 10)) for name in names)
    genesis = build_genesis(
        chain_id,
        time.time_ns() // 1_000_000,
        parties,
        lambda purpose, name: keys[name][purpose],
        tree_depth=TESTNET_TREE_DEPTH,
    )
    endpoints = [
        (host, P2P_PORT, RPC_PORT) for host in addresses
    ] or [("127.0.0.1", P2P_PORT + i, RPC_PORT + i) for i in range(count)]  # fmt: skip
    for index, name in enumerate(names):
        others = [f"{host}:{p2p}" for i, (host, p2p, _) in enumerate(endpoints) if i != index]
        write_home(
            output / name,
            genesis,
            keys[name],
            {
                "node.moniker": name,
                "p2p.host": "0.0.0.0" if addresses else "127.0.0.1",
                "p2p.port": endpoints[index][1],
                "p2p.peers": others,
                "rpc.port": endpoints[index][2],
            },
        )
    (output / "genesis.json").write_text(genesis_to_json(genesis))
    if as_json:
        print_json({"output": str(output), "genesis_hash": genesis_hash(genesis).hex(), "homes": names})
        return
    click.echo(f"made {count} homes in {output}, genesis hash {genesis_hash(genesis).hex()}")
    click.echo(f"on each host:  bmw-node start --home {output}/validator-0")


def _keys_of(home: Home) -> dict[str, Any]:
    public_keys: dict[str, Any] = {}
    for purpose in KEY_NAMES:
        if home.key_file(purpose).exists():
            public_keys[f"{purpose}_key"] = home.read_key(purpose).public.hex()
    address = _member_of(home, public_keys)
    if address is None:
        return public_keys
    public_keys["address"] = to_text(address)
    if "consensus_key" in public_keys:
        consensus = home.read_key("consensus")
        if home.genesis.exists():
            ident = genesis_hash(home.read_genesis())
            public_keys["possession"] = consensus.sign(possession_bytes(ident, address, consensus.public)).hex()
        public_keys["genesis_possession"] = consensus.sign(possession_bytes(bytes(32), address, consensus.public)).hex()
    return public_keys


def _member_of(home: Home, keys: dict[str, Any]) -> bytes | None:
    """The home's member: as configured (a signer's home, or an account whose key has changed), else by its key."""
    configured = load_config(home.config, os.environ, {}).node.validator
    if configured:
        return from_text(configured)
    return address_of(bytes.fromhex(keys["account_key"])) if "account_key" in keys else None


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=example("bmw-node keys --home /var/lib/bmw-node --json", "bmw-node keys rotate --home /var/lib/bmw-node"),
)
@click.option(
    "--home", envvar="BMW_NODE_HOME", type=click.Path(path_type=Path), help="Folder of the node (or BMW_NODE_HOME)."
)
@json_option
@click.pass_context
@exit_codes()
def keys(context: click.Context, home: Path | None, as_json: bool) -> None:
    """Print public keys, address and proof of possession, for joining; the second proof is for a new genesis."""
    if context.invoked_subcommand is not None:
        return
    if home is None:
        raise click.UsageError("Missing option '--home'")
    Home(home).check()
    public_keys = _keys_of(Home(home))
    if as_json:
        print_json(public_keys)
        return
    for name, value in public_keys.items():
        click.echo(f"{name:<19} {value}")


@keys.command(
    epilog=example(
        "bmw-node keys rotate --home /var/lib/bmw-node --power 25",
        "bmw-node keys rotate --home /var/lib/bmw-signer --switch",
    )
)
@home_option
@click.option("--power", type=click.IntRange(0), help="The validator's present power: print the whole action.")
@click.option(
    "--switch",
    "is_switching",
    is_flag=True,
    help="Put the next key in place. A node does this by itself; a signer that is stopped needs it.",
)
@json_option
@exit_codes()
def rotate(home: Path, power: int | None, is_switching: bool, as_json: bool) -> None:
    """Make the next consensus key, and print what governance has to decide for it.

    The present key goes on signing. As soon as the proposal is carried out, the node goes on with the next one, without
    a restart.
    """
    place = Home(home)
    place.check()
    if not place.key_file("consensus").exists():
        raise OperatorError(
            f"{home} has no consensus key: name the home that has it (the signer's, where 'bmw-node signer' keeps it)"
        )
    if is_switching:
        _switch(place, as_json)
        return
    address = _member_of(place, _keys_of(place))
    if address is None:
        raise OperatorError(f"the member of {home} is not known: set node.validator in {place.config}")
    key = key_rotation.make_next(place)
    possession = key.sign(possession_bytes(genesis_hash(place.read_genesis()), address, key.public))
    told = {"member": to_text(address), "consensus_key": key.public.hex(), "possession": possession.hex()}
    if power is not None:
        action = ValidatorSetPower(address, power, key.public, possession)
        told["action"] = json.dumps(to_json(action))
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:<14} {value}")
    if power is None:
        click.echo(
            "propose validator.set_power with these and the present power: --power N prints the action", err=True
        )


def _switch(home: Home, as_json: bool) -> None:
    """Put the next key in place, on the operator's word that the chain names it: a signer's home has no store."""
    waiting = key_rotation.next_key(home)
    if waiting is None:
        raise OperatorError(f"no next consensus key waits in {home.path}: make one with 'bmw-node keys rotate'")
    if home.store.exists():
        raise OperatorError(
            f"{home.path} is a node's home, whose node puts the next key in place by itself once the chain names it: "
            "start it"
        )
    with home.hold_signing():
        key_rotation.switch(home)
    if as_json:
        print_json({"consensus_key": waiting.public.hex()})
    else:
        click.echo(f"the consensus key of {home.path} is {waiting.public.hex()} now")


@click.command("reset-signing", epilog=example("bmw-node reset-signing --home /var/lib/bmw-node --height 120345"))
@home_option
@click.option("--height", required=True, type=click.IntRange(1), help="The lowest height this node may sign again.")
@click.confirmation_option(prompt="Is it certain that no other copy of this validator is running, anywhere?")
@json_option
@exit_codes()
def reset_signing(home: Path, height: int, as_json: bool) -> None:
    """Allow signing from HEIGHT on after a loss of signing state, on your word that no other copy signs."""
    Home(home).check()
    if not Home(home).key_file("consensus").exists():
        raise OperatorError(
            f"{home} has no consensus key, so no signing state of it either: name the home that has it (the signer's, "
            "where 'bmw-node signer' keeps it)"
        )
    with Home(home).hold_signing():
        store = SafetyFile(Home(home).hard_state)
        signed = _signed_height(store)
        if signed >= height:
            raise OperatorError(
                f"the signing state of {home} is intact and has signatures at height {signed}: at or below it this "
                "validator could sign twice; name a height above it, or leave the state as it is"
            )
        store.save(encode(HardState(height, 0, (), None, None, (), ())))
    if as_json:
        print_json({"signs_from": height})
    else:
        click.echo(f"signing starts at height {height}")


def _signed_height(store: SafetyFile) -> int:
    """The highest height that an intact signing state may have signed; 0 where it is missing or damaged."""
    try:
        raw = store.load()
        state = None if raw is None else decode_hard_state(raw)
    except (Corrupted, Rejected):
        return 0
    if state is None or isinstance(state, NeverSigned):
        return 0
    return state.height if state.messages else max(0, state.height - 1)
