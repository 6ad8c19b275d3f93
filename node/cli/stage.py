"""How a story is played: each step is a command of this project in a process of its own, sent to another node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import click

from node.cli.guide import PASSPHRASE
from node.cli.local_network import LocalNetwork, LocalNode
from node.console import say

CATCH_UP_S = 30.0
AT_ONCE = 4
"""Commands that run at the same time."""
MODULES = {"bmw-wallet": "wallet.cli", "bmw-audit": "node.cli.audit", "bmw-node": "node.cli.node"}


class StoryFailed(Exception):
    """A step did not have the expected result."""


class Step(NamedTuple):
    """One transaction: its options, who signs, and what the signers agree to, compared by the wallet with the proven
    state. `what`: the words for it."""

    what: str
    type_: str
    options: tuple[str, ...]
    sender: str
    cosigners: tuple[str, ...] = ()
    expected: dict[str, str] | None = None

    @property
    def signers(self) -> str:
        return " + ".join((self.sender, *self.cosigners))

    def command(self) -> Iterator[str]:
        """The words after `bmw-wallet tx`, without a node."""
        yield from (self.type_, *self.options, "--from", self.sender)
        for name in self.cosigners:
            yield from ("--cosign", name)
        if self.cosigners or self.expected is not None:
            # The options by which a program signs: nobody is asked.
            yield from ("--yes", "--accept-old-root")
            for name, value in (self.expected or {}).items():
                yield from ("--expect", f"{name}={value}")


def step(
    what: str, type_: str, *options: str, sender: str, cosigners: tuple[str, ...] = (),
    expected: dict[str, str] | None = None,
) -> Step:  # fmt: skip
    return Step(what, type_, options, sender, cosigners, expected)


class Stage:
    """Every step is a command that a person could type; `--json` gives the next step its ids."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.folder = network.folder
        self.wallet = self.folder / "wallet"
        self.height = 0
        self._turn = 0
        self._environment = os.environ | {
            "BMW_WALLET_HOME": str(self.wallet),
            "BMW_WALLET_GENESIS": str(network.genesis_file),
            "BMW_WALLET_PASSPHRASE": PASSPHRASE,
        }

    # --- output ---
    def heading(self, text: str) -> None:
        click.echo()
        say(text, "strong")

    def tell(self, who: str, what: str, how: str = "") -> None:
        click.echo(f"  {who:<20} {what}" + (f"  ({how})" if how else ""))

    # --- commands ---
    def run(self, *command: str) -> str:
        """Run a command of this project in its own process. Raises `StoryFailed` with its error."""
        done = subprocess.run(
            [sys.executable, "-m", MODULES[command[0]], *command[1:]],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise StoryFailed(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def run_all(self, commands: Sequence[tuple[str, ...]]) -> list[str]:
        """Run commands that do not depend on each other at the same time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda command: self.run(*command), commands))

    def json(self, *command: str) -> Any:
        return json.loads(self.run(*command, "--json"))

    def next_node(self) -> LocalNode:
        """Every step uses another node, once it has the block of the step before."""
        node = self.network.nodes[self._turn % len(self.network.nodes)]
        self._turn += 1
        self.wait_for(node)
        return node

    def wait_for(self, node: LocalNode) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        while node.height() < self.height:
            if time.monotonic() > deadline:
                raise StoryFailed(f"{node.name} did not reach height {self.height}")
            time.sleep(0.05)

    # --- transactions ---
    def send(
        self, what: str, type_: str, *options: str, sender: str, cosigners: tuple[str, ...] = (),
        expected: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Sign, send to the next node, wait until it is committed; returns the txid."""
        (txid,) = self.send_all(Step(what, type_, options, sender, cosigners, expected))
        return txid

    def send_all(self, *steps: Step) -> list[str]:
        """Send steps that do not depend on each other at the same time, each to another node; most share a block. The
        txids, in the order of the steps."""
        nodes = [self.next_node() for _ in steps]
        commands = [
            ("bmw-wallet", "tx", *one.command(), "--node", node.url, "--wait", "--json")
            for one, node in zip(steps, nodes, strict=True)
        ]  # fmt: skip
        sent = [json.loads(printed) for printed in self.run_all(commands)]
        for one, node, result in zip(steps, nodes, sent, strict=True):
            if result["status"] != "committed":
                raise StoryFailed(f"{one.type_} is {result['status']}, not committed: {result}")
            self.tell(one.signers, one.what, f"{one.type_}, height {result['height']}, via {node.name}")
        self.height = max(result["height"] for result in sent)
        return [str(result["txid"]) for result in sent]

    def refuses(self, code: str, what: str, one: Step) -> None:
        """A step that is refused with a guard of this code; as a dry run."""
        node = self.next_node()
        try:
            self.run("bmw-wallet", "tx", *one.command(), "--node", node.url, "--dry-run")
        except StoryFailed as error:
            if code not in str(error):
                raise
            self.tell(one.sender, what)
        else:
            raise StoryFailed(f"{one.type_} would have been accepted, but {code} was expected")
