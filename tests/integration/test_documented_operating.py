"""The commands of OPERATING.md and SIGNER.md work as they stand there: tutorial, joining, keys, backups, repairs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.documented import ROOT, Command, commands_of
from support.reader import Reader, field

pytestmark = pytest.mark.network
OPERATING = "docs/OPERATING.md"
RUN: set[Command] = set()
"""What the tests of this file have run."""


@pytest.fixture
def tutorial(tmp_path: Path) -> Iterator[Reader]:
    yield from _a_reader(tmp_path)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    yield from _a_reader(tmp_path_factory.mktemp("operator"))


def _a_reader(folder: Path) -> Iterator[Reader]:
    found = Reader(folder)
    found.done = RUN
    try:
        yield found
    finally:
        found.shell.close()


def on_terminal(reader: Reader, start: str, typed: str = "") -> str:
    """Follow the document's next command that begins with `start` on a terminal, and type an answer."""
    command = reader.command(OPERATING, start)
    shown = f"NO_COLOR=1 COLUMNS=80 script -qec {shlex.quote(command.text)} /dev/null <<< '{typed}'"
    answered = r"sed 's|\[y/N\]: |&y\n|'"  # the terminal shows what was typed before the question
    return reader.shell.follow(replace(command, text=f"(set -o pipefail; {shown} | {answered})"))


def test_the_tutorial(tutorial: Reader) -> None:
    shell = tutorial.shell
    shell.run('ls() { command ls -C "$@"; }')  # as on a terminal
    for start in ("mkdir ~/tutorial", "bmw-node --version", "bmw-node testnet", "ls net/validator-0"):
        tutorial.follow(OPERATING, start)
    tutorial.set_ports("net")
    tutorial.follow(OPERATING, "for i in 0 1 2 3")
    tutorial.wait_signing(*range(4))
    tutorial.follow(OPERATING, "bmw-node status --home")
    on_terminal(tutorial, "bmw-node validators")
    for start in ("export BMW_WALLET_HOME", "export BMW_WALLET_GENESIS", "bmw-wallet key import",
                  "bmw-wallet tx vehicle.register", "bmw-wallet history", "kill %4"):  # fmt: skip
        tutorial.follow(OPERATING, start)
    tutorial.wait_for_lines(OPERATING, "tail -3", "net/validator-0.log")
    tutorial.follow(OPERATING, "bmw-node start --home net/validator-3")
    tutorial.wait_for_lines(OPERATING, "tail -4", "net/validator-3.log")
    tutorial.command(OPERATING, "pkill")  # by name; here by the ids of this shell's own jobs
    of_two = "tr '\\0' ' ' < /proc/$p/cmdline | grep -q 'net/validator-[23]' && kill -9 $p"
    shell.run(f"for p in $(jobs -p); do {of_two}; done")
    tutorial.wait("bmw-node status | grep 'peers *1'")
    for start in ("bmw-node status", "curl -s", "for i in 2 3"):
        tutorial.follow(OPERATING, start)
    tutorial.wait_signing(*range(4))
    for start in ("bmw-node status", "bmw-node checkpoint", "bmw-audit replay"):
        tutorial.follow(OPERATING, start)


def test_a_network_across_hosts(reader: Reader) -> None:
    reader.shell.run("mkdir -p ~/work && cd ~/work")
    reader.follow(OPERATING, "bmw-node testnet --validators 4 --output ./net --hosts")


def test_joining_a_network(reader: Reader) -> None:
    shell, base = reader.shell, reader.base
    shell.run(f"cd {ROOT}")
    assert shell.run(f"scripts/devnet --dir ~/bmw-devnet --base-port {base} &")[0] == 0
    reader.wait_signing(*range(4))
    shell.run("mkdir -p ~/work && cd ~/work && cp ~/bmw-devnet/genesis.json . && export BMW_WALLET_HOME=~/wallet")
    shell.run("export BMW_WALLET_PASSPHRASE=only-here BMW_WALLET_GENESIS=~/work/genesis.json")
    reader.import_dev_keys("bmw", "dealer-munich", "workshop-berlin")
    reader.follow(OPERATING, "bmw-node init ./lyon")
    reader.set_ports("lyon", {"26700": str(base + 10), "26800": str(base + 110)})
    started = with_local_peers(reader, reader.command(OPERATING, "bmw-node start --home ./lyon"))
    assert shell.run(f"{started.text} --dev 2> lyon.log &")[0] == 0  # `--dev`, as the text says
    keys = dict(line.split() for line in reader.follow(OPERATING, "bmw-node keys --home ./lyon").splitlines())
    shell.changes |= {
        "9ea775aee154eef85e145fcb025463e512ebbec3bbb9e632ad82e05c7ca89c1b": keys["account_key"],
        "bmw100fyj20xrel70amu8a0k8rvs8lcn0w0rawyh5q": keys["address"],
        re.escape("6538ea51..."): keys["node_key"],
    }
    for start in ("bmw-wallet key import dealer-lyon", "bmw-wallet tx account.open"):
        reader.follow(OPERATING, start)
    on_terminal(reader, "bmw-wallet cosign", "y")
    reader.follow(OPERATING, "bmw-wallet submit")
    proposed = reader.follow(OPERATING, "bmw-wallet tx governance.propose")
    shell.changes[re.escape("1f308e409591...")] = field(proposed, "txid")
    reader.follow(OPERATING, "bmw-wallet proposals")
    for _ in ("dealer-munich", "workshop-berlin"):
        on_terminal(reader, "bmw-wallet tx governance.vote", "y")
    reader.follow(OPERATING, "bmw-wallet proposal ")
    decide(reader, {"type": "role.grant", "member": keys["address"], "role": "dealer", "wmis": [], "country": "FR",
                    "starts_at": "", "ends_at": ""})  # fmt: skip
    decide(reader, {"type": "validator.set_power", "member": keys["address"], "power": 10,
                    "consensus_key": keys["consensus_key"], "possession": keys["possession"]})  # fmt: skip
    reader.wait_signing(10)
    reader.follow(OPERATING, "bmw-wallet tx member.update")
    shell.run("unset BMW_NODE_URL")  # the home names its own node
    reader.follow(OPERATING, "bmw-node status --home ./lyon")
    shell.run(f"export BMW_NODE_URL=http://127.0.0.1:{base}")
    reader.follow(OPERATING, "bmw-node validators | grep lyon")


def with_local_peers(reader: Reader, command: Command) -> Command:
    """The command with this network's validators for the documents' hosts."""
    ports = {host: reader.base + 99 + host for host in (1, 2)}
    text = re.sub(r"10\.0\.0\.([12]):26800", lambda found: f"127.0.0.1:{ports[int(found[1])]}", command.text)
    return replace(command, text=text)


def test_followers(reader: Reader) -> None:
    shell, port = reader.shell, str(reader.base + 11)
    reader.follow(OPERATING, "bmw-node init ./reads-1")
    reader.set_ports("reads-1", {"26700": port, "26800": str(reader.base + 111)})
    shell.follow(with_local_peers(reader, reader.command(OPERATING, "sed -i 's/^# peers")))
    started = reader.command(OPERATING, "bmw-node start --home ./reads-1")
    assert shell.run(f"{started.text} --dev 2> reads-1.log &")[0] == 0  # `--dev`, as the text says
    reader.wait(f"curl -sf http://127.0.0.1:{port}/health/ready")
    shell.run("unset BMW_NODE_URL")  # the home names its own node
    reader.wait("bmw-node status --home ./reads-1 | grep 'peers *[4-9]'")
    reader.follow(OPERATING, "bmw-node status --home ./reads-1")
    reader.follow(OPERATING, "curl -s http://127.0.0.1:26700/health/ready", **{"26700": port})
    shell.run(f"kill %?reads-1; export BMW_NODE_URL=http://127.0.0.1:{reader.base}")


def decide(reader: Reader, action: dict[str, object]) -> None:
    """Propose and vote, as the text says of the steps that have no command of their own."""
    propose = f"bmw-wallet tx governance.propose --from bmw --wait --action '{json.dumps(action)}'"
    proposed = reader.shell.run(propose)[1]
    for name in ("dealer-munich", "workshop-berlin"):
        vote = f"bmw-wallet tx governance.vote --proposal {field(proposed, 'txid')} --approve --from {name} --wait"
        ended, output = reader.shell.run(f"{vote} --yes --expect action='{json.dumps(action)}'")
        assert ended == 0, output


def test_an_upgrade_is_proposed(reader: Reader) -> None:
    output = reader.follow(OPERATING, "bmw-wallet tx governance.propose", **{"<64 hex digits>": "ab" * 32})
    assert re.search(r"^status +committed, proven$", output, re.MULTILINE), output


def test_pausing(reader: Reader) -> None:
    reader.follow(OPERATING, "bmw-wallet tx validator.pause")
    reader.shell.run(f"export BMW_NODE_URL=http://127.0.0.1:{reader.base + 3}")  # of the validator that pauses
    reader.wait("bmw-node status | grep 'signing *not_a_validator'")
    reader.follow(OPERATING, "bmw-node status | grep -E")
    reader.shell.run(f"export BMW_NODE_URL=http://127.0.0.1:{reader.base}")
    reader.follow(OPERATING, "bmw-wallet tx validator.resume")


def test_what_a_network_carries(reader: Reader) -> None:
    command = reader.command(OPERATING, "bmw-node load")  # its progress is on standard error
    shown = f"NO_COLOR=1 COLUMNS=80 script -qec {shlex.quote(command.text + ' 2> progress')} /dev/null"
    reader.shell.follow(replace(command, text=shown))
    reader.follow(OPERATING, "bmw-node load")


def test_backups_archives_repairs_and_keys(reader: Reader, tmp_path: Path) -> None:
    shell, home = reader.shell, tmp_path / "stopped"
    shell.changes |= {r"/var/lib/bmw-node\b": "~/bmw-devnet/bmw", "/backup/": f"{tmp_path}/"}
    told = reader.follow(OPERATING, "bmw-node keys rotate")
    found = re.search(r"^action\s+(\{.*\})$", told, re.MULTILINE)
    assert found is not None, told
    propose = 'bmw-wallet tx governance.propose --action \'{"type": "validator.set_power", ...}\''
    reader.follow(OPERATING, propose, **{re.escape('{"type": "validator.set_power", ...}'): found[1]})
    reader.wait("bmw-node status | grep '^rotation *waits for power'")
    for start in ("bmw-node status", "bmw-node checkpoint --home /var", "bmw-node debug bundle"):
        reader.follow(OPERATING, start)
    assert shell.run(f"bmw-node init {home} --genesis genesis.json")[0] == 0
    reader.set_ports(str(home), {"26700": str(reader.base + 12), "26800": str(reader.base + 112)})
    shell.changes[r"/var/lib/bmw-node\b"] = str(home)
    shell.changes[r"blocks.bmw 17"] = "blocks.bmw 2"
    for start in ("bmw-node export", "bmw-node import"):
        reader.follow(OPERATING, start)
    reader.follow(OPERATING, "bmw-node inspect", **{r"\b17\b": "2"})
    for start in ("bmw-node reindex", "rm -rf /var/lib/bmw-node/data/store", "cp -r /backup/2026-11-22/store"):
        reader.follow(OPERATING, start)
    confirmed = reader.command(OPERATING, "bmw-node reset-signing")
    ended, output = shell.run(f"echo y | {confirmed.text}")
    assert (ended, "signing starts at height 130" in output) == (0, True), output
    for option in ("", " --accept-old-root"):
        started = reader.command(OPERATING, f"bmw-node start --home /var/lib/bmw-node{option}")
        shell.run(f"{started.text} --dev --peer 127.0.0.1:{reader.base + 100} 2> {home}.log &")
        reader.wait(f"curl -sf http://127.0.0.1:{reader.base + 12}/health/ready")
        shell.run("kill $!; wait $!")
    for start in ("bmw-wallet key new munich-2", "bmw-wallet tx account.update_keys"):
        reader.follow(OPERATING, start)
    signer(reader, home, tmp_path)


def signer(reader: Reader, home: Path, folder: Path) -> None:
    """SIGNER.md with the home of a stopped node."""
    shell = reader.shell
    shell.changes |= {"/var/lib/bmw-signer": f"{folder}/signer", "/run/bmw-signer": str(folder)}
    reader.follow("docs/SIGNER.md", "bmw-node signer --home /var/lib/bmw-signer --take")
    shell.run(f"sed -i 's|^.*signer_socket.*|signer_socket = \"{folder}/signer.sock\"|' {home}/config.toml")
    started = reader.command("docs/SIGNER.md", "bmw-node signer --home /var/lib/bmw-signer --socket")
    assert shell.run(f"{started.text} 2> {folder}/signer.log & S=$!")[0] == 0
    started = reader.command("docs/SIGNER.md", "bmw-node start")
    shell.run(f"{started.text} --dev --peer 127.0.0.1:{reader.base + 100} 2>> {home}.log & N=$!")
    reader.wait(f"grep signer_connected {home}.log")
    shell.run("kill $N $S; wait $N $S")
    ended, output = shell.run("bmw-node keys rotate --home /var/lib/bmw-signer --power 10")
    assert ended == 0, output
    reader.follow("docs/SIGNER.md", "bmw-node keys rotate --home /var/lib/bmw-signer --switch")


NOT_RUN = {
    "python3 -m venv": "the tests have an environment",
    "pip install": "the tests have an environment",
    "SSL_CERT_FILE": "test_rpc_tls",
    "bmw-wallet tx ... --from": "a form, no command",
    "bmw-node start --home /var/lib/bmw-node --trust": "test_network_snapshot",
    "bmw-node successor": "test_successor",
    "bmw-node init /var/lib/bmw-node-2": "test_successor",
    "cp /var/lib/bmw-node/": "test_successor",
    "bmw-node inherit": "test_successor",
    "bmw-node start --home /var/lib/bmw-node-2": "test_successor",
}
"""Commands of these documents, by how they begin, and what runs them instead."""


def test_every_other_command_is_run_elsewhere() -> None:
    printed = [*commands_of(ROOT / OPERATING), *commands_of(ROOT / "docs/SIGNER.md")]
    left = [c.text for c in printed if c not in RUN and not c.text.startswith(tuple(NOT_RUN))]
    assert left == []
