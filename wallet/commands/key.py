"""`bmw-wallet key`: the keys of this home."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import KEY_FILE_BYTES_MAX, KeyInfo, parse_node_key_file
from node.errors import Malformed, OperatorError, TooLarge
from node.usage import Commands
from wallet.commands.shared import PATH, example, with_session
from wallet.files import check_absent, read_file, write_file
from wallet.keystore import seed_of, words_of
from wallet.session import Session, read_passphrase
from wallet.show import echo_facts, echo_json, echo_table


@click.group("key", cls=Commands, epilog=example("bmw-wallet key new alice\nbmw-wallet key list"))
def key() -> None:
    """Keys, each in a file of its own, sealed with a passphrase."""


def _info_json(info: KeyInfo) -> dict[str, Any]:
    return {"name": info.name, "address": to_text(info.address), "public_key": info.public_key.hex()}


@key.command("new", epilog=example("bmw-wallet key new alice"))
@click.argument("name")
@with_session
def new(session: Session, name: str) -> None:
    """Make a key, and show its 24 words, once: whoever has them has the key."""
    _, words = session.keystore.create(name, read_passphrase(True, session.passphrase_file))
    info = _info_json(session.keystore.info(name))
    if session.wants_json:
        echo_json(info | {"mnemonic": words})
        return
    echo_facts(info)
    click.echo("\nWrite these 24 words down, and keep them where nobody else finds them:\n")
    numbered = [f"{number:2d} {word:9s}" for number, word in enumerate(words.split(" "), start=1)]
    for start in range(0, len(numbered), 6):
        click.echo("  " + " ".join(numbered[start : start + 6]))


@key.command("list", epilog=example("bmw-wallet key list --json"))
@with_session
def list_keys(session: Session) -> None:
    """Names and addresses; needs no passphrase."""
    keys = [_info_json(info) for info in session.keystore.list()]
    if session.wants_json:
        echo_json({"keys": keys})
    elif keys:
        echo_table(("name", "address"), [(info["name"], info["address"]) for info in keys])
    else:
        click.echo("No keys yet: make one with `bmw-wallet key new NAME`.", err=True)


@key.command("show", epilog=example("bmw-wallet key show alice"))
@click.argument("name")
@with_session
def show(session: Session, name: str) -> None:
    """Address and public key; needs no passphrase."""
    echo_facts(_info_json(session.keystore.info(name)), session.wants_json)


@key.command(
    "import",
    epilog=example(
        "bmw-wallet key import --dev buyer-1\nbmw-wallet key import alice --mnemonic\n"
        "bmw-wallet key import alice --file alice.json\n"
        "bmw-wallet key import my-node --node-key /var/lib/bmw-node/keys/account.json"
    ),
)
@click.argument("name")
@click.option("--dev", is_flag=True, help="the development network's account key of that name: anybody can make it")
@click.option("--mnemonic", is_flag=True, help="from 24 words, asked for or read from standard input")
@click.option("--file", "file", type=PATH, metavar="FILE", help="a sealed key file (key export)")
@click.option("--node-key", type=PATH, metavar="FILE", help="the plain account key of a node")
@with_session
def import_key(
    session: Session, name: str, dev: bool, mnemonic: bool, file: Path | None, node_key: Path | None
) -> None:
    """Take in a key from elsewhere."""
    if dev + mnemonic + (file is not None) + (node_key is not None) != 1:
        raise click.UsageError("say where the key comes from: --dev, --mnemonic, --file FILE or --node-key FILE")
    if file is not None:
        data = read_file(file, KEY_FILE_BYTES_MAX, "key file")
        try:
            session.keystore.import_file(name, data, read_passphrase(False, session.passphrase_file))
        except (Malformed, TooLarge) as error:
            raise OperatorError(f"{file} is no key file ({error}): name one made with key export") from None
    else:
        seed = _seed_of(name, mnemonic, node_key)
        session.keystore.import_seed(name, seed, read_passphrase(True, session.passphrase_file))
    echo_facts(_info_json(session.keystore.info(name)), session.wants_json)
    if dev and not session.wants_json:
        click.echo("This key is public knowledge: for development networks only.", err=True)


def _seed_of(name: str, mnemonic: bool, node_key: Path | None) -> bytes:
    """The seed from 24 words, or of a node's key, or else of the development network's account key."""
    if mnemonic and sys.stdin.isatty():
        return seed_of(click.prompt("24 words", hide_input=True, err=True, type=str))
    if mnemonic:
        return seed_of(sys.stdin.readline(4096))
    if node_key is None:
        return dev_key("account", name).seed()
    try:
        return parse_node_key_file(read_file(node_key, KEY_FILE_BYTES_MAX, "node key file")).seed()
    except (Malformed, TooLarge) as error:
        raise OperatorError(f"{node_key} is no node's key ({error}): name its keys/account.json") from None


@key.command(
    "export", epilog=example("bmw-wallet key export alice -o alice.json\nbmw-wallet key export alice --mnemonic")
)
@click.argument("name")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="where to; else standard output")
@click.option("--mnemonic", is_flag=True, help="the 24 words instead of the sealed file; needs the passphrase")
@with_session
def export(session: Session, name: str, output: Path | None, mnemonic: bool) -> None:
    """The sealed file as it is, still under its passphrase; or the 24 words."""
    if not mnemonic:
        data = session.keystore.export_file(name)
    else:
        words = words_of(session.open_key(name).seed())
        if output is None and session.wants_json:
            echo_json({"name": name, "mnemonic": words.split()})
            return
        data = (words + "\n").encode()
    if output is None:
        click.echo(data.decode(), nl=not data.endswith(b"\n"))
        return
    check_absent(output)
    write_file(output, data)
    click.echo(f"Written to {output}.", err=True)


@key.command("delete", epilog=example("bmw-wallet key delete alice --yes"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="don't ask")
@with_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete a key for good, unless there is a backup."""
    info = session.keystore.info(name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask on: use --yes")
        click.confirm(f"Delete {name} ({to_text(info.address)}) for good?", abort=True, err=True)
    session.keystore.delete(name)
    if session.wants_json:
        echo_json(_info_json(info) | {"deleted": True})
    else:
        click.echo(f"Deleted {name}.", err=True)
