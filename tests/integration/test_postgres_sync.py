"""`bmw-audit sync` into a real PostgreSQL server: what is in the tables is what the chain says, whatever crashes."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.life import VIN, maintenance
from support.load import LoadChain
from support.memory_store import MemoryStore
from support.postgres import Server, as_selected, rows_in, running_server
from support.processes import running_network, started, wait_for
from support.sources import ChainSource
from support.stores import life_chain
from support.vector_life import SECOND
from support.vectors import story
from support.wallet_node import wallet_node

from node.audit.follow import Follower
from node.audit.postgres.migrations import STEPS, apply_steps
from node.audit.postgres.read_model import ConnectionLost, ReadModel
from node.audit.postgres.statements import parameters
from node.audit.postgres.sync import SourceGone, Sync
from node.audit.sources import BlockSource
from node.audit.tables.model import TABLES, added_rows, state_rows
from node.chain.genesis import Genesis, genesis_to_json
from node.errors import OperatorError

BOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "read-model.json"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as found:
        yield found


@pytest.fixture(scope="module")
def whole(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with the whole story."""
    chain = story().chain
    height = sync(chain, server.new_database("whole"), tmp_path_factory.mktemp("whole")).once()
    assert chain.store.height() == height
    return "whole"


def expected(chain: Chain, to: int | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table, straight from the execution."""
    follower = Follower(chain.genesis, MemoryStore())
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    for executed in follower.follow(ChainSource(chain), to or chain.store.height()):
        for table, row in added_rows(executed):
            found[table.name].append(as_selected(table, parameters(table, row)))
    for table, row in state_rows(follower.store):
        found[table.name].append(as_selected(table, parameters(table, row)))
    for name, rows in found.items():
        places = [i for i, column in enumerate(TABLES[name].columns) if column.name in TABLES[name].key]
        rows.sort(key=lambda row, places=places: [row[place] for place in places])
    return found


def sync(chain: Chain, url: str, folder: Path, source: BlockSource | None = None) -> Sync:
    return Sync(chain.genesis, lambda: source or ChainSource(chain), url, folder)


def selected(server: Server, name: str) -> dict[str, list[tuple[Any, ...]]]:
    with server.connect(name) as connection:
        return rows_in(connection)


def test_every_row_of_every_table_is_what_the_execution_says(server: Server, whole: str) -> None:
    """The story has every type, so every table of a type has a row."""
    found = selected(server, whole)
    assert expected(story().chain) == found
    assert [] == [name for name, rows in found.items() if name.startswith("tx_") and not rows]


def test_it_goes_on_where_it_was_with_its_state_without_it_and_with_one_that_is_ahead(
    server: Server, tmp_path: Path
) -> None:
    chain, url = story().chain, server.new_database("steps")
    assert 30 == sync(chain, url, tmp_path / "a").once(30)
    assert 60 == sync(chain, url, tmp_path / "a").once(60)
    assert 90 == sync(chain, url, tmp_path / "new").once(90)
    assert expected(chain, 90) == selected(server, "steps")
    said: list[str] = []
    restored = server.new_database("restored")
    sync(chain, restored, tmp_path / "b").once(20)
    Sync(chain.genesis, lambda: ChainSource(chain), restored, tmp_path / "new", tell=said.append).once(40)
    assert ["the executed state is at 89, the database at 20: replaying"] == said
    assert expected(chain, 40) == selected(server, "restored")


def test_a_crash_between_the_commit_and_the_state_repeats_nothing(server: Server, tmp_path: Path) -> None:
    """The rows of block 31 are committed, and the executed state is still that of block 30."""
    chain, url = story().chain, server.new_database("between")
    sync(chain, url, tmp_path).once(30)
    with ReadModel.connected(url) as model:
        follower = Follower(chain.genesis, MemoryStore())
        for executed in follower.follow(ChainSource(chain), 31):
            if executed.result.height == 31:
                model.write(executed)
    assert 35 == sync(chain, url, tmp_path).once(35)
    assert expected(chain, 35) == selected(server, "between")


def test_a_block_that_fails_in_the_middle_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """The table of the newest type of block 23 is locked away: no row of the block is there."""
    chain, url = story().chain, server.new_database("middle")
    sync(chain, url, tmp_path).once(22)
    with server.connect("middle") as connection:
        connection.execute("alter table bmw.tx_vehicle_register rename to away")
        with pytest.raises(OperatorError, match=r"the database refuses .*tx_vehicle_register"):
            sync(chain, url, tmp_path).once(23)
        connection.execute("alter table bmw.away rename to tx_vehicle_register")
    assert expected(chain, 22) == selected(server, "middle")
    sync(chain, url, tmp_path).once(23)
    assert expected(chain, 23) == selected(server, "middle")


def test_a_damaged_state_is_made_anew(server: Server, tmp_path: Path) -> None:
    chain, url, said = story().chain, server.new_database("damaged"), list[str]()
    sync(chain, url, tmp_path).once(30)
    tables = list((tmp_path / "state").glob("*.ldb"))
    assert tables
    for table in tables:
        raw = bytearray(table.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        table.write_bytes(raw)
    Sync(chain.genesis, lambda: ChainSource(chain), url, tmp_path, tell=said.append).once(32)
    [told] = said
    assert "is damaged" in told and told.endswith("replaying the chain")
    assert expected(chain, 32) == selected(server, "damaged")


# --- what is refused -----------------------------------------------------------------------------------------
def test_another_genesis_is_refused(server: Server, tmp_path: Path) -> None:
    chain, url = story().chain, server.new_database("genesis")
    sync(chain, url, tmp_path / "a").once(5)
    other = Chain(replace(chain.genesis, chain_id="bmw-other"))
    other.produce()
    with pytest.raises(OperatorError, match="the database has the chain with genesis hash"):
        sync(other, url, tmp_path / "b").once()
    with pytest.raises(OperatorError, match="is of the chain with genesis hash"):
        sync(chain, url, tmp_path / "a", ChainSource(other)).once()


def test_a_branch_is_refused(server: Server, tmp_path: Path) -> None:
    """All validators have signed two blocks of one height: the database keeps the one that it has."""
    chain, url = life_chain(tmp_path / "life"), server.new_database("branch")
    other = Chain(chain.genesis)
    for height in range(1, chain.store.height()):
        committed = chain.store.committed(height)
        assert committed is not None
        other.store.commit_block(committed.block, other.judge(committed.block), committed.commit)
    other.now = chain.now + 60_000
    other.produce(other.sign("workshop-berlin", maintenance(chain, 7_000)))
    sync(chain, url, tmp_path / "a").once()
    with pytest.raises(OperatorError, match="it was filled from another chain"):
        sync(other, url, tmp_path / "b").once()
    chain.store.kv.close()


def test_one_sync_at_a_time(server: Server, tmp_path: Path) -> None:
    url = server.new_database("one")
    with ReadModel.connected(url), pytest.raises(OperatorError, match="another sync writes"):
        sync(story().chain, url, tmp_path).once()


def test_a_server_that_is_not_there_and_a_source_that_ends_too_early(server: Server, tmp_path: Path) -> None:
    chain = story().chain
    with pytest.raises(ConnectionLost, match="can't be reached"):
        sync(chain, f"postgresql:///story?host={tmp_path}", tmp_path).once()
    url = server.new_database("early")
    sync(chain, url, tmp_path / "a").once(20)
    short = Chain(chain.genesis)
    with pytest.raises(SourceGone, match="ends at block 0, the database at 20"):
        sync(short, url, tmp_path / "b").once()


# --- schema --------------------------------------------------------------------------------------------------
def test_steps_are_applied_once_and_a_newer_schema_is_refused(server: Server) -> None:
    server.new_database("schema")
    steps = (*STEPS, "create table bmw.later (n int)", "insert into bmw.later values (1)")
    with server.connect("schema") as connection:
        for _ in range(2):
            apply_steps(connection, STEPS)
        for _ in range(2):
            apply_steps(connection, steps)
        assert [(1,)] == connection.execute("select n from bmw.later").fetchall()
        versions = connection.execute("select version from bmw.schema_version order by 1").fetchall()
        assert [(1,), (2,), (3,)] == versions
        with pytest.raises(OperatorError, match="the database has version 3 of the schema, this software knows 1"):
            apply_steps(connection, STEPS)


def test_a_state_table_of_another_version_is_made_anew_and_another_is_refused(server: Server, tmp_path: Path) -> None:
    chain, url = story().chain, server.new_database("changed")
    sync(chain, url, tmp_path).once(40)
    with server.connect("changed") as connection:
        connection.execute("alter table bmw.vehicles drop column model cascade")
        connection.execute("update bmw.definitions set definition = 'older' where name = 'vehicles'")
        sync(chain, url, tmp_path).once(41)
        assert expected(chain, 41) == rows_in(connection)
        assert connection.execute("select sum(cars) from bmw.fleet").fetchone() != (None,)
        connection.execute("update bmw.definitions set definition = 'older' where name = 'blocks'")
        with pytest.raises(OperatorError, match="the columns of blocks are those of another version"):
            sync(chain, url, tmp_path).once(42)


# --- views and the board ---------------------------------------------------------------------------------------
def test_the_views_tell_what_the_story_was(server: Server, whole: str) -> None:
    chain = story().chain
    with server.connect(whole) as connection:

        def one(query: str) -> tuple[Any, ...] | None:
            return connection.execute(query).fetchone()

        assert one("select sum(cars) from bmw.fleet") == one("select count(*) from bmw.vehicles")
        annulled = "select annulled, disputes, records from bmw.disputes_by_author where name = 'workshop-hamburg'"
        assert (5, 5, 5) == one(annulled)
        assert (chain.store.height() - 1, 1.0) == one("select count(power_signed), min(power_signed) from bmw.finality")
        assert (1, 1) == one("select done, removed from bmw.recall_progress")
        signed = one("select sum(signed), sum(proposed), sum(missed_proposals) from bmw.validator_duty")
        votes = one("select count(*) from bmw.votes")
        assert votes is not None and (votes[0], chain.store.height(), 0) == signed
        days = one("select sum(transactions) from bmw.transactions_by_day")
        assert one("select count(*) from bmw.transactions") == days


def test_an_open_recall_is_listed(server: Server, tmp_path: Path) -> None:
    """In the story the cars are remedied later, at height 26 or so."""
    chain, url = story().chain, server.new_database("recalled")
    extended = next(played.height for played in story().played if played.name == "recall.extend")
    sync(chain, url, tmp_path).once(extended)
    with server.connect("recalled") as connection:
        rows = connection.execute("select maker, campaign, vin, model from bmw.open_recalls order by vin").fetchall()
    assert [("bmw", "0016560700", vin, "330I") for vin in (VIN, SECOND)] == rows


def test_every_query_of_the_board_runs(server: Server, whole: str) -> None:
    board = json.loads(BOARD.read_text("utf-8"))
    queries = [target["rawSql"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 10
    with server.connect(whole) as connection:
        for query in queries:
            plain = re.sub(r"\$__timeFilter\((\S+?)\)", r"\1 between '2020-01-01' and '2040-01-01'", query)
            assert "$" not in plain, f"a macro that is not replaced: {query}"
            assert connection.execute(plain).fetchall(), f"no row: {query}"


# --- processes -------------------------------------------------------------------------------------------------
class SyncProcess:
    """`bmw-audit sync` as a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path, genesis: Genesis, node_url: str, server: Server, database: str) -> None:
        (folder / "genesis.json").write_text(genesis_to_json(genesis))
        self._server, self._database, self._log = server, database, folder / "log"
        self._command = [
            sys.executable, "-m", "node.cli.audit", "sync", "--node", node_url, "--genesis", folder / "genesis.json",
            "--to", server.new_database(database), "--state", folder / "state", "--every", "0.05",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as file:
            self._process = started(self._command, stdout=file, stderr=file)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def said(self) -> str:
        return self._log.read_text()

    def height(self) -> int:
        """The position; -1 before there is one. The process must be running."""
        assert self._process.poll() is None, self.said()
        with self._server.connect(self._database) as connection:
            if connection.execute("select to_regclass('bmw.position')").fetchone() == (None,):
                return -1
            found = connection.execute("select height from bmw.position").fetchone()
            return -1 if found is None else int(found[0])

    def wait(self, height: int) -> None:
        wait_for(lambda: self.height() >= height, 60, f"height {height}")


@pytest.mark.slow
def test_twenty_kills_of_either_side_leave_no_row_that_differs(tmp_path: Path) -> None:
    """`kill -9` of the sync and of the server, each while blocks are written, from a live node's HTTP interface."""
    chance = random.Random(11)
    sides = ["sync"] * 7 + ["server"] * 13
    chance.shuffle(sides)
    chain = LoadChain(seed=3, depth=8)
    with running_server() as server, wallet_node(chain) as node:
        process = SyncProcess(tmp_path, chain.genesis, node.url, server, "killed")
        for side in sides:
            before = chain.store.height()
            node.run(lambda: chain.grow(36, 3))
            process.wait(before + chance.randrange(1, 9))
            if side == "sync":
                process.kill()
                process.start()
            else:
                server.kill()
                server.start()
        node.run(lambda: chain.grow(36, 3))
        process.wait(chain.store.height())
        process.kill()
        assert expected(chain) == selected(server, "killed")
        assert sides.count("server") <= process.said().count("trying again")


@pytest.mark.network
def test_a_node_that_goes_away_is_waited_for(server: Server, tmp_path: Path) -> None:
    with running_network(tmp_path / "network", 1) as network:
        [node] = network.nodes
        process = SyncProcess(tmp_path, network.genesis, node.url, server, "away")
        process.wait(node.height())
        node.kill()
        wait_for(lambda: "check --node and that the node runs; trying again" in process.said(), 60, "the message")
        node.start()
        wait_for(lambda: node.height() > 0, 60, "the node")
        process.wait(node.height() + 1)
        process.kill()
    with server.connect("away") as connection:
        heights = connection.execute("select min(height), max(height), count(*) from bmw.blocks").fetchone()
    assert heights is not None and heights[0] == 1 and heights[1] == heights[2]
