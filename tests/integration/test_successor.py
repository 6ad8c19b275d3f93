"""Half of the power is gone for ever: the others go on as a successor chain, with every car as it was."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.commands import Done, process, run
from support.life import km, read
from support.processes import Fleet, free_base_port, running_network, submit, wait_for, wait_height

from node.chain.genesis import genesis_hash, parse_genesis
from node.cli.local_network import LocalNode
from node.daemon.home import Home
from node.txtypes.service.records import OdometerRead

pytestmark = pytest.mark.network

SURVIVORS = ("bmw", "dealer-munich")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two of four are lost; the homes of the other two, stopped at the same height, and what those members hand in."""
    folder = tmp_path_factory.mktemp("successor")
    with running_network(folder / "net") as network:
        fleet = Fleet(genesis_hash(network.genesis))
        for raw in (*fleet.births(3), fleet.reading(0, 20, fleet.expires_at_ms() - 30 * 60_000)):
            assert submit(network.nodes[0], raw, "?wait=commit&timeout_ms=20000")[0] == 200
        for lost in network.nodes[2:]:
            lost.kill()
        staying = [node for node in network.nodes if node.name in SURVIVORS]
        wait_for(lambda: staying[0].height() == staying[1].height(), 10, "the same height")
        before = staying[0].get(f"/v1/vehicles/{fleet.vin(0)}/history")
        for node in staying:
            assert node.stop() == 0
    files = []
    for node in staying:
        path = folder / f"{node.name}.json"
        path.write_text(process("bmw-node", "keys", "--home", node.home.path, "--json").out)
        files.append(path)
    for lost in network.nodes[2:]:
        shutil.rmtree(lost.home.path)
    return SimpleNamespace(folder=folder, nodes=staying, files=files, history=before, genesis=network.genesis_file)


def _successor(left: SimpleNamespace, output: Path, *more: str) -> Done:
    members = [argument for path in left.files for argument in ("--member", path)]
    return run(
        "bmw-node", "successor", "--home", left.nodes[0].home.path, "--chain-id", "bmw-2", *members, *more, output
    )


@pytest.fixture(scope="module")
def went_on(left: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """The successor network, running."""
    genesis_file = left.folder / "successor.json"
    shown = _successor(left, genesis_file, "--json").json
    powers = {entry["name"]: (entry["power_before"], entry["power"]) for entry in shown["validators"]}
    assert powers == {
        "bmw": (10, 10), "dealer-munich": (10, 10), "dealer-shanghai": (10, 0), "workshop-berlin": (10, 0)
    }  # fmt: skip
    nodes = []
    for old in left.nodes:
        home = Home(left.folder / f"{old.name}-2")
        assert run("bmw-node", "init", home.path, "--genesis", genesis_file).code == 0
        for path in (old.home.path / "keys").iterdir():
            shutil.copy(path, home.path / "keys" / path.name)
        shutil.copy(old.home.config, home.config)
        # whoever starts too early is told what to do, and can do it
        process("bmw-node", "start", "--home", home.path, "--dev").refused(3, "bmw-node inherit")
        found = run("bmw-node", "inherit", "--home", home.path, "--predecessor", old.home.path, "--yes", "--json").json
        assert (found["genesis_hash"], found["height"]) == (shown["genesis_hash"], shown["continues"]["height"])
        nodes.append(LocalNode(old.name, home, old.rpc_port, old.p2p_port))
    try:
        for node in nodes:
            node.start()
        genesis = parse_genesis(genesis_file.read_bytes())
        fleet = Fleet(genesis_hash(genesis), tag="S")
        wait_height(nodes, shown["continues"]["height"] + 1)
        yield SimpleNamespace(nodes=nodes, genesis_file=genesis_file, genesis=genesis, fleet=fleet, shown=shown)
    finally:
        for node in nodes:
            node.kill()


def test_it_goes_on_at_the_next_height_with_every_car_and_writer(
    left: SimpleNamespace, went_on: SimpleNamespace, tmp_path: Path
) -> None:
    node, break_height = went_on.nodes[0], went_on.shown["continues"]["height"]
    vin = Fleet(b"").vin(0)
    assert left.history["records"] == node.get(f"/v1/vehicles/{vin}/history")["records"]

    raw = went_on.fleet.sign("workshop-berlin", _reading_of(vin))
    status, answer = submit(node, raw, "?wait=commit&timeout_ms=20000")

    assert (status, answer["status"]) == (200, "committed")
    assert answer["height"] > break_height
    records = node.get(f"/v1/vehicles/{vin}/history")["records"]
    assert [0, 1, 2] == [record["sequence"] for record in records]
    assert records[1]["height"] <= break_height < records[2]["height"]
    assert went_on.nodes[1].get("/v1/validators")["total_power"] == 20
    assert node.get("/v1/blocks?limit=1")["blocks"][0]["header"]["height"] == break_height + 1
    for path in ("/v1/validators?height=1", f"/v1/blocks/{break_height}"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            node.get(path)
    shown = run(
        "bmw-wallet", "history", vin, "--verify", "--json",
        BMW_WALLET_HOME=str(tmp_path), BMW_WALLET_NODE=node.url, BMW_WALLET_GENESIS=str(went_on.genesis_file),
    )  # fmt: skip
    assert 3 == len(shown.json["records"])


def _reading_of(vin: str) -> OdometerRead:
    return read(vin, km(40), time.time_ns() // 1_000_000, "reading")


def test_an_audit_follows_both_chains_and_names_the_break(
    left: SimpleNamespace, went_on: SimpleNamespace, tmp_path: Path
) -> None:
    node = went_on.nodes[0]
    old = left.nodes[0].home.path
    assert run("bmw-node", "checkpoint", "--home", node.home.path, tmp_path / "copy").code == 0
    archive = tmp_path / "old.bmw"
    assert run("bmw-node", "export", "--home", old, archive).code == 0
    common = ("--genesis", went_on.genesis_file, "--predecessor-genesis", left.genesis, "--workers", "0")
    store = ("replay", "--store", tmp_path / "copy")
    for source in (old, archive):
        found = run("bmw-audit", *store, *common, "--predecessor", source, "--json").json
        before = found["predecessor"]
        assert (found["result"], before["result"]) == ("ok", "ok")
        assert before["height"] == went_on.shown["continues"]["height"] < found["height"]
        assert before["state_root"] == went_on.shown["continues"]["state_root"]
        assert before["validators_left_out"] == ["dealer-shanghai", "workshop-berlin"]
        assert found["keys_compared"]["state value"] > 20
    text = run("bmw-audit", "replay", "--node", node.url, *common, "--predecessor", old)
    assert text.code == 0 and "The chain breaks here: bmw-dev-1 was left at height" in text.out

    assert before["blocks_left_out"] == 0
    break_height = went_on.shown["continues"]["height"]
    run("bmw-audit", *store, *common, "--predecessor", old, "--to", break_height - 1).refused(3, "begins at block")
    at_break = run("bmw-audit", *store, *common, "--predecessor", old, "--to", break_height, "--json").json
    assert (at_break["height"], at_break["transactions"]) == (break_height, 0)
    same = run("bmw-audit", "compare", node.url, went_on.nodes[1].url, "--json").json
    assert same["from_height"] == break_height + 1

    run("bmw-audit", *store, "--genesis", went_on.genesis_file).refused(3, "--predecessor", "continues the chain")
    run("bmw-audit", *store, *common).refused(2, "--predecessor-genesis")
    other = ("--genesis", left.genesis, "--predecessor", old, "--predecessor-genesis", left.genesis)
    run("bmw-audit", "replay", "--store", old, *other).refused(3, "leave --predecessor out")


def test_a_predecessor_that_was_changed_is_found(left: SimpleNamespace, went_on: SimpleNamespace) -> None:
    """Another genesis than the one that both chains have: the successor names a state that does not come out."""
    document = json.loads(went_on.genesis_file.read_text())
    document["continues"]["state_root"] = "11" * 32
    path = left.folder / "other.json"
    path.write_text(json.dumps(document))
    home = left.folder / "other"
    assert run("bmw-node", "init", home, "--genesis", path).code == 0

    done = run("bmw-node", "inherit", "--home", home, "--predecessor", left.nodes[0].home.path, "--yes")

    done.refused(1, "state has root", "genesis.continues")
    assert not Home(home).store.exists() and not Home(home).incoming.exists()
    free = free_base_port()
    ports = {"BMW_NODE_RPC_PORT": str(free), "BMW_NODE_P2P_PORT": str(free + 1)}
    run("bmw-node", "start", "--home", home, "--dev", **ports).refused(3, "bmw-node inherit")


def test_repair_of_a_successors_store_begins_with_its_predecessors_state(
    left: SimpleNamespace, went_on: SimpleNamespace
) -> None:
    node = went_on.nodes[1]
    assert node.stop() == 0
    home, old = node.home.path, left.nodes[1].home.path
    assert run("bmw-node", "verify-store", "--home", home).code == 0
    run("bmw-node", "reindex", "--home", home).refused(3, "--predecessor")
    found = run("bmw-node", "reindex", "--home", home, "--predecessor", old, "--json", "--discard").json
    assert found["height"] > went_on.shown["continues"]["height"]
    back = run("bmw-node", "rollback", "--home", home, "--predecessor", old, "--json", "--discard").json
    assert back["height"] == found["height"] - 1
    assert run("bmw-node", "verify-store", "--home", home).code == 0
    node.start()
    wait_height([node], found["height"] + 1)
    wait_for(lambda: node.get("/v1/status")["signing"] == "signing", 15, "signing again")


def test_members_that_are_none_and_powers_without_a_member_are_refused(left: SimpleNamespace, tmp_path: Path) -> None:
    _successor(left, tmp_path / "a.json", "--power", "dealer-munich").refused(2, "NAME=N")
    _successor(left, tmp_path / "a.json", "--power", "nobody=3").refused(3, "nobody")
    stranger = tmp_path / "stranger"
    assert run("bmw-node", "init", stranger, "--genesis", left.genesis).code == 0
    (tmp_path / "stranger.json").write_text(run("bmw-node", "keys", "--home", stranger, "--json").out)
    _successor(left, tmp_path / "a.json", "--member", str(tmp_path / "stranger.json")).refused(3, "no member")
    (tmp_path / "stranger.json").write_text("{}")
    _successor(left, tmp_path / "a.json", "--member", str(tmp_path / "stranger.json")).refused(3, "keys --json")
    assert not (tmp_path / "a.json").exists()
