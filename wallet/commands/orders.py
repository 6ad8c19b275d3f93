"""`bmw-wallet order`: an order, what it waits for, and its course while it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Final

import click

from node.crypto.addresses import to_text
from node.errors import InvalidProof, OperatorError
from node.ledger.family import AsOf, Reader
from node.ledger.json_form import time_to_text, to_json
from node.txtypes.members.member import name_of
from node.txtypes.sale.deal import CLAIM_LEG
from node.txtypes.sale.order_family import ORDER
from node.usage import Commands
from node.views.next_steps import NextSteps, OrderNextStep, next_steps
from node.views.texts import show_amount
from wallet.commands.read import echo_verified, ident, verified_json, verifying
from wallet.commands.read import order as order_command
from wallet.commands.shared import example
from wallet.light import LightClient
from wallet.session import Session
from wallet.show import echo_json

POLL_S: Final = 2.0
ENDED: Final = ("completed", "rejected", "expired", "fallen", "unwound", "returned", "cancelled")
"""Statuses in which nothing is waited for, once no step is left."""

WORDS: Final[dict[str, str]] = {
    "order.accept": "accept the terms", "order.counter": "name other terms", "order.reject": "reject the terms",
    "order.acknowledge": "agree to the car as it is now", "order.assign_vin": "name the car that was built",
    "order.handover": "sign the handover together", "order.cancel": "end the order",
    "order.return": "sign that the car came back", "order.withdraw": "withdraw from the contract",
    "order.claim_refund": "claim the refund", "order.respond": "answer the dispute",
    "order.resolve": "decide the dispute", "order.close": "have the votes counted",
    "claim.release": "release the claim",
    "delivery.confirm": "confirm the window of the delivery", "delivery.event": "tell of the delivery",
    "payment.initiate": "pay", "payment.attest": "attest the payment", "payment.refund": "give the money back",
    "payment.confirm_refund": "confirm that the money came back",
}  # fmt: skip
"""A step of `NextSteps` in words."""


class OrderCommands(Commands):
    """`order ID` shows an order; `order next ID` and `order watch ID` say more."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])


@click.group(
    "order", cls=OrderCommands, epilog=example("bmw-wallet order 5f1c... --json\nbmw-wallet order next 5f1c...")
)
def order() -> None:
    """An order: its values, what it waits for, its course."""


order.add_command(order_command, "show")


def step_text(step: OrderNextStep, names: dict[bytes, str]) -> str:
    """One step as a sentence: who, what, how much, by when."""
    who = " or ".join(names[account] for account in step.by) or (
        "anybody" if step.type == "order.close" else "arbiters"
    )
    amount = f" {show_amount(step.amount.amount, step.amount.currency)}" if step.amount is not None else ""
    part = "" if step.leg is None else " for a claim" if step.leg == CLAIM_LEG else f" for part {step.leg}"
    reason = f", {step.reason}" if step.reason else ""
    since = f", from {time_to_text(step.from_ms)}" if step.from_ms else ""
    until = f", until {time_to_text(step.until_ms)}" if step.until_ms else ""
    return f"{who}: {WORDS[step.type]}{amount}{part}{since}{until} ({step.type}{reason})"


def proven_next(session: Session, light: LightClient, order_id: str) -> tuple[NextSteps, dict[bytes, str]]:
    """What the order waits for, computed here from proven values, and names for those who can act."""

    def compute(reader: Reader, as_of: AsOf) -> tuple[NextSteps, dict[bytes, str]]:
        value = reader.get(ORDER, order_id)
        if value is None:
            raise InvalidProof(f"it is proven that there is no order {order_id}: compare the id")
        found = next_steps(order_id, value, reader, as_of)
        others = {by: name_of(reader, by) or to_text(by) for step in found.steps for by in step.by}
        agent = {value.agent: "agent"} if value.agent else {}
        return found, others | {value.seller: "seller", value.buyer: "buyer"} | agent

    return session.verified(light, compute)


def _echo(found: NextSteps, names: dict[bytes, str]) -> None:
    click.echo(f"{found.status}")
    for step in found.steps:
        click.echo(f"  {step_text(step, names)}")
        click.echo(f"    otherwise: {step.text}")
    if not found.steps:
        click.echo("  Nothing is waited for.")


@order.command("next", epilog=example("bmw-wallet order next 5f1c..."))
@click.argument("order_id", metavar="ID", type=ident)
@verifying
def next_step(session: Session, light: LightClient | None, order_id: str) -> None:
    """What an order waits for: who can do what, by when, and what follows if nobody does, from proven state."""
    light = light or session.light_client(False)
    found, names = proven_next(session, light, order_id)
    if session.wants_json:
        echo_json(to_json(found) | verified_json(light))
        return
    _echo(found, names)
    echo_verified(light)


@order.command("watch", epilog=example("bmw-wallet order watch 5f1c..."))
@click.argument("order_id", metavar="ID", type=ident)
@click.option("--timeout", "timeout_s", type=click.IntRange(1, 86_400), default=3_600, show_default=True, metavar="S",
              help="seconds after which it gives up")  # fmt: skip
@verifying
def watch(session: Session, light: LightClient | None, order_id: str, timeout_s: int) -> None:
    """Print each change of what an order waits for, from proven state, until nothing is waited for.

    As JSON each is one line.
    """
    light = light or session.light_client(False)
    shown: Sequence[Any] = ()
    deadline = time.monotonic() + timeout_s
    while True:
        found, names = proven_next(session, light, order_id)
        if [found.status, found.steps] != list(shown):
            shown = [found.status, found.steps]
            click.echo(json.dumps(to_json(found))) if session.wants_json else _echo(found, names)
        if found.status in ENDED and not found.steps:
            return
        if time.monotonic() >= deadline:
            raise OperatorError(f"the order still waits after {timeout_s} s")
        time.sleep(POLL_S)
