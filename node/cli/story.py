"""The life of one car, played through `bmw-wallet` and the RPC of different nodes, then audited three ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from typing import Any

import click

from node.cli.guide import PASSPHRASE, Played
from node.cli.local_network import LocalNetwork, LocalNode
from node.console import say

PRICE = "52900.00EUR"
CATCH_UP_S = 30.0


class StoryFailed(Exception):
    """A step did not have the expected result."""


def _agreeing(expected: dict[str, str]) -> list[str]:
    """The options by which a program signs: nobody is asked, and these values must be what the wallet shows."""
    values = [word for name, value in expected.items() for word in ("--expect", f"{name}={value}")]
    return ["--yes", "--accept-old-root", *values]


class Story:
    """Every step is a command that a person could type; `--json` gives the next step its ids."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.folder = network.folder
        self._turn = 0
        self._height = 0
        self._environment = os.environ | {
            "BMW_WALLET_HOME": str(self.folder / "wallet"),
            "BMW_WALLET_GENESIS": str(network.genesis_file),
            "BMW_WALLET_PASSPHRASE": PASSPHRASE,
        }

    # --- output ---
    def _heading(self, text: str) -> None:
        click.echo()
        say(text, "strong")

    def _tell(self, who: str, what: str, how: str = "") -> None:
        click.echo(f"  {who:<20} {what}" + (f"  ({how})" if how else ""))

    # --- commands ---
    def _run(self, *command: str) -> str:
        """Run a command of this project in its own process. Raises `StoryFailed` with its error."""
        module = {"bmw-wallet": "wallet.cli", "bmw-audit": "node.cli.audit", "bmw-node": "node.cli.node"}[command[0]]
        done = subprocess.run(
            [sys.executable, "-m", module, *command[1:]],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise StoryFailed(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _json(self, *command: str) -> Any:
        return json.loads(self._run(*command, "--json"))

    def _next_node(self) -> LocalNode:
        """Every step uses another node, once it has the block of the step before."""
        node = self.network.nodes[self._turn % len(self.network.nodes)]
        self._turn += 1
        self._wait_for(node)
        return node

    def _wait_for(self, node: LocalNode) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        while node.height() < self._height:
            if time.monotonic() > deadline:
                raise StoryFailed(f"{node.name} did not reach height {self._height}")
            time.sleep(0.05)

    def _send(
        self, what: str, type_: str, *options: str, sender: str, cosigners: tuple[str, ...] = (),
        expected: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Sign, send to the next node, wait until it is committed; returns the txid. `expected`: what the signers agree
        to, compared by the wallet with the proven state."""
        node = self._next_node()
        signers = [word for name in cosigners for word in ("--cosign", name)]
        command = ["bmw-wallet", "tx", type_, *options, "--from", sender, *signers, "--node", node.url, "--wait"]
        if cosigners or expected is not None:
            command += _agreeing(expected or {})
        sent = self._json(*command)
        if sent["status"] != "committed":
            raise StoryFailed(f"{type_} is {sent['status']}, not committed: {sent}")
        self._height = sent["height"]
        self._tell(" + ".join((sender, *cosigners)), what, f"{type_}, height {self._height}, via {node.name}")
        return str(sent["txid"])

    # --- the play ---
    def play(self) -> Played:
        """Raises `StoryFailed`."""
        vin = f"WBA8E9G50GNU{self.network.nodes[0].height() % 100_000:05d}"
        buyer = f"alice-{vin[-5:]}"
        self._keys(buyer)
        self._birth(vin)
        self._use(vin)
        self._sale(vin, buyer)
        self._show(vin, buyer)
        self._audit()
        keys = self._json("bmw-wallet", "key", "list")["keys"]
        return Played(vin, buyer, {key["name"]: key["address"] for key in keys})

    def _keys(self, buyer: str) -> None:
        self._heading("Keys")
        names = {key["name"] for key in self._json("bmw-wallet", "key", "list")["keys"]}
        for name in ("bmw", "dealer-munich", "workshop-berlin", "payment-provider-1"):
            if name not in names:
                self._run("bmw-wallet", "key", "import", "--dev", name)
        if buyer not in names:
            self._run("bmw-wallet", "key", "new", buyer)
            self._tell(buyer, "makes a key", "bmw-wallet key new")

    def _birth(self, vin: str) -> None:
        self._heading(f"The manufacturer registers a car: {vin}")
        self._send(
            "registers the car", "vehicle.register", "--vin", vin, "--model", "330I", "--plant", "MUC",
            "--produced-on", "now-31d", "--powertrain", "petrol", "--odometer-unit", "km", "--vin-scheme", "EU",
            "--configuration", "S205A", "--engine-serial", "B48B20", sender="bmw",
        )  # fmt: skip

    def _use(self, vin: str) -> None:
        self._heading("Delivery check, transport damage, wholesale to a dealer")
        self._send(
            "does the delivery check", "maintenance.record", "--vin", vin, "--services", "ENGINE_OIL",
            "--odometer", "12km", "--next-due", "30000km,+730d", sender="workshop-berlin",
        )  # fmt: skip
        self._send(
            "reports damage in transport", "accident.report", "--vin", vin,
            "--damages", '{"zone": "front", "extent": "cosmetic"}', "--airbags", "0", "--no-hv-battery-hit",
            "--drivable", "--cost-band", "under_1000", "--odometer", "14km", sender="workshop-berlin",
        )  # fmt: skip
        invoice = self._json("bmw-wallet", "ref", "commitment", "invoice", "2026-1")["commitment"]
        self._send(
            "sells the car to the dealer", "title.transfer", "--vin", vin, "--receiver", "dealer-munich",
            "--reason", "wholesale", "--invoice-commitment", invoice,
            "--odometer", "18km", sender="bmw", cosigners=("dealer-munich",),
        )  # fmt: skip

    def _sale(self, vin: str, buyer: str) -> None:
        self._heading(f"Retail sale to {buyer}: delivery versus payment")
        self._send(
            f"opens an account for {buyer}", "account.open", "--keys", buyer, "--threshold", "1",
            sender="dealer-munich", cosigners=(buyer,),
        )  # fmt: skip
        rails = [{"rail": rail, "providers": ["payment-provider-1"]} for rail in ("bank_transfer", "card", "bitcoin")]
        listing = self._send(
            f"lists the car at {PRICE}", "listing.create", "--vin", vin, "--price", PRICE, "--country", "DE",
            "--expires-at", "+30d", *(word for rail in rails for word in ("--rails", json.dumps(rail))),
            sender="dealer-munich",
        )  # fmt: skip
        order = self._send(
            "offers the price, bound to the disclosed history", "order.offer", "--listing", listing, "--price", PRICE,
            "--rail", "bank_transfer", "--provider", "payment-provider-1", "--contract", "on_premises",
            "--expires-at", "+7d", sender=buyer,
        )  # fmt: skip
        sale = {"vin": vin, "price": PRICE, "seller": "dealer-munich", "buyer": buyer}
        self._send(
            "accepts; the car is reserved", "order.accept", "--order", order, sender="dealer-munich", expected=sale
        )
        payment = self._send(
            "orders the bank transfer", "payment.initiate", "--order", order, "--rail", "bank_transfer",
            "--amount", PRICE, sender=buyer,
        )  # fmt: skip
        self._refused(order, buyer, sale)
        uetr = str(uuid.uuid4())
        reference = self._json(
            "bmw-wallet", "ref", "payment", "--rail", "bank_transfer", "--provider", "payment-provider-1", uetr
        )["reference"]
        self._send(
            f"attests that the money is final, UETR {uetr}", "payment.attest", "--payment", payment,
            "--status", "settled", "--amount", PRICE, "--reference", reference, sender="payment-provider-1",
        )  # fmt: skip
        self._send(
            "hands the car over; the title moves", "order.handover", "--order", order, "--odometer", "21km",
            sender="dealer-munich", cosigners=(buyer,), expected=sale,
        )  # fmt: skip

    def _refused(self, order: str, buyer: str, sale: dict[str, str]) -> None:
        """A handover before the money is final is refused; as a dry run."""
        node = self._next_node()
        command = ["bmw-wallet", "tx", "order.handover", "--order", order, "--odometer", "20km", "--dry-run"]
        signers = ["--from", "dealer-munich", "--cosign", buyer, "--node", node.url]
        try:
            self._run(*command, *signers, *_agreeing(sale))
        except StoryFailed as error:
            if "payment" not in str(error):
                raise
            self._tell("dealer-munich", "tries the handover before the payment is settled: rejected")
        else:
            raise StoryFailed("a handover before the payment is settled would have been accepted")

    # --- results ---
    def _show(self, vin: str, buyer: str) -> None:
        node = self._next_node()
        self._heading("The buyer's wallet verifies the car's history")
        click.echo(self._run("bmw-wallet", "history", vin, "--verify", "--node", node.url).rstrip())
        holder = node.get(f"/v1/vehicles/{vin}")["holder"]
        address = self._json("bmw-wallet", "key", "show", buyer)["address"]
        if holder != address:
            raise StoryFailed(f"the title is with {holder}, not with the buyer {address}")
        self._tell(buyer, "has the title now", address)

    def _audit(self) -> None:
        self._heading("An auditor replays the chain from genesis, from three sources")
        checkpoint, archive = self.folder / f"checkpoint-{self._height}", self.folder / f"blocks-{self._height}.bmw"
        source, live = self.network.nodes[0], self.network.nodes[-1]
        self._run("bmw-node", "checkpoint", "--home", str(source.home.path), str(checkpoint))
        roots = {self._replayed("checkpoint", "--store", str(checkpoint))}
        self._run("bmw-node", "export", "--home", str(checkpoint), str(archive))
        roots.add(self._replayed("archive", "--archive", str(archive), "--to", str(self._height)))
        roots.add(self._replayed("live node", "--node", live.url, "--to", str(self._height)))
        self._heading("Every node has the same state at that height")
        for node in self.network.nodes:
            self._wait_for(node)
            root = node.get(f"/v1/blocks/{self._height}")["header"]["state_root"]
            roots.add(root)
            self._tell(node.name, f"height {self._height}, state root {root}", f"its head: {node.height()}")
        if len(roots) != 1:
            raise StoryFailed(f"state roots differ: {', '.join(sorted(roots))}")
        click.echo()
        say("Everything is valid.", "good")

    def _replayed(self, name: str, *source: str) -> str:
        """The state root. The checkpoint is replayed to its head, the other sources to the same height."""
        report = self._json("bmw-audit", "replay", *source, "--genesis", str(self.network.genesis_file))
        if name == "checkpoint":
            self._height = report["height"]
        if report["height"] != self._height:
            raise StoryFailed(f"the replay of the {name} ended at height {report['height']}, not {self._height}")
        self._tell(name, f"height {self._height}, state root {report['state_root']}", f"bmw-audit replay {source[0]}")
        return str(report["state_root"])
