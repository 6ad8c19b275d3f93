"""The life of one car, played through `bmw-wallet` and the RPC of different nodes, then audited three ways."""

from __future__ import annotations

import json
from typing import Any

import click

from node.cli.guide import PASSPHRASE, Played
from node.cli.local_network import LocalNetwork
from node.cli.stage import Stage, StoryFailed
from node.cli.story_owner import Ownership, seen_at
from node.cli.story_sale import Purchase
from node.console import say
from node.crypto.dev_keys import dev_key
from wallet.keystore import Keystore

IMPORTED = (
    "bmw", "dealer-munich", "workshop-berlin", "workshop-hamburg", "payment-provider-1", "bank-1", "carrier-1",
    "registrar-1", "inspector-1", "inspector-2", "arbiter-1", "arbiter-3", "arbiter-4",
)  # fmt: skip
"""The parties of the story; their keys are public."""
SCRYPT_N = 2
"""Keys and passphrase are public, and a slow derivation would take a quarter of a second at every signature."""


class Story:
    """The chapters up to the sale, the sale (`Purchase`), the buyer's time (`Ownership`), and what comes out of it."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.stage = Stage(network)

    # --- the play ---
    def play(self) -> Played:
        """Raises `StoryFailed`."""
        vin = f"WBA8E9G50GNU{self.network.nodes[0].height() % 100_000:05d}"
        buyer = f"alice-{vin[-5:]}"
        self._keys(buyer)
        self._birth(vin)
        self._use(vin)
        Purchase(self.stage, vin, buyer).play()
        Ownership(self.stage, vin, buyer).play()
        self._show(vin, buyer)
        self._audit()
        keys = self.stage.json("bmw-wallet", "key", "list")["keys"]
        return Played(vin, buyer, {key["name"]: key["address"] for key in keys})

    def _keys(self, buyer: str) -> None:
        self.stage.heading("Keys")
        keystore = Keystore(self.stage.wallet, scrypt_n=SCRYPT_N)
        for name in IMPORTED:
            if not keystore.has(name):
                keystore.import_seed(name, dev_key("account", name).seed(), PASSPHRASE)
        if not keystore.has(buyer):
            self.stage.run("bmw-wallet", "key", "new", buyer)
            self.stage.tell(buyer, "makes a key", "bmw-wallet key new")

    def _birth(self, vin: str) -> None:
        self.stage.heading(f"The manufacturer registers a car: {vin}")
        self.stage.send(
            "registers the car", "vehicle.register", "--vin", vin, "--model", "330I", "--plant", "MUC",
            "--produced-on", "now-31d", "--powertrain", "petrol", "--odometer-unit", "km", "--vin-scheme", "EU",
            "--configuration", "S205A", "--engine-serial", f"B48B20-{vin[-5:]}", sender="bmw",
        )  # fmt: skip

    def _use(self, vin: str) -> None:
        self.stage.heading("Delivery check, transport damage, wholesale to a dealer")
        self.stage.send(
            "does the delivery check", "maintenance.record", "--vin", vin, "--services", "ENGINE_OIL",
            "--odometer", "12km", "--next-due", "30000km,+730d", *seen_at("BER-1"), sender="workshop-berlin",
        )  # fmt: skip
        self.stage.send(
            "reports damage in transport", "accident.report", "--vin", vin, "--cause", "collision",
            "--damages", "zone=rear,extent=cosmetic", "--airbags", "0", "--no-hv-battery-hit", "--drivable",
            "--cost-band", "under_1000", "--odometer", "14km", *seen_at("BER-1"), sender="workshop-berlin",
        )  # fmt: skip
        invoice = self.stage.json("bmw-wallet", "ref", "commitment", "invoice", "2026-1")["commitment"]
        self.stage.send(
            "sells the car to the dealer", "title.transfer", "--vin", vin, "--receiver", "dealer-munich",
            "--reason", "wholesale", "--invoice-commitment", invoice,
            "--odometer", "18km", sender="bmw", cosigners=("dealer-munich",),
        )  # fmt: skip

    # --- results ---
    def _show(self, vin: str, buyer: str) -> None:
        node = self.stage.next_node()
        self.stage.heading("The buyer's wallet verifies the car's history")
        click.echo(self.stage.run("bmw-wallet", "history", vin, "--verify", "--node", node.url).rstrip())
        vehicle, address = node.get(f"/v1/vehicles/{vin}"), self.stage.json("bmw-wallet", "key", "show", buyer)
        if vehicle["holder"] != address["address"]:
            raise StoryFailed(f"the title is with {vehicle['holder']}, not with the buyer {address['address']}")
        if vehicle["verdict"] != "LOGICAL":
            raise StoryFailed(f"the odometer's verdict is {vehicle['verdict']}, not LOGICAL")
        self.stage.tell(buyer, "has the title now", address["address"])
        self.stage.heading("What the next buyer is told")
        click.echo(self.stage.run("bmw-wallet", "report", vin, "--verify", "--node", node.url).rstrip())

    def _audit(self) -> None:
        stage = self.stage
        stage.heading("An auditor replays the chain from genesis, from three sources")
        checkpoint, archive = stage.folder / f"checkpoint-{stage.height}", stage.folder / f"blocks-{stage.height}.bmw"
        source, live = self.network.nodes[0], self.network.nodes[-1]
        stage.run("bmw-node", "checkpoint", "--home", str(source.home.path), str(checkpoint))
        (found,) = self._replays(("--store", str(checkpoint)))
        stage.height = found["height"]
        stage.run("bmw-node", "export", "--home", str(checkpoint), str(archive))
        to = ("--to", str(stage.height))
        others = self._replays(("--archive", str(archive), *to), ("--node", live.url, *to))
        roots = set()
        for name, report in zip(("checkpoint", "archive", "live node"), (found, *others), strict=True):
            if report["height"] != stage.height:
                raise StoryFailed(f"the replay of the {name} ended at height {report['height']}, not {stage.height}")
            root = report["state_root"]
            stage.tell(name, f"height {stage.height}, state root {root}", f"bmw-audit replay {report['how']}")
            roots.add(root)
        stage.heading("Every node has the same state at that height")
        for node in self.network.nodes:
            stage.wait_for(node)
            root = node.get(f"/v1/blocks/{stage.height}")["header"]["state_root"]
            roots.add(root)
            stage.tell(node.name, f"height {stage.height}, state root {root}", f"its head: {node.height()}")
        if len(roots) != 1:
            raise StoryFailed(f"state roots differ: {', '.join(sorted(roots))}")
        click.echo()
        say("Everything is valid.", "good")

    def _replays(self, *sources: tuple[str, ...]) -> list[Any]:
        """The reports of `bmw-audit replay` of each source, which run at the same time."""
        genesis = ("--genesis", str(self.network.genesis_file), "--json")
        printed = self.stage.run_all([("bmw-audit", "replay", *source, *genesis) for source in sources])
        return [json.loads(report) | {"how": source[0]} for report, source in zip(printed, sources, strict=True)]
