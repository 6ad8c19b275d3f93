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
        error.close()
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
    if as_json:
        print_json(answer)
        return
    for name, value in answer.items():
        click.echo(f"{name:<16} {json.dumps(value) if isinstance(value, dict | list) else value}")


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
