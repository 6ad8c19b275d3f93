"""Every example in the help of a command works: it is run as it stands there, on a network of one validator."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from support.commands import MAINS
from support.documented import examples_of_types
from support.reader import Reader, field

from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key

pytestmark = pytest.mark.network


def examples() -> set[str]:
    """The examples of every command but those of transaction types, which TRANSACTIONS.md has too."""

    def below(command: click.Command) -> Iterator[click.Command]:
        yield command
        for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
            if name != "tx":
                yield from below(inner)

    texts = (command.epilog or "" for main in MAINS.values() for command in below(main))
    lines = (re.sub(r"\\\n\s*", "", text.partition("Example:\n")[2]).splitlines() for text in texts)
    return {line.strip() for found in lines for line in found if line.strip()}


NOT_RUN = {
    "bmw-node successor": "test_successor",
    "bmw-node init /var/lib/bmw-node-2": "test_successor",
    "cp /var/lib/bmw-node/keys": "test_successor",
    "bmw-node inherit": "test_successor",
    "bmw-node keys rotate": "test_network_duty; test_signer switches a signer",
    "bmw-node signer": "test_documented_operating: SIGNER.md has the same commands",
    "bmw-audit sync": "test_postgres_sync",
    "bmw-wallet certificate": "test_certificates",
    "bmw-audit verify-certificate": "test_certificates verifies a file with a genesis document and with a checkpoint",
    "bmw-audit checkpoint": "test_certificates",
    "bmw-audit witness": "test_witness_processes",
    "bmw-audit watch": "test_witness_processes",
    "bmw-audit censorship": "test_wallet_outbox",
    "bmw-node serve": "tests/web, where every test starts one",
    "bmw-node devnet --story": "test_documented_examples: README has the same command",
}
"""Examples by how they begin, and what runs them instead."""


class Helped(Reader):
    """A reader of helps."""

    def example(
        self, text: str, *, before: str = "", after: str = "", on_terminal: bool = False, **changes: str
    ) -> str:
        """Run an example, which must be in a help. `changes`: what stands there for a value of the reader's own."""
        assert text in examples(), text
        self.seen.add(text)
        for wanted, given in changes.items():
            text = text.replace(wanted, given)
        ended, output = self.shell.run(f"{before}{text}{after}", on_terminal=on_terminal)
        assert ended == 0, f"{text}\n{output}"
        return output

    @property
    def seen(self) -> set[str]:
        return self.__dict__.setdefault("_seen", set())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helped]:
    found = Helped(tmp_path_factory.mktemp("help"))
    shell, base = found.shell, found.base
    try:
        assert shell.run(f"scripts/devnet --validators 1 --dir ~/net --base-port {base} &")[0] == 0
        found.wait_signing(0)
        shell.run("mkdir -p ~/work/records && cd ~/work && cp ~/net/genesis.json .")
        shell.run("export BMW_WALLET_PASSPHRASE=only-here BMW_WALLET_GENESIS=~/work/genesis.json")
        shell.changes |= {r"10\.0\.0\.[12]:26700": f"127.0.0.1:{base}", "/var/lib/bmw-node": "~/net/bmw"}
        yield found
    finally:
        shell.close()


def test_keys(reader: Helped) -> None:
    for text in ("bmw-wallet key new alice", "bmw-wallet key list", "bmw-wallet key list --json",
                 "bmw-wallet key show alice", "bmw-wallet key export alice -o alice.json"):  # fmt: skip
        reader.example(text)
    reader.example("bmw-wallet key export alice --mnemonic", after=" > words")
    reader.example("bmw-wallet key delete alice --yes")
    reader.example("bmw-wallet key import alice --mnemonic", before="cat words | ")
    assert reader.shell.run("bmw-wallet key delete alice --yes")[0] == 0
    reader.example("bmw-wallet key import alice --file alice.json")
    reader.example("bmw-wallet key import my-node --node-key /var/lib/bmw-node/keys/account.json")
    assert reader.shell.run("bmw-wallet key delete my-node --yes")[0] == 0  # it is bmw's on this network


def test_transactions_in_files_and_reading(reader: Helped) -> None:
    shell = reader.shell
    reader.import_dev_keys("bmw", "dealer-munich", "inspector-1")
    printed = examples_of_types()
    shell.follow(printed["vehicle.register"])
    shell.follow(printed["title.transfer"], on_terminal=True)
    listed = shell.follow(printed["listing.create"])
    shell.run(f"export LISTING={field(listed, 'txid')}")
    buyer = to_text(address_of(dev_key("account", "buyer-1").public))
    kept = "--offline --expires +12h -o"
    unsigned = printed["odometer.read"].text.replace("--wait", f"{kept} order.json").replace("inspector-1", buyer)
    assert shell.run(unsigned)[0] == 0  # the sender's key is not in this wallet yet
    reader.example("bmw-wallet key import --dev buyer-1")
    for text in ("bmw-wallet sign order.json", "bmw-wallet sign order.json --from buyer-1"):
        reader.example(text, on_terminal=True)
    bought = {"5f1c...": field(listed, "txid"), "alice": "buyer-1"}
    offered = reader.example("bmw-wallet buy 5f1c... --from alice --rail bank_transfer --wait", on_terminal=True,
                             **bought)  # fmt: skip
    order = field(offered, "txid")
    for text in ("bmw-wallet order 5f1c... --json", "bmw-wallet order show 5f1c... --json"):
        assert '"status": "offered"' in reader.example(text, **{"5f1c...": order})
    assert "accept the terms" in reader.example("bmw-wallet order next 5f1c...", **{"5f1c...": order})
    shell.run(f"export ORDER={order}")
    shell.follow(printed["order.cancel"], on_terminal=True)
    watched = reader.example("bmw-wallet order watch 5f1c...", **{"5f1c...": order})
    assert "Nothing is waited for." in watched
    moved = printed["title.transfer"].text.replace("--receiver dealer-munich", "--receiver buyer-1")
    assert shell.run(moved.replace("--cosign dealer-munich --wait", f"{kept} handover.json"))[0] == 0
    reader.example("bmw-wallet cosign handover.json --from buyer-1 -o signed.json", on_terminal=True)
    same_key = "bmw-wallet tx account.update_keys --keys buyer-1 --threshold 1 --from buyer-1"
    assert shell.run(f"rm handover.json && {same_key} {kept} handover.json")[0] == 0
    reader.example("bmw-wallet submit handover.json --wait")
    for number in (1, 2):
        text = printed["odometer.read"].text.replace("--wait", f"{kept} records/{number}.json")
        assert shell.run(text)[0] == 0
    reader.example("bmw-wallet submit records/*.json")
    assert shell.run(printed["odometer.read"].text.replace("--wait", f"{kept} later.json"))[0] == 0
    outstanding = re.findall("[0-9a-f]{64}", shell.run("bmw-wallet outbox --json")[1])
    reader.example("bmw-wallet outbox")
    reader.example("bmw-wallet outbox 5f1c... --resend", **{"5f1c...": outstanding[-1]})
    reader.example("bmw-wallet outbox --resend")
    reader.example("bmw-wallet tx odometer.read --help")
    reader.example("bmw-wallet vehicle WBA8E9G50GNU12345")
    for text in ("bmw-wallet vehicle WBA8E9G50GNU12345 --verify", "bmw-wallet report WBA8E9G50GNU12345 --verify"):
        reader.example(text, after=" --accept-old-root")
    for text in ("bmw-wallet history WBA8E9G50GNU12345 --limit 50", "bmw-wallet account",
                 "bmw-wallet account dealer-munich --verify", "bmw-wallet cars", "bmw-wallet cars dealer-munich --json",
                 "bmw-wallet listings --country DE --model 330I",
                 "bmw-wallet certificate WBA8E9G50GNU12345 -o car.bmwc",
                 "bmw-wallet certificate WBA8E9G50GNU12345 -o car.pdf --language de",
                 "BMW_WALLET_NODE=http://10.0.0.1:26700,http://10.0.0.2:26700 bmw-wallet listings"):  # fmt: skip
        reader.example(text)
    proposal = field(shell.follow(printed["governance.propose"]), "txid")
    reader.example("bmw-wallet proposal 5f1c... --json", **{"5f1c...": proposal})
    assert shell.run("echo hello > report.pdf; head -c 32 /dev/urandom > secret.bin")[0] == 0
    for text in ("bmw-wallet proposals", "bmw-wallet proposals --status carried_out --verify",
                 "bmw-wallet ref commitment invoice 2026-1", "bmw-wallet ref document report.pdf",
                 "bmw-wallet ref document report.pdf --media-type application/pdf",
                 "bmw-wallet ref payment --secret-file secret.bin 74987500123456789012345"):  # fmt: skip
        reader.example(text)


def test_nodes_stores_and_audits(reader: Helped) -> None:
    shell = reader.shell
    for text in ("bmw-node status --node http://127.0.0.1:26700", "bmw-node peers --node http://127.0.0.1:26700",
                 "bmw-node validators --node http://127.0.0.1:26700", "bmw-node rulesets",
                 "bmw-node keys --home /var/lib/bmw-node --json",
                 "bmw-node testnet --validators 4 --output ./net --hosts 10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4",
                 "bmw-node debug bundle --home /var/lib/bmw-node fault.tar.gz",
                 "bmw-audit replay --node http://127.0.0.1:26700 --genesis genesis.json"):  # fmt: skip
        reader.example(text)
    loaded = "bmw-node load http://127.0.0.1:26700 --chain-id bmw-dev-1 --key /var/lib/bmw-node/keys/account.json"
    assert "committed             100" in reader.example(loaded)
    assert shell.run("bmw-wallet key import --dev workshop-berlin")[0] == 0
    assert shell.run("bmw-wallet key export workshop-berlin -o workshop.json")[0] == 0
    loaded = (
        "bmw-node load http://10.0.0.1:26700 http://10.0.0.2:26700 --chain-id bmw-dev-1 --key bmw.json --key "
        "workshop.json --mix births=1,maintenance=3 --rate 20 --duration 5 --json"
    )
    assert '"committed": 100' in reader.example(loaded, **{"bmw.json": "~/net/bmw/keys/account.json"})
    checkpoint = "bmw-node checkpoint --home /var/lib/bmw-node /backup/2026-11-22"
    reader.example(checkpoint, **{"/backup/2026-11-22": "node-0"})
    shell.run("cp -r node-0 node-1")
    exported = "bmw-node export --home /var/lib/bmw-node blocks.bmwarchive --from 1 --to 5000"
    reader.example(exported, **{"/var/lib/bmw-node": "node-0", "5000": "4"})
    shell.run("cp blocks.bmwarchive blocks.bmw")
    for text in ("bmw-audit replay --store node-0 --genesis genesis.json", "bmw-audit compare node-0 node-1",
                 "bmw-audit compare blocks.bmw http://127.0.0.1:26700 --json"):  # fmt: skip
        reader.example(text)
    shell.run("mkdir -p node-0/data/snapshots")
    audited = "bmw-audit replay --store node-0 --genesis genesis.json --snapshots node-0/data/snapshots --work audit"
    reader.example(audited)
    reader.example("bmw-audit compare node-0 node-1 --genesis genesis.json --snapshots node-0/data/snapshots")
    replayed = "bmw-audit replay --archive blocks.bmw --genesis genesis.json --to 5000 --json"
    reader.example(replayed, **{"5000": "4"})
    reader.example("bmw-audit export --archive blocks.bmw --genesis genesis.json tables")
    reader.example("bmw-audit export --node http://127.0.0.1:26700 --genesis genesis.json --format csv tables-csv")
    reported = "bmw-audit report --archive blocks.bmw --genesis genesis.json --key auditor.json report"
    reader.example(reported, **{"auditor.json": "~/net/bmw/keys/account.json"})
    signer = to_text(address_of(dev_key("account", "bmw").public))
    reader.example(f"bmw-audit verify-report report/report.json --signer {signer}")
    shell.changes["/var/lib/bmw-node"] = "~/work/fresh"
    reader.example("bmw-node init /var/lib/bmw-node --genesis genesis.json")
    follower = "bmw-node init /var/lib/bmw-reads --genesis genesis.json --follower"
    reader.example(follower, **{"/var/lib/bmw-reads": "~/reads"})
    for text in ("bmw-node import --home /var/lib/bmw-node blocks.bmwarchive",
                 "bmw-node verify-store --home /var/lib/bmw-node --json", "bmw-node compact --home /var/lib/bmw-node",
                 "bmw-node reindex --home /var/lib/bmw-node",
                 "bmw-node rollback --home /var/lib/bmw-node --heights 2"):  # fmt: skip
        reader.example(text)
    reader.example("bmw-node inspect --home /var/lib/bmw-node 42", **{" 42": " 1"})
    reader.example("bmw-node reset-signing --home /var/lib/bmw-node --height 120345", before="echo y | ")
    started = f" --dev --rpc-port {reader.base + 10} --p2p-port {reader.base + 110} 2> fresh.log &"
    reader.example("bmw-node start --home /var/lib/bmw-node", after=started)
    reader.wait(f"curl -sf http://127.0.0.1:{reader.base + 10}/health/live")
    shell.run("kill $!; wait $!")
    seven = "bmw-node devnet --validators 7 --dir ~/bmw-devnet --base-port 30000"
    reader.example(seven, after=" --once", **{"30000": str(reader.base + 50), "~/bmw-devnet": "./seven"})


def test_every_other_example_is_run_elsewhere(reader: Helped) -> None:
    assert [text for text in examples() - reader.seen if not text.startswith(tuple(NOT_RUN))] == []
