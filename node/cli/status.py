"""Queries to a running node: status, peers, validators."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

import click

from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, node_option
from node.errors import OperatorError

ANSWER_BYTES_MAX = 16 * 1024 * 1024


def fetch_json(url: str, path: str) -> Any:
    """Raises `OperatorError` where the node does not answer."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--node {url}: give an address such as http://127.0.0.1:26700")
    try:
        with urllib.request.urlopen(url.rstrip("/") + path, timeout=10) as answer:
            return json.loads(answer.read(ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as error:
        raise OperatorError(f"the node at {url} answered {error.code} to {path}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise OperatorError(f"no node answers at {url} ({why}): start it, or name another with --node") from None


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
    for name, value in answer.items():
        click.echo(f"{name:<16} {json.dumps(value) if isinstance(value, dict | list) else value}")
    for each in waiting:
        click.echo(
            f"{'rotation':<16} waits for power: {each['yes_power']} of {each['total_power']} power, "
            f"{each['needed_power']} needed, until {each['expires_at']} (key {each['consensus_key'][:8]}, "
            f"proposal {each['proposal']})"
        )


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
    _table(fetch_json(url, "/v1/peers"), "peers", as_json)


@click.command(epilog=example("bmw-node validators --node http://127.0.0.1:26700"))
@node_option
@json_option
@exit_codes()
def validators(url: str, as_json: bool) -> None:
    """List the validators of the next height."""
    _table(fetch_json(url, "/v1/validators"), "validators", as_json)


def _table(answer: Any, name: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    rows = answer.get(name, []) if isinstance(answer, dict) else answer
    for row in rows:
        click.echo("  ".join(f"{key}={value}" for key, value in row.items()))
