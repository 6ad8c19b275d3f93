"""`bmw-wallet` and the questions of `bmw-node` against a running node; and what the wallet refuses without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import PASSPHRASE, Done, import_dev_keys, process, run
from support.processes import running_network
from support.stores import fingerprint
from support.terminal import STYLES, in_terminal, without_escapes

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_to_json
from node.cli.local_network import LocalNetwork
from node.cli.status import PEER_COLUMNS, VALIDATOR_COLUMNS
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.ledger.kinds import fields_of
from node.rpc.answers import Peer

VIN = "WBA8E9G50GNU12345"
NOBODY = "http://127.0.0.1:1"
BIRTH = (
    "--model", "330I", "--plant", "MUC", "--produced-on", "2025-12-01", "--powertrain", "petrol",
    "--odometer-unit", "km", "--vin-scheme", "EU", "--configuration", "S205A", "--configuration", "P337A",
    "--engine-serial", "B48B20",
)  # fmt: skip
WHERE = ("--where", "site=,vin_source=obd,model_seen=330I")
NAMES = ("bmw", "dealer-munich", "workshop-berlin", "buyer-1")

Wallet = Callable[..., Done]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory):
    with running_network(tmp_path_factory.mktemp("net"), 1) as started:
        yield started


def a_wallet(home: Path, genesis: Path, node: str) -> Wallet:
    def call(*arguments: str | Path, stdin: str = "", **environment: str) -> Done:
        settings = {
            "BMW_WALLET_HOME": str(home), "BMW_WALLET_GENESIS": str(genesis), "BMW_WALLET_NODE": node,
            "BMW_WALLET_PASSPHRASE": PASSPHRASE,
        }  # fmt: skip
        return run("bmw-wallet", *arguments, stdin=stdin, **settings | environment)

    return call


@pytest.fixture(scope="module")
def wallet(network: LocalNetwork) -> Wallet:
    """With the development keys of four parties."""
    call = a_wallet(network.folder / "wallet", network.genesis_file, network.nodes[0].url)
    import_dev_keys(network.folder / "wallet", *NAMES)
    return call


@pytest.fixture
def offline(tmp_path: Path) -> Wallet:
    """A wallet whose node does not answer."""
    genesis = tmp_path / "genesis.json"
    genesis.write_text(genesis_to_json(dev_genesis()))
    return a_wallet(tmp_path / "wallet", genesis, NOBODY)


def born(wallet: Wallet, vin: str) -> dict:
    return wallet("tx", "vehicle.register", "--vin", vin, *BIRTH, "--from", "bmw", "--wait", "--json").json


# --- a running node ------------------------------------------------------------------------------------
def test_status_peers_and_validators_of_a_running_node(network: LocalNetwork) -> None:
    node = network.nodes[0]
    shown = run("bmw-node", "status", "--node", node.url, "--json").json
    assert ("bmw-dev-1", True, node.name) == (shown["chain_id"], shown["validator"], shown["validator_name"])
    assert shown["genesis_hash"] == run("bmw-node", "status", "--home", node.home.path, "--json").json["genesis_hash"]
    assert shown["genesis_hash"] in run("bmw-node", "status", "--node", node.url).out
    piped = dict(line.split(None, 1) for line in run("bmw-node", "status", "--node", node.url).out.splitlines())
    assert ("bmw-dev-1", "yes", "no") == (piped["chain_id"], piped["validator"], piped["syncing"])
    assert "head.height" in piped and {"peers": "0"}.items() <= piped.items()
    assert [] == run("bmw-node", "peers", BMW_NODE_URL=node.url).out.split()
    (entry,) = run("bmw-node", "validators", "--node", node.url, "--json").json["validators"]
    assert entry["name"] == node.name
    headings, row = (line.split("\t") for line in run("bmw-node", "validators", "--node", node.url).out.splitlines())
    assert set(entry) == set(headings) == set(VALIDATOR_COLUMNS) and entry["address"] in row
    assert set(PEER_COLUMNS) == {field.json_name for field in fields_of(Peer)}
    seen = in_terminal("bmw-node", "validators", "--node", node.url, columns=70)
    assert STYLES.search(seen) and max(map(len, without_escapes(seen).splitlines())) <= 70


def test_sending_waiting_reading(wallet: Wallet, network: LocalNetwork) -> None:
    sent = born(wallet, VIN)
    assert "committed" == sent["status"]
    assert sent["height"] > 0 and sent["index"] == 0
    shown = wallet("vehicle", VIN, "--json").json
    assert (VIN, "330I") == (shown["vin"], shown["model"])
    assert VIN in wallet("vehicle", VIN).out
    done = wallet(
        "tx", "maintenance.record", "--vin", VIN, "--services", "ENGINE_OIL", "--odometer", "12km",
        "--next-due", "30000km,+730d", "--event-at", "now", *WHERE, "--from", "workshop-berlin", "--wait",
    )  # fmt: skip
    assert 0 == done.code and "committed" in done.out
    history = wallet("history", VIN, "--json").json["records"]
    assert ["vehicle.register", "maintenance.record"] == [record["kind"] for record in history]
    timeline = wallet("history", VIN).out
    assert timeline.index("vehicle.register") < timeline.index("maintenance.record")
    assert "verified at height" in wallet("history", VIN, "--verify", "--accept-old-root").out
    report = wallet("report", VIN, "--json").json
    proven = wallet("report", VIN, "--verify", "--accept-old-root", "--json").json
    assert proven.pop("verified") and report == proven and 2 == report["records_read"]
    page = wallet("report", VIN, "--verify", "--accept-old-root")
    assert page.out.startswith(f"Buyer's report for {VIN}\n") and "newest reading" in page.out
    assert "12 km on" in page.out and "verified at height" in page.out and "the node's word" in page.err
    account = wallet("account", "bmw", "--json").json
    assert to_text(address_of(dev_key("account", "bmw").public)) == account["address"]
    assert [] == wallet("listings", "--json").json["listings"]
    wallet("order", "ab" * 32).refused(1, "ab" * 32)
    for command in ("vehicle", "report"):
        wallet(command, "WBA8E9G50GNU99999").refused(1, "WBA8E9G50GNU99999")
    absent = wallet("report", "WBA8E9G50GNU99999", "--verify", "--accept-old-root")
    assert 1 == absent.code and "it is proven that WBA8E9G50GNU99999 is not on this chain" in absent.err


def test_a_dry_run_says_what_would_change_before_anything_is_sent(wallet: Wallet) -> None:
    vin = "WBA8E9G50GNU10007"
    born(wallet, vin)
    read = ("tx", "odometer.read", "--vin", vin, "--context", "inspection", *WHERE, "--from", "workshop-berlin")
    assert "committed" == wallet(*read, "--odometer", "20002km", "--wait", "--json").json["status"]
    done = wallet(*read, "--odometer", "12500km", "--dry-run")
    assert 0 == done.code and "valid now" in done.out
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [f"vehicle {vin}", "verdict", "NO_VERDICT", "CONTESTED"] in rows
    assert done.out.endswith(f"record {vin}/2: odometer.read, verdict CONTESTED\n")
    assert "Caution: the odometer readings would contradict" in done.err and "odometer to be disclosed" in done.err
    assert 1 == len(wallet("history", vin, "--json").json["records"][1:]), "nothing was sent"
    transfer = (
        "tx", "title.transfer", "--vin", vin, "--receiver", "dealer-munich", "--reason", "wholesale",
        "--invoice-commitment", "00" * 32, "--odometer", "20003km", "--from", "bmw", "--dry-run",
    )  # fmt: skip
    done = wallet(*transfer)
    assert 1 == done.code and "signature_missing" in done.err
    assert "still to sign: dealer-munich" in done.out and "0 of 1 signatures" in done.out
    assert any(line.startswith(f"vehicle {vin}\tholder_name\tbmw\tdealer-munich") for line in done.out.splitlines())


def test_what_the_chain_refuses_is_exit_code_1_with_every_reason(wallet: Wallet) -> None:
    vin = "WBA8E9G50GNU10001"
    born(wallet, vin)
    arguments = ("tx", "title.transfer", "--vin", vin, "--receiver", "dealer-munich", "--reason", "wholesale",
                 "--invoice-commitment", "ab" * 32, "--odometer", "5km", "--event-at", "now")  # fmt: skip
    for flag in ("--dry-run", "--wait"):
        done = wallet(*arguments, "--from", "dealer-munich", flag)
        assert 1 == done.code
        assert "title" in done.err and "Traceback" not in done.err
    dry = wallet(*arguments, "--from", "bmw", "--dry-run", "--json")
    assert 1 == dry.code, "the receiver has not signed"
    shown = json.loads(dry.out)
    assert (False, ["signature_missing"]) == (shown["ok"], [guard["code"] for guard in shown["unmet"]])
    both = ("--from", "bmw", "--cosign", "dealer-munich", "--yes", "--accept-old-root")
    dry = wallet(*arguments, *both, "--dry-run", "--json").json
    assert (True, []) == (dry["ok"], dry["unmet"])
    assert wallet("vehicle", vin, "--json").json["holder_name"] == "bmw", "a dry run has sent nothing"


def test_who_is_given_a_car_signs_what_the_chain_has_of_it(wallet: Wallet) -> None:
    vin = "WBA8E9G50GNU10031"
    born(wallet, vin)
    expected = (f"vin={vin}", "receiver=dealer-munich", "sender=bmw", "reason=gift", "odometer=5km", "discloses=[]",
                "material_changes=0", "type=title.assign")  # fmt: skip
    arguments = (
        "tx", "title.assign", "--vin", vin, "--receiver", "dealer-munich", "--reason", "gift", "--odometer", "5km",
        "--from", "bmw", "--cosign", "dealer-munich", "--yes", "--accept-old-root",
        *(word for text in expected for word in ("--expect", text)),
    )  # fmt: skip
    stale = wallet(*arguments, "--material-root", "00" * 32, "--dry-run")
    assert 1 == stale.code and "disclosure_stale" in stale.err and "Shown:" not in stale.err
    done = wallet(*arguments, "--wait", "--json")
    assert "committed" == done.json["status"]
    assert f"Shown: {vin}, 1 records, 0 accidents, odometer NO_VERDICT, flags none, brands none" in done.err
    assert "dealer-munich" == wallet("vehicle", vin, "--json").json["holder_name"]
    unknown = wallet(*arguments[:3], "WBA8E9G50GNU99999", *arguments[4:])
    assert 2 == unknown.code and "--vin: there is no vehicle WBA8E9G50GNU99999" in unknown.err


def test_all_accounts_are_shown_also_where_a_key_has_none_yet(wallet: Wallet) -> None:
    address = wallet("key", "new", "no-account-yet", "--json").json["address"]
    try:
        shown = wallet("account", "--json").json["accounts"]
        assert None is next(one for one in shown if one["address"] == address)["account"]
        assert any(one.get("member") for one in shown)
        wallet("account", "no-account-yet").refused(1, "account_unknown")
    finally:
        assert 0 == wallet("key", "delete", "no-account-yet", "--yes").code


def test_a_file_travels_between_those_who_sign_and_is_sent_by_anybody(wallet: Wallet, tmp_path: Path) -> None:
    vin = "WBA8E9G50GNU10002"
    born(wallet, vin)
    file = tmp_path / "transfer.json"
    done = wallet(
        "tx", "title.transfer", "--vin", vin, "--receiver", "dealer-munich", "--reason", "wholesale",
        "--invoice-commitment", "ab" * 32, "--odometer", "5km", "--event-at", "now", "--from", "bmw",
        "--offline", "-o", file,
    )  # fmt: skip
    assert 0 == done.code
    assert 0o600 == file.stat().st_mode & 0o777
    before = file.read_bytes()
    wallet("sign", file, "--from", "dealer-munich").refused(3, "dealer-munich is not the sender", "cosign")
    wallet(
        "tx", "odometer.read", "--vin", vin, "--odometer", "9km", "--event-at", "now", "--context", "reading",
        *WHERE, "--from", "workshop-berlin", "--offline", "-o", file,
    ).refused(3, "exists already")  # fmt: skip
    assert before == file.read_bytes()
    done = wallet("submit", file)
    assert (1, before) == (done.code, file.read_bytes()), "one signature is missing"
    assert "signature" in done.err
    expected = (f"vin={vin}", "receiver=dealer-munich", "sender=bmw", "odometer=5km", "discloses=[]",
                "type=title.transfer")  # fmt: skip
    words = [word for text in expected for word in ("--expect", text)]
    assert 0 == wallet("cosign", file, "--from", "dealer-munich", "--yes", "--accept-old-root", *words).code
    sent = wallet("submit", file, "--wait", "--json").json
    again = wallet("submit", file, "--json").json
    assert ("committed", sent["txid"], sent["height"]) == (again["status"], again["txid"], again["height"])
    assert "dealer-munich" == wallet("vehicle", vin, "--json").json["holder_name"]


def test_a_batch_of_files_of_which_one_is_refused(wallet: Wallet, tmp_path: Path) -> None:
    files = []
    for index in (3, 4, 3):  # the third is the first car once more
        files.append(tmp_path / f"{len(files)}.json")
        done = wallet(
            "tx", "vehicle.register", "--vin", f"WBA8E9G50GNU1000{index}", *BIRTH, "--from", "bmw", "--offline",
            "-o", files[-1],
        )  # fmt: skip
        assert 0 == done.code
    done = wallet("submit", *files, "--wait", "--json")
    assert 1 == done.code
    results = json.loads(done.out)["results"]
    assert ["committed", "committed"] == [result["status"] for result in results[:2]]
    assert results[2]["status"] not in ("pending", "committed")
    assert "vehicle_exists" in done.err


def test_the_next_node_is_tried_where_one_does_not_answer(wallet: Wallet, network: LocalNetwork) -> None:
    both = f"{NOBODY},{network.nodes[0].url}"
    assert 0 == wallet("listings", "--node", both).code
    assert 0 == wallet("listings", BMW_WALLET_NODE=both).code


def test_a_wallet_of_another_chain_notices_before_it_sends(wallet: Wallet, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(genesis_to_json(dev_genesis()))
    done = wallet("tx", "vehicle.register", "--vin", "WBA8E9G50GNU10009", *BIRTH, "--from", "bmw", "--genesis", other)
    done.refused(1, "genesis hash")
    wallet("vehicle", "WBA8E9G50GNU10009").refused(1)
    for read in (("vehicle", "WBA8E9G50GNU10009"), ("listings",), ("account", "bmw")):
        wallet(*read, BMW_WALLET_GENESIS=str(other)).refused(1, "genesis hash")


def test_a_checkpoint_of_the_running_node_holds_in_an_audit(
    wallet: Wallet, network: LocalNetwork, tmp_path: Path
) -> None:
    born(wallet, "WBA8E9G50GNU10005")
    home, target = network.nodes[0].home.path, tmp_path / "copy"
    (tmp_path / "copy.partial" / "something").mkdir(parents=True)
    run("bmw-node", "checkpoint", "--home", home, target).refused(3, "copy.partial is in the way", "name a new folder")
    (tmp_path / "copy.partial" / "something").rename(tmp_path / "copy.partial" / "store")  # as a kill leaves it
    made = run("bmw-node", "checkpoint", "--home", home, target, "--json").json
    assert str(target) == made["dir"]
    assert not list(target.rglob("signing.state")) and not list(target.rglob("*key*"))
    before = fingerprint(target)
    run("bmw-node", "checkpoint", "--home", home, target).refused(3, str(target), "name a new folder")
    assert before == fingerprint(target)
    genesis = network.genesis_file
    report = run("bmw-audit", "replay", "--store", target, "--genesis", genesis, "--workers", 0, "--json").json
    live = run(
        "bmw-audit", "replay", "--node", network.nodes[0].url, "--genesis", genesis, "--workers", 0, "--json",
        "--to", report["height"],
    ).json  # fmt: skip
    assert (report["height"], report["state_root"]) == (live["height"], live["state_root"])
    done = run("bmw-audit", "compare", target, network.nodes[0].url)
    assert 0 == done.code and f"the same from 1 to {report['height']}" in done.out
    run("bmw-audit", "replay", "--store", home, "--genesis", genesis).refused(3, "--node", "--archive", "checkpoint")


# --- without a node ------------------------------------------------------------------------------------
def test_no_node_is_exit_code_3_and_what_was_signed_is_kept(offline: Wallet, tmp_path: Path) -> None:
    assert 0 == offline("key", "import", "--dev", "bmw").code
    for arguments in (("listings",), ("vehicle", VIN), ("history", VIN), ("order", "ab" * 32), ("account", "bmw")):
        offline(*arguments).refused(3, NOBODY, "--node", "BMW_WALLET_NODE")
    file = tmp_path / "t.json"
    assert 0 == offline("tx", "vehicle.register", "--vin", VIN, *BIRTH, "--from", "bmw", "--offline", "-o", file).code
    before = file.read_bytes()
    offline("submit", file).refused(3, NOBODY)
    assert before == file.read_bytes()


def test_keys_from_making_to_deleting(offline: Wallet, tmp_path: Path) -> None:
    made = offline("key", "new", "alice", "--json").json
    assert 24 == len(made["mnemonic"].split())
    assert [made["address"]] == [key["address"] for key in offline("key", "list", "--json").json["keys"]]
    assert made["public_key"] == offline("key", "show", "alice", "--json").json["public_key"]
    exported = tmp_path / "alice.json"
    assert 0 == offline("key", "export", "alice", "-o", exported).code
    assert made["mnemonic"] not in exported.read_text()
    assert made["mnemonic"] == offline("key", "export", "alice", "--mnemonic").out.strip()
    assert made["mnemonic"].split() == offline("key", "export", "alice", "--mnemonic", "--json").json["mnemonic"]
    offline("key", "new", "alice").refused(3, "alice", "already")
    offline("key", "import", "bob", "--file", exported, BMW_WALLET_PASSPHRASE="something else").refused(3, "passphrase")
    again = offline("key", "import", "bob", "--file", exported, "--json").json
    words = offline("key", "import", "carol", "--mnemonic", "--json", stdin=made["mnemonic"] + "\n").json
    assert made["address"] == again["address"] == words["address"]
    assert 2 == offline("key", "delete", "bob").code
    assert 0 == offline("key", "delete", "bob", "--yes").code
    offline("key", "show", "bob").refused(3, "bob", "key list")


def test_what_is_wrong_with_a_key_is_named_with_the_mend(offline: Wallet, tmp_path: Path) -> None:
    assert 0 == offline("key", "import", "--dev", "bmw").code
    path = tmp_path / "wallet" / "keys" / "bmw.json"
    whole = path.read_bytes()
    offline("key", "export", "bmw", "--mnemonic", BMW_WALLET_PASSPHRASE="wrong").refused(3, "passphrase", "bmw")
    offline("key", "export", "bmw", "--mnemonic", BMW_WALLET_PASSPHRASE="").refused(3, "passphrase")
    path.chmod(0o644)
    offline("key", "list").refused(3, str(path), "0644", f"chmod 600 {path}")
    offline(
        "tx", "title.transfer", "--vin", "WBA8E9G50GNU10002", "--receiver", "bmw", "--reason", "wholesale",
        "--invoice-commitment", "ab" * 32, "--odometer", "5km", "--event-at", "now", "--from", "bmw", "--offline",
        "-o", tmp_path / "t.json",
    ).refused(3, str(path), f"chmod 600 {path}")  # fmt: skip
    path.chmod(0o600)
    for damaged in (whole[:100], b"", whole.replace(b'"scrypt"', b'"none"')):
        path.write_bytes(damaged)
        offline("key", "show", "bmw").refused(3, str(path))
        assert damaged == path.read_bytes()
    words = "abandon " * 23 + "abandon"
    offline("key", "import", "x", "--mnemonic", stdin=words).refused(3, "words")
    offline("key", "import", "x", "--mnemonic", stdin="abandon art").refused(3, "24")
    offline("key", "import", "x").refused(2, "--mnemonic")
    offline("key", "new", "Ä").refused(3, "name")
    assert not (tmp_path / "wallet" / "keys" / "x.json").exists()


def test_a_key_on_a_full_disk_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    home = tmp_path / "wallet"
    settings = {"BMW_WALLET_HOME": str(home), "BMW_WALLET_PASSPHRASE": PASSPHRASE}
    process("bmw-wallet", "key", "new", "alice", file_bytes_max=100, **settings).refused(3, "alice.json")
    assert [] == [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--vin", "WBA8E9G50GNU1234I", *BIRTH), ("--vin",)),
        (("--vin", VIN, *BIRTH, "--powertrain", "steam"), ("--powertrain", "steam", "bev")),
        (("--vin", VIN), ("--model", "--plant")),
        (("--vin", VIN, *BIRTH, "--produced-on", "2025-13-01"), ("--produced-on",)),
        (("--vin", VIN, *BIRTH, "--model", "4111111111111111"), ("card number",)),
        (("--vin", VIN, *BIRTH, "--expires", "soon"), ("soon",)),
        (("--vin", VIN, *BIRTH, "--wait"), ("--offline", "--wait")),
        (("--vin", VIN, *BIRTH, "--body", "/nowhere.json"), ("/nowhere.json",)),
    ],
)
def test_a_wrong_field_is_named_by_its_option_and_no_file_is_written(
    offline: Wallet, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    import_dev_keys(tmp_path / "wallet", "bmw")
    file = tmp_path / "t.json"
    done = offline("tx", "vehicle.register", *options, "--from", "bmw", "--offline", "-o", file)
    assert done.code in (2, 3)
    done.refused(done.code, *words)
    assert not file.exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--price", "52900.001EUR", ("3 decimals", "52900.00EUR")),
        ("--price", "52900", ("--price",)),
        ("--price", "52900.00EURO", ("--price",)),
        ("--price", "1e3EUR", ("--price",)),
        ("--price", "-5.00EUR", ("--price",)),
        ("--expires-at", "yesterday", ("--expires-at",)),
        ("--country", "Germany", ("--country",)),
        ("--rails", "{", ("--rails",)),
        ("--tax", "scheme=standard,rate_permille=301,amount=0", ("--tax",)),
        ("--offer-floor", "50000.00EUR", ("--offer-floor",)),
    ],
)
def test_amounts_times_and_structures_are_parsed_exactly_or_not_at_all(
    offline: Wallet, tmp_path: Path, option: str, value: str, words: tuple[str, ...]
) -> None:
    import_dev_keys(tmp_path / "wallet", "bmw")
    rail = json.dumps({"rail": "card", "providers": ["bmw"]})
    given = {
        "--vin": VIN, "--price": "52900.00EUR", "--tax": "scheme=standard,rate_permille=190,amount=844622",
        "--contracts": "distance", "--country": "DE", "--expires-at": "+30d", "--rails": rail,
    }  # fmt: skip
    file = tmp_path / "t.json"
    call = lambda changed: offline(  # noqa: E731
        "tx", "listing.create", *(word for pair in changed.items() for word in pair), "--from", "bmw", "--offline",
        "-o", file,
    )  # fmt: skip
    assert 0 == call(given).code
    file.unlink()
    call(given | {option: value}).refused(2, *words)
    assert not file.exists()


def test_a_transaction_file_that_is_not_what_it_should_be(offline: Wallet, tmp_path: Path) -> None:
    import_dev_keys(tmp_path / "wallet", "bmw", "dealer-munich")
    file = tmp_path / "t.json"
    assert 0 == offline("tx", "vehicle.register", "--vin", VIN, *BIRTH, "--from", "bmw", "--offline", "-o", file).code
    whole = json.loads(file.read_text())
    payload = whole["payload"]
    signature = dict(whole["signatures"][0])
    cases = {
        "cut off": file.read_text()[:200],
        "no object": "[1]",
        "unknown field": json.dumps(whole | {"extra": 1}),
        "another payload": json.dumps(whole | {"payload": payload[:-2] + "31"}),
        "half a payload": json.dumps(whole | {"payload": payload[:-4]}),
        "no hex": json.dumps(whole | {"payload": "xyz"}),
        "another chain": json.dumps(whole | {"genesis_hash": "ab" * 32}),
        "flipped signature": json.dumps(whole | {"signatures": [signature | {"signature": "00" * 64}]}),
    }
    for name, text in cases.items():
        file.write_text(text)
        for command in (("submit", file), ("cosign", file, "--from", "dealer-munich")):
            done = offline(*command)
            assert done.code in (1, 3), (name, done)
            done.refused(done.code)
            assert NOBODY not in done.err, f"{name}: refused before any node is asked"
            assert text == file.read_text(), name
