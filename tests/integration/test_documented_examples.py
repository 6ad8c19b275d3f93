"""Every command that a document or a help prints works: it is run as it stands there, on a network of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.documented import ROOT, Command, Shell, commands_of, examples_of_types, missing_lines
from support.processes import free_base_port
from support.reader import Reader, field

from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.txtypes.registry import TYPES

DOCS = ROOT / "docs"
VIN = "WBA8E9G50GNU12345"
SECOND_VIN = "WBA8E9G50GNU12346"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    found = Reader(tmp_path_factory.mktemp("reader"))
    try:
        yield found
    finally:
        found.shell.close()


pytestmark = pytest.mark.network


# --- README ------------------------------------------------------------------------------------------------
def test_readme_as_an_operator(reader: Reader) -> None:
    reader.start("README.md", "scripts/devnet --dir ~/bmw-devnet &")
    reader.follow("README.md", "source .venv/bin/activate")
    reader.wait(f"curl -s http://127.0.0.1:{reader.base}/metrics | grep '^bmw_height [1-9]'")
    for start in ("bmw-node status", "bmw-node peers", "bmw-node checkpoint", "curl"):
        reader.follow("README.md", start)


def test_readme_as_a_dealer(reader: Reader) -> None:
    for start in ("export BMW_WALLET_HOME", "export BMW_WALLET_GENESIS", "bmw-wallet key import --dev bmw",
                  "bmw-wallet key import --dev workshop-berlin", "bmw-wallet tx vehicle.register",
                  "bmw-wallet tx maintenance.record", "bmw-wallet history",
                  "bmw-wallet tx maintenance.record"):  # fmt: skip
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
        shell.follow(
            Command("README.md", f"{told[0].text} --base-port {base}", (*told[0].printed, *printed)), timeout_s=300
        )
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
    "validator.pause", "validator.resume", "recall.open", "vehicle.register",
    "recall.extend", "recall.done", "flag.set", "flag.clear", "inspection.record", "title.transfer", "odometer.read",
    "mandate.grant", "mandate.end", "maintenance.record", "part.bind", "software.update", "vehicle.sighting",
    "vehicle.import", "battery.bind", "battery.health",
    "record.dispute", "record.respond", "record.resolve", "record.withdraw", "record.amend",
    "warranty.start", "warranty.extend", "warranty.claim", "warranty.decide",
    "listing.create", "listing.withdraw", "listing.create", "listing.update",
    "order.offer", "order.reject", "order.offer", "order.counter", "order.offer", "order.cancel", "order.offer",
    "order.accept", "order.amend", "accident.report", "odometer.replace", "order.acknowledge", "order.cancel",
    "order.reinstate", "payment.initiate", "payment.declare", "payment.attest", "payment.reassign",
    "delivery.schedule", "delivery.confirm", "delivery.event", "order.handover", "payment.refund",
    "order.dispute", "order.respond", "order.resolve", "case.open", "case.reply", "case.close", "listing.build",
    "registration.set", "registration.suspend", "registration.export", "registration.accept", "registration.end",
    "repair.record", "vehicle.total_loss", "title.assign", "vehicle.scrap",
)  # fmt: skip
"""An order in which each example is valid after those before it."""
NOT_IN_THE_WALK = {
    "record.close", "vehicle.rebuild", "alert.close", "order.claim_refund", "payment.confirm_refund", "delivery.refuse",
    "order.close", "order.withdraw", "order.return", "order.assign_vin", "claim.release", "case.confirm",
}  # fmt: skip
"""Votes are counted 14 days after the answer, and a refund is overdue 14 days after the end; a rebuild names the
seventh record of its car, an inspection after the loss; no alert of the walk's car is open; its order owes nothing, was
made on the premises for a car that is there, and the car has not arrived and does not come back; the walk's case is the
customer's own. `test_examples` plays all of them."""
HOLDERS = {"odometer.replace": ("bmw", "dealer-munich"), "vehicle.scrap": ("buyer-1", "dealer-munich")}
"""Who signs as the holder in the example, and who holds the car in this walk."""
KEPT = {"governance.propose": "PROPOSAL", "mandate.grant": "MANDATE", "listing.create": "LISTING",
        "order.offer": "ORDER", "payment.initiate": "PAYMENT", "record.dispute": "DISPUTE",
        "warranty.claim": "CLAIM", "order.dispute": "ORDER_DISPUTE", "case.open": "CASE",
        "order.handover": "HANDOVER"}  # fmt: skip


def test_the_example_of_every_type(reader: Reader) -> None:
    assert set(TYPES) == {*ORDER_OF_TYPES, *NOT_IN_THE_WALK}
    printed = examples_of_types()
    assert set(TYPES) == set(printed)
    signers = {name for tag in TYPES for name in (TYPES[tag].EXAMPLE.sender, *TYPES[tag].EXAMPLE.cosigners)}
    reader.import_dev_keys(*(signers - {"alice"}))
    assert reader.shell.run("bmw-wallet key new alice")[0] == 0
    assert reader.shell.run(f"export REFERENCE={'5e' * 32}")[0] == 0
    reader.shell.changes[VIN] = SECOND_VIN  # README has registered the other one
    for name in ORDER_OF_TYPES:
        if name == "order.accept":  # as a program does; the wallet signs it, and the example after it accepts
            asked = reader.command(INTEGRATION, "bmw-wallet tx order.accept")
            text = re.sub("(buyer|title_to)=bmw1[0-9a-z]+", r"\1=buyer-1", asked.text)
            ended, shown = reader.shell.run(f"{text} --cosign buyer-1 --dry-run")
            assert ended == 0, shown
        signed_by, holder = HOLDERS.get(name, ("", ""))
        text = printed[name].text.replace(f"--cosign {signed_by}", f"--cosign {holder}")
        output = reader.shell.follow(replace(printed[name], text=text), on_terminal=True)
        assert name == field(output, "type")
        assert re.search("^status +committed, proven$", output, re.MULTILINE), output
        if name in KEPT:
            reader.shell.run(f"export {KEPT[name]}={field(output, 'txid')}")
        if name == "order.accept":
            reader.follow(INTEGRATION, "bmw-wallet order next")
        if name == "maintenance.record":
            history = f"curl -s $BMW_NODE_URL/v1/vehicles/{SECOND_VIN}/history"
            reader.shell.run(f"export RECORD=$({history} | jq -r .records[8].digest)")
    del reader.shell.changes[VIN]
    for command in commands_of(DOCS / "TRANSACTIONS.md"):
        if command not in printed.values():  # what is outstanding here differs from what is printed
            ended, output = reader.shell.run(command.text)
            assert (ended, missing_lines(command.printed[:1], output)) == (0, []), f"{command.text}\n{output}"


# --- INTEGRATION.md ------------------------------------------------------------------------------------------
INTEGRATION = "docs/INTEGRATION.md"
ELIDED = '"sender": "bmw1h7...", "body": {...}'


def test_integration_with_node_js_and_curl(reader: Reader, tmp_path: Path) -> None:
    """The programs first: what they have sent, curl sends again and asks for."""
    shell = reader.shell
    reader.command(INTEGRATION, "scripts/devnet")  # the network runs
    assert shell.run(f"cd {tmp_path} && ln -s {DOCS} docs")[0] == 0
    reader.follow(INTEGRATION, "export GENESIS_HASH")
    written = reader.follow(INTEGRATION, "node docs/examples/record.mjs")
    txid = field(written, "txid")
    refused = reader.follow(INTEGRATION, "node docs/examples/record.mjs", code=1)
    assert "vehicle_unknown" in refused
    reader.follow(INTEGRATION, "curl -s http://127.0.0.1:26700/v1/vehicles/")
    reader.follow(INTEGRATION, "node docs/examples/batch.mjs")
    raw = (tmp_path / f"outbox-{txid}.msgpack").read_bytes()
    (tmp_path / "signed.msgpack").write_bytes(raw)
    sent = re.escape("eec93fc3623172a37bb4b051303d8440e2becfd7c19b47fde134375d532c0b85")
    asked = '"sender": "bmw1h7qlx32prt3twh53lkx92rsyc4qq3jqctagmze", "body": {"type": "validator.pause"}'
    reader.follow(INTEGRATION, "curl -s http://127.0.0.1:26700/v1/transactions/encode")
    reader.follow(INTEGRATION, "curl -s 'http://127.0.0.1:26700/v1/transactions?wait=commit'")
    for start, changes in (
        ("curl -s http://127.0.0.1:26700/v1/transactions -H", {re.escape("92c482..."): raw.hex()}),
        ("curl -s http://127.0.0.1:26700/v1/transactions/eec9", {sent: txid}),
        ("curl -s http://127.0.0.1:26700/v1/transactions/check", {re.escape(ELIDED): asked}),
    ):
        answer = reader.follow(INTEGRATION, start, **changes)
        assert '"problem"' not in answer and '"status":4' not in answer, answer
    shell.run("export LAST_EVENT_ID=1-0")
    events = reader.command(INTEGRATION, "node docs/examples/events.mjs")
    ended, output = shell.run(f"timeout 10 {events.text}")
    assert (ended, missing_lines(events.printed, output)) == (124, []), output
    handover = shell.run("echo $HANDOVER")[1]
    shell.run("export NODE=$BMW_NODE_URL")
    assert shell.run("echo hello > report.pdf")[0] == 0
    for start in ("bmw-wallet ref commitment", "head -c 32", "bmw-wallet ref payment", "bmw-wallet ref document"):
        reader.follow(INTEGRATION, start)
    reader.follow(INTEGRATION, "curl -s http://127.0.0.1:26700/openapi.json")
    listed = re.escape("1a5af2729491d448fc27f677e9c314e969787c1aae7c5dd0a8faabfbedd17df1")
    effects = reader.follow(INTEGRATION, "curl -s $NODE/v1/transactions/", **{listed: handover.strip()})
    assert "title.moved" in effects


# --- AUDITING.md -----------------------------------------------------------------------------------------------
AUDITING = "docs/AUDITING.md"


def test_auditing(reader: Reader, tmp_path: Path) -> None:
    shell, base = reader.shell, reader.base
    shell.run("cd ~/bmw-devnet")
    assert shell.run(f"bmw-node checkpoint --home bmw {tmp_path}/now && rm blocks.bmw")[0] == 0
    assert shell.run(f"bmw-node export --home {tmp_path}/now blocks.bmw")[0] == 0
    shell.run("mkdir -p bmw/data/snapshots")
    shell.changes |= {
        "/backup/2026-11-22": f"{tmp_path}/now", r"10\.0\.0\.1:26700": f"127.0.0.1:{base}",
        r"10\.0\.0\.2:26700": f"127.0.0.1:{base + 1}", r"\bID\b": "$ORDER",
    }  # fmt: skip
    for start in ("bmw-audit replay --store /backup", "bmw-audit replay --archive", "bmw-audit replay --node",
                  "bmw-audit replay --store /backup", "bmw-audit replay --store /backup", "bmw-audit compare",
                  "bmw-audit export", "export BMW_AUDIT_PASSPHRASE", "bmw-audit report", "bmw-audit verify-report",
                  "bmw-wallet vehicle", "bmw-wallet history", "bmw-wallet report", "bmw-wallet order"):  # fmt: skip
        reader.follow(AUDITING, start)
    nobody = dev_key("account", "nobody")
    refused = reader.follow(AUDITING, "bmw-wallet account", code=1, ADDRESS=to_text(address_of(nobody.public)))
    assert "invalid_proof" in refused
    shell.run(f"cd {ROOT}")
    reader.follow(AUDITING, "python docs/examples/read_chain.py")


NOT_RUN = {
    "scripts/test": "it runs these tests",
    "scripts/devnet --story": "test_the_story_of_readme",
    "npx openapi-typescript": "test_generated_clients",
    "openapi-python-client": "test_generated_clients",
    "createdb bmw": "test_postgres_sync",
    "bmw-audit sync": "test_postgres_sync",
    "dask ": "test_audit_interrupted",
    "bmw-audit replay --archive /shared": "test_audit_interrupted",
    "bmw-audit compare blocks.bmw ./copy": "test_finder; test_cli_audit compares two stores",
    "bmw-audit replay --store ./copy": "test_successor; test_cli_audit damages a store",
}
"""Commands of these documents, by how they begin, and what runs them instead."""


def test_every_other_command_is_run_elsewhere(reader: Reader) -> None:
    printed = [command for name in ("README.md", INTEGRATION, AUDITING) for command in commands_of(ROOT / name)]
    left = [c.text for c in printed if c not in reader.done and not c.text.startswith(tuple(NOT_RUN))]
    assert left == []
