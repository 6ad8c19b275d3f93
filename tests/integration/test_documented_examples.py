"""Every command that a document or a help prints works: it is run as it stands there, on a network of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documented import ROOT, Command, Shell, commands_of
from support.processes import free_base_port, wait_for

from node.txtypes.registry import TYPES

DOCS = ROOT / "docs"
VIN = "WBA8E9G50GNU12345"
SECOND_VIN = "WBA8E9G50GNU12346"


def ports(base: int) -> dict[str, str]:
    """The documents' ports, 26700 and the following and 26800 and the following, as those from `base` on."""
    return {f"26{offset}0{i}": str(base + (offset - 7) * 100 + i) for offset in (7, 8) for i in range(4)}


def field(output: str, name: str) -> str:
    """The value behind a name in what the wallet printed."""
    found = re.search(rf"^{name}\s+(\S+)$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]


class Reader:
    """Somebody who follows the documents on one development network."""

    def __init__(self, folder: Path) -> None:
        self.base = free_base_port()
        url = f"http://127.0.0.1:{self.base}"
        self.shell = Shell(folder, ports(self.base), BMW_NODE_URL=url, BMW_WALLET_NODE=url)
        self.done: set[Command] = set()

    def command(self, document: str, start: str) -> Command:
        """The first command of the document that begins like this and was not run yet."""
        path = ROOT / document
        found = [c for c in commands_of(path) if c.text.startswith(start) and c not in self.done]
        assert found, f"{document} has no (further) command that begins with {start!r}"
        self.done.add(found[0])
        return found[0]

    def follow(self, document: str, start: str, *, code: int = 0, **changes: str) -> str:
        """Run the document's next command that begins with `start`; `changes`: its placeholders in this run."""
        command = self.command(document, start)
        earlier, self.shell.changes = self.shell.changes, self.shell.changes | changes
        try:
            return self.shell.follow(command, code=code)
        finally:
            self.shell.changes = earlier

    def start(self, document: str, start: str) -> None:
        """Start the network in the background."""
        command = self.command(document, start)
        text = command.text.partition("&")[0] + f"--base-port {self.base} &"
        assert self.shell.run(text)[0] == 0
        for port in range(self.base, self.base + 4):
            self.wait(f"bmw-node status --node http://127.0.0.1:{port} | grep 'signing *signing'")

    def wait(self, text: str) -> None:
        wait_for(lambda: self.shell.run(text)[0] == 0, 60, text)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    found = Reader(tmp_path_factory.mktemp("reader"))
    try:
        yield found
    finally:
        found.shell.run("kill $(jobs -p); wait")
        found.shell.close()


pytestmark = pytest.mark.network


# --- README ------------------------------------------------------------------------------------------------
def test_readme_as_an_operator(reader: Reader) -> None:
    reader.start("README.md", "scripts/devnet --dir ~/bmw-devnet &")
    reader.follow("README.md", "source .venv/bin/activate")
    for start in ("bmw-node status", "bmw-node peers", "bmw-node checkpoint", "curl"):
        reader.follow("README.md", start)


def test_readme_as_a_dealer(reader: Reader) -> None:
    for start in ("export BMW_WALLET_HOME", "export BMW_WALLET_GENESIS", "bmw-wallet key import --dev bmw",
                  "bmw-wallet key import --dev workshop-berlin", "bmw-wallet tx vehicle.register",
                  "bmw-wallet tx maintenance.record", "bmw-wallet history"):  # fmt: skip
        reader.follow("README.md", start)


def test_readme_as_an_auditor(reader: Reader) -> None:
    for start in ("cd ~/bmw-devnet", "bmw-audit replay --store", "bmw-node export", "bmw-audit replay --archive",
                  "bmw-audit compare", "bmw-wallet vehicle"):  # fmt: skip
        reader.follow("README.md", start)


def test_the_story_of_readme(tmp_path: Path) -> None:
    told = [c for c in commands_of(ROOT / "README.md") if c.text == "scripts/devnet --story --once"]
    printed = tuple(line for block in _blocks_of_the_story() for line in block if not line.startswith("$ "))
    shell = Shell(tmp_path)
    try:
        base = free_base_port()
        shell.follow(Command("README.md", f"{told[0].text} --base-port {base}", (*told[0].printed, *printed)))
    finally:
        shell.close()


def _blocks_of_the_story() -> Iterator[list[str]]:
    """The blocks of README that show more of the story's output."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## What you see in a minute")[2].partition("\n## ")[0]
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        yield block.splitlines()


# --- TRANSACTIONS.md and the help of every type ------------------------------------------------------------
ORDER_OF_TYPES = (
    "account.open", "account.update_keys", "member.update", "governance.propose", "governance.vote",
    "validator.pause", "validator.resume", "recall.open", "vehicle.register", "title.transfer", "odometer.read",
    "maintenance.record", "listing.create", "listing.withdraw", "listing.create", "listing.update",
    "order.offer", "order.reject", "order.offer", "order.counter", "order.offer", "order.cancel", "order.offer",
    "order.accept", "accident.report", "order.acknowledge", "payment.initiate", "payment.attest",
    "delivery.schedule", "delivery.event", "order.handover",
)  # fmt: skip
"""An order in which each example is valid after those before it."""
KEPT = {"governance.propose": "PROPOSAL", "listing.create": "LISTING", "order.offer": "ORDER",
        "payment.initiate": "PAYMENT"}  # fmt: skip


def help_of(words: str) -> list[str]:
    """The example commands in a help text."""
    program, *rest = words.split()
    shown = subprocess.run(
        [Path(sys.executable).with_name(program), *rest, "--help"], capture_output=True, text=True, check=True
    ).stdout
    text = re.sub(r"\\\n\s*", "", shown.partition("Example:\n")[2])
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_example_of_every_type(reader: Reader) -> None:
    assert set(TYPES) == set(ORDER_OF_TYPES)
    printed = {c.text.split()[2]: c for c in commands_of(DOCS / "TRANSACTIONS.md")}
    assert set(TYPES) == set(printed)
    for name in ("dealer-munich", "buyer-1", "inspector-1", "payment-provider-1", "carrier-1"):
        assert reader.shell.run(f"bmw-wallet key import --dev {name}")[0] == 0
    assert reader.shell.run("bmw-wallet key new alice")[0] == 0
    assert reader.shell.run(f"export REFERENCE={'5e' * 32}")[0] == 0
    reader.shell.changes[VIN] = SECOND_VIN  # README has registered the other one
    for name in ORDER_OF_TYPES:
        output = reader.shell.follow(printed[name])
        assert (name, "committed") == (field(output, "type"), field(output, "status"))
        if name in KEPT:
            reader.shell.run(f"export {KEPT[name]}={field(output, 'txid')}")
    del reader.shell.changes[VIN]


@pytest.mark.parametrize("name", TYPES)
def test_the_help_of_a_type_shows_the_documents_example(name: str) -> None:
    (printed,) = [c for c in commands_of(DOCS / "TRANSACTIONS.md") if c.text.split()[2] == name]
    assert [re.sub(r"\\\n\s*", "", printed.text)] == help_of(f"bmw-wallet tx {name}")
