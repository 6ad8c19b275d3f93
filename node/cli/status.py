"""Queries to a running node: status, peers, validators."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import click

from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, node_option
from node.console import Cell, Style, show_facts, show_table
from node.errors import OperatorError

ANSWER_BYTES_MAX = 16 * 1024 * 1024
DEPTH_MAX = 16
"""Levels of an answer. A node's have four; what is deeper is no node's."""
PEER_COLUMNS = ("moniker", "address", "height", "score", "is_outbound", "member_name", "member", "node_key")
VALIDATOR_COLUMNS = ("name", "power", "address", "consensus_key")


def fetch_json(url: str, path: str) -> dict[str, Any]:
    """Raises `OperatorError` where the node does not answer with an object."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--node {url}: give an address such as http://127.0.0.1:26700")
    try:
        with urllib.request.urlopen(url.rstrip("/") + path, timeout=10) as answer:
            found = json.loads(answer.read(ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as error:
        error.close()
        raise OperatorError(f"the node at {url} answered {error.code} to {path}") from None
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise OperatorError(f"no node answers at {url} ({why}): start it, or name another with --node") from None
    if not isinstance(found, dict) or not _is_shallow(found, DEPTH_MAX):
        raise OperatorError(f"{url} does not answer as a node does: name another with --node")
    return found


def _is_shallow(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


@click.command(epilog=example("bmw-node status --node http://127.0.0.1:26700"))
@node_option
@json_option
@exit_codes()
def status(url: str, as_json: bool) -> None:
    """Print the status of a running node."""
    answer = fetch_json(url, "/v1/status")
    waiting = waiting_rotations(url, answer.get("validator_address"))
    if as_json:
        print_json(answer | {"rotations": waiting})
        return
    rotations = [
        f"waits for power: {each['yes_power']} of {each['total_power']} power, {each['needed_power']} needed, until "
        f"{each['expires_at']} (key {each['consensus_key'][:8]}, proposal {each['proposal']})"
        for each in waiting
    ]
    facts = [(name, Cell(value, _style(name, value))) for name, value in _flat(answer)]
    show_facts([*facts, *(("rotation", Cell(text, "warn")) for text in rotations)])


def _flat(answer: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, value) of each value, names of nested ones dotted."""
    for name, value in answer.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in ("", None, []) else str(value)


def _style(name: str, value: str) -> Style:
    match name, value:
        case ("halted", "-") | ("syncing", "no") | ("signing", "signing") | ("validator", "yes"):
            return "good"
        case ("halted", _):
            return "bad"
        case ("syncing", "yes") | ("peers", "0") | ("signing", _):
            return "warn"
        case ("chain_id" | "head.height", _):
            return "strong"
    return ""


def waiting_rotations(url: str, validator: Any) -> list[dict[str, Any]]:
    """The open proposals that give this validator a new consensus key; empty where the node can't tell."""
    names = ("yes_power", "no_power", "needed_power", "total_power", "expires_at")
    try:
        listed = fetch_json(url, "/v1/proposals?limit=1000")["proposals"] if validator else []
        return [
            {"proposal": each["id"], "consensus_key": each["action"]["consensus_key"]} | {n: each[n] for n in names}
            for each in listed
            if (each["action"]["type"], each["action"].get("member")) == ("validator.set_power", validator)
            and each["action"]["consensus_key"]
        ]
    except (OperatorError, KeyError, TypeError):  # it is starting, or of an older version
        return []


@click.command(epilog=example("bmw-node peers --node http://127.0.0.1:26700"))
@node_option
@json_option
@exit_codes()
def peers(url: str, as_json: bool) -> None:
    """List the peers of a running node."""
    _table(fetch_json(url, "/v1/peers"), "peers", PEER_COLUMNS, 2, as_json)


@click.command(epilog=example("bmw-node validators --node http://127.0.0.1:26700"))
@node_option
@json_option
@exit_codes()
def validators(url: str, as_json: bool) -> None:
    """List the validators of the next height."""
    _table(fetch_json(url, "/v1/validators"), "validators", VALIDATOR_COLUMNS, 1, as_json)


def _table(answer: dict[str, Any], name: str, columns: tuple[str, ...], optional: int, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    listed = answer.get(name)
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    cells = [[_value(row.get(column)) for column in columns] for row in rows]
    show_table(columns, cells, optional=optional, empty=f"no {name}")
