"""`bmw-wallet proposals`, `proposal`: what members decide, with the power of its votes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import click

from node.errors import InvalidProof
from node.ledger.family import AsOf, Reader
from node.ledger.json_form import to_json
from node.txtypes.chain.governance import PROPOSAL, ProposalStatus, ProposalView
from wallet.commands.read import echo_verified, ident, proven_values, verified_json, verifying
from wallet.commands.shared import accept_old_root, example, with_session
from wallet.light import LightClient
from wallet.meaning import view_texts
from wallet.session import Session
from wallet.show import echo_facts, echo_json, echo_table, plain, value_text


def power_text(view: Mapping[str, Any]) -> str:
    """`30 of 50 power, 34 needed`."""
    against = f", {view.get('no_power')} against" if view.get("no_power") else ""
    return plain(
        f"{view.get('yes_power')} of {view.get('total_power')} power, {view.get('needed_power')} needed{against}"
    )


def _action_text(action: Any) -> str:
    """An action in short: its type and its fields, keys and proofs left out."""
    if not isinstance(action, dict):
        return "?"
    short = {k: v for k, v in action.items() if k not in ("type", "possession", "consensus_key") and v not in ("", [])}
    new_key = ", a new consensus key" if action.get("consensus_key") else ""
    return f"{plain(action.get('type'))}: {value_text(short)}{new_key}"


@click.command("proposals", epilog=example("bmw-wallet proposals\nbmw-wallet proposals --status carried_out --verify"))
@click.option("--status", type=click.Choice([*get_args(ProposalStatus), "expired"]), default="open", show_default=True,
              help="as it counts now")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="proposals at most")
@verifying
def proposals(session: Session, light: LightClient | None, status: str, limit: int) -> None:
    """Proposals of governance, with the power that has voted for them and the power that they need.

    With --verify each of them is proven; that the list has all of them is not.
    """
    items = session.client.pages("/v1/proposals", {"status": status}, "proposals", limit)
    if not items:
        light = None  # nothing is proven by an empty list
    if light is not None:
        items = proven_values(session, light, PROPOSAL, [str(item.get("id")) for item in items])
        items = [item for item in items if item["status"] == status]
    if session.wants_json:
        echo_json({"proposals": items} | verified_json(light))
        return
    if items:
        rows = [
            (item.get("id"), _action_text(item.get("action")), power_text(item),
             item.get("proposer_name") or item.get("proposer"), plain(item.get("expires_at", ""))[:16])
            for item in items
        ]  # fmt: skip
        echo_table(("proposal", "action", "votes", "proposer", "until"), rows)
    else:
        click.echo(f"No proposal is {status}.", err=True)
    echo_verified(light)


@click.command("proposal", epilog=example("bmw-wallet proposal 5f1c... --json"))
@click.argument("ident", metavar="ID", type=ident)
@accept_old_root
@with_session
def proposal(session: Session, ident: str, accept_old_root: bool) -> None:
    """A proposal of governance, proven: its action, the votes on it, and their power."""
    session.check_chain()
    light, own = session.light_client(accept_old_root), session.key_names()

    def compute(reader: Reader, as_of: AsOf) -> tuple[dict[str, Any], dict[str, str]] | None:
        value = reader.get(PROPOSAL, ident)
        if value is None:
            return None
        view = ProposalView.of(ident, value, reader, as_of)
        return to_json(view), view_texts(view, reader, own)

    found = session.verified(light, compute)
    if found is None:
        raise InvalidProof(f"it is proven that there is no proposal {ident}: compare the id")
    view, texts = found
    if session.wants_json:
        echo_json(view | verified_json(light))
        return
    echo_facts(texts)
    echo_verified(light)
