"""Two random networks of real processes, and what `scripts/chaos` is made of: plans, links, counting."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import shutil
import socket
import socketserver
import sys
import threading
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.chain import Chain
from support.links import Condition, Links
from support.memory_store import MemoryStore
from support.processes import (
    Fleet,
    Load,
    check_no_fork,
    running_network,
    status_of,
    submit_batch,
    wait_for,
    wait_height,
)

from node.chain.genesis import genesis_hash
from node.cli.init import write_home
from node.cli.local_network import LocalNetwork, LocalNode
from node.crypto.signing import PrivateKey
from node.daemon.tx_status import TxStatuses
from node.storage.journal import Journal

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from chaos_network import run, verdict  # noqa: E402
from chaos_network.plan import (  # noqa: E402
    ALONE,
    BEYOND,
    BEYOND_S_MAX,
    KIND,
    UNBARRED,
    VALIDATORS,
    draw,
    measured,
    tolerated,
)
from chaos_network.run import play, too_late  # noqa: E402
from chaos_network.soak import slope  # noqa: E402
from chaos_network.traffic import Accepted  # noqa: E402
from chaos_network.watch import WIPES, Recovery, Watch  # noqa: E402

SECONDS = 25.0
BAR_S = 30.0
"""To catch up and to sign: that it is quick is measured by `scripts/chaos`, on a machine that does nothing else."""

SNAPSHOTS = {
    "storage__snapshot_interval": 4,
    "storage__snapshot_gap": 6,
    "consensus__block_interval_min_ms": 50,
}


@pytest.mark.network
def test_a_network_lives_through_what_a_seed_draws(tmp_path: Path) -> None:
    """Five kinds of faults, of which some meet. `scripts/chaos` draws others for as long as one likes."""
    lines: list[str] = []
    outcome = play(draw(52, SECONDS), tmp_path / "net", lines.append, BAR_S)
    assert [] == outcome.violations, "\n".join(lines)
    assert outcome.height > 5
    assert outcome.fates.get("committed", 0) > 50
    assert sum(outcome.fates.values()) == outcome.accepted
    assert outcome.recoveries
    assert not (tmp_path / "net").exists()


# --- what it found ---------------------------------------------------------------------------------------
@pytest.mark.network
def test_a_validator_whose_signing_state_is_older_joins_from_a_snapshot(tmp_path: Path) -> None:
    """Its store is gone, its signing state is there, and the chain went on without it."""
    with running_network(tmp_path, **SNAPSHOTS) as network:
        others, victim = network.nodes[:3], network.nodes[3]
        with Load(others, genesis_hash(network.genesis)):
            wait_height(network.nodes, 4)
            victim.kill()
            gone_at = max(node.height() for node in others)
            wait_height(others, gone_at + 16, 60)
        shutil.rmtree(victim.home.store)
        shutil.rmtree(victim.home.snapshots, ignore_errors=True)
        victim.start("--accept-old-root")
        wait_height([victim], gone_at + 16, 30)
        assert "snapshot_used" in victim.log.read_text()
        wait_for(lambda: victim.get("/v1/status")["signing"] == "signing", 20, "it signs again")
        reached = victim.height()
        others[0].kill()  # now it is needed
        wait_height([*others[1:], victim], reached + 5, 40)
        others[0].start()
        wait_height(network.nodes, reached + 6, 30)


@pytest.mark.network
def test_a_node_that_is_no_validator_joins_from_a_snapshot(tmp_path: Path) -> None:
    with running_network(tmp_path / "net", **SNAPSHOTS) as network:
        with Load(network.nodes, genesis_hash(network.genesis)):
            wait_height(network.nodes, 14, 60)
        newcomer = newcomer_of(network, tmp_path / "newcomer")
        try:
            newcomer.start(
                "--p2p-port", str(newcomer.p2p_port), "--rpc-port", str(newcomer.rpc_port), "--accept-old-root"
            )
            wait_height([newcomer], 14, 30)
            assert "snapshot_used" in newcomer.log.read_text()
            assert "signing_state_lost" not in newcomer.log.read_text()
            assert not newcomer.get("/v1/status")["validator"]
        finally:
            newcomer.kill()
        check_no_fork(network)


@pytest.mark.network
def test_a_journal_that_cannot_grow_stops_the_node_though_no_block_comes(tmp_path: Path) -> None:
    """Two of four are away and proposals are small, so that nothing but the journal grows.

    The last word in the log is the clear one, and what was answered before is known when there is room again.
    """
    with running_network(tmp_path, consensus__build_txs_max=10) as network:
        victim = network.nodes[0]
        wait_height(network.nodes, 2)
        for node in network.nodes[2:]:
            node.kill()
        wait_for(lambda: len(victim.get("/v1/peers")["peers"]) == 1, 20, "the two are away")
        room = victim.log.stat().st_size + 64 * 1024
        resource.prlimit(victim.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        fleet, answered = Fleet(genesis_hash(network.genesis), "J"), set()
        for first in range(0, 4_000, 100):
            with contextlib.suppress(OSError, AssertionError):
                answered |= {result["txid"] for result in submit_batch(victim, fleet.births(100, first))}
            if not victim.is_running:
                break
        wait_for(lambda: not victim.is_running, 15, "it stops")
        assert 3 == victim.process.returncode
        last = victim.log_tail(1)
        assert last.startswith("Error: ") and "journal" in last and "make room" in last, victim.log_tail(8)
        victim.start()
        wait_for(victim.is_ready, 30, "there is room again")
        assert answered
        assert "unknown" not in {status_of(victim, txid) for txid in answered}


class SlowDisk(MemoryStore):
    """A write waits until it is let through, as on a disk that is busy."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.is_slow = False

    def write(self, puts, deletes, **options) -> None:
        if self.is_slow:
            self.begun.set()
            assert self.may_end.wait(10)
        super().write(puts, deletes, **options)


def test_a_transaction_is_known_while_its_fate_is_being_written() -> None:
    """Between the end of its time and the end of the write it must not be a stranger: that would be a 404."""
    txid, disk = b"t" * 32, SlowDisk()
    tx_statuses = TxStatuses(Journal(disk), Chain().store)

    async def live() -> list[str | None]:
        found = []

        def ask() -> None:
            tx_status = tx_statuses.tx_status(txid, 0, head_time_ms=2_000)
            found.append(tx_status and tx_status.status)

        await tx_statuses.accept({txid: (b"raw", 1_000)}, 0)
        ask()
        disk.is_slow = True
        settling = asyncio.create_task(tx_statuses.settle(2_000))
        assert await asyncio.to_thread(disk.begun.wait, 10)
        ask()
        disk.may_end.set()
        await settling
        ask()
        return found

    assert ["pending", "expired", "expired"] == asyncio.run(live())


def newcomer_of(network: LocalNetwork, folder: Path) -> LocalNode:
    """A home with keys of its own, as `bmw-node init` makes it."""
    keys = {purpose: PrivateKey(secrets.token_bytes(32)) for purpose in ("consensus", "node", "account")}
    settings = {
        "node.moniker": "newcomer",
        "node.verify_workers": 0,
        "p2p.host": "127.0.0.1",
        "p2p.peers": [f"127.0.0.1:{node.p2p_port}" for node in network.nodes],
        "storage.snapshot_gap": 6,
    }
    home = write_home(folder, network.genesis, keys, settings)
    last = network.nodes[-1]
    return LocalNode("newcomer", home, last.rpc_port + 5, last.p2p_port + 5)


# --- the judge can say no --------------------------------------------------------------------------------
@pytest.mark.network
def test_a_transaction_that_nobody_knows_is_told_unless_its_node_was_wiped(tmp_path: Path) -> None:
    with running_network(tmp_path, 1) as network:
        fleet = Fleet(genesis_hash(network.genesis))
        known = submit_batch(network.nodes[0], fleet.births(1))[0]["txid"]
        accepted = [Accepted(known, 0, 5.0), Accepted("00" * 32, 0, 5.0)]
        counts, problems = verdict.account(network, accepted, {}, 20)
        assert {"committed": 1, "unknown": 1} == counts
        assert 1 == len(problems) and "unknown" in problems[0] and "00" * 32 in problems[0]
        counts, problems = verdict.account(network, accepted, {0: 6.0}, 20)
        assert ({"committed": 1, "forgotten": 1}, []) == (counts, problems)
        assert verdict.account(network, accepted, {0: 4.0}, 20)[1]


@pytest.mark.network
def test_two_chains_of_one_genesis_are_a_fork_and_never_settle(tmp_path: Path) -> None:
    with running_network(tmp_path / "one", 1) as one:
        wait_height(one.nodes, 2)
        with running_network(tmp_path / "other", 1) as other:
            wait_height(other.nodes, 2)
            both = SimpleNamespace(nodes=[*one.nodes, *other.nodes])
            _, problems = verdict.compare_chains(both, set())
            assert any("fork at height 1" in problem for problem in problems)
            other.nodes[0].kill()
            assert "no answer" in verdict.settled(both.nodes, 1.0)


@pytest.mark.network
def test_a_process_that_ends_unasked_is_told(tmp_path: Path) -> None:
    with running_network(tmp_path, 1) as network, Watch(network.nodes) as watch:
        network.nodes[0].kill()
        wait_for(lambda: watch.problems, 10, "it is told")
        assert "ended by itself with -9" in watch.problems[0]


@pytest.mark.parametrize("kind", sorted(set(KIND) - set(UNBARRED)))
def test_after_every_kind_catching_up_and_signing_have_a_bar(kind: str) -> None:
    def told(caught_up_s: float, signing_s: float, *, is_single: bool = True, target: int = 0) -> int:
        return len(too_late(Recovery(kind, (0,), is_single, 0.0, target, caught_up_s, signing_s), 10.0))

    assert 0 == told(10.0, 10.0)
    assert 1 == told(9.0, 10.1), "it does not sign in time"
    assert 1 == told(9.0, -1.0), "it never signs"
    assert 2 == told(10.1, 10.1)
    assert 2 == told(-1.0, -1.0)
    assert 0 == told(-1.0, -1.0, is_single=False)
    assert (0 if kind in WIPES else 2) == told(29.0, 29.0, target=400), "only a lost store has blocks to replay"


def test_a_second_version_of_the_store_fails_every_run_until_its_upgrade_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [] == run.upgrade_is_missing()
    monkeypatch.setattr(run, "SCHEMA_VERSION", run.OLDEST_STORE + 1)
    assert 1 == len(run.upgrade_is_missing())


# --- plans ------------------------------------------------------------------------------------------------
def test_the_same_seed_draws_the_same_plan() -> None:
    assert [draw(seed, 60.0) for seed in range(50)] == [draw(seed, 60.0) for seed in range(50)]
    assert len({draw(seed, 60.0).faults for seed in range(50)}) == 50


def test_plans_hold_to_what_may_be_missing() -> None:
    """At no moment too many are away, but for a while and then nothing else is wrong; every kind is drawn."""
    plans = [draw(seed, 120.0) for seed in range(300)]
    assert set(KIND) == {fault.kind for plan in plans for fault in plan.faults}
    assert set(VALIDATORS) == {plan.validators for plan in plans}
    for plan in plans:
        impairing = [fault for fault in plan.faults if fault.impairs]
        for fault in impairing:
            assert plan.validators >= KIND[fault.kind].smallest
            meanwhile = [f for f in impairing if f.at_s <= fault.at_s < f.busy_until()]
            hit = [node for f in meanwhile for node in f.nodes]
            if len(hit) > tolerated(plan.validators):
                assert meanwhile == [fault]
                assert fault.seconds <= BEYOND_S_MAX or fault.kind == "copy"
            assert len(hit) == len(set(hit))
            assert len(meanwhile) == 1 or not {f.kind for f in meanwhile} & {*ALONE, *BEYOND}


def test_every_kind_that_has_a_bar_is_measured_alone() -> None:
    plan = measured(2)
    assert set(KIND) - set(UNBARRED) == {fault.kind for fault in plan.faults}
    assert all(one.end_s + 10 < next_one.at_s for one, next_one in pairwise(plan.faults))


# --- links ------------------------------------------------------------------------------------------------
class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, until the other side is gone."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(4096):
                self.request.sendall(data)


@pytest.fixture
def links():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as echo:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        port = echo.server_address[1]
        found = Links.of_all([port, port])
        yield found
        found.stop()
        echo.shutdown()


def dialled(links: Links) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", links.all[0].port))
    connection.settimeout(5)
    return connection


def test_a_cut_link_closes_and_takes_nobody_until_it_is_healed(links: Links) -> None:
    with dialled(links) as before:
        before.sendall(b"one")
        assert b"one" == before.recv(10)
        links.put(links.all, "cut", Condition(is_cut=True))
        assert b"" == before.recv(10)
    with dialled(links) as meanwhile:
        assert b"" == meanwhile.recv(10)
    links.lift("cut")
    with dialled(links) as after:
        after.sendall(b"two")
        assert b"two" == after.recv(10)


def test_a_silent_link_brings_what_was_sent_once_it_is_healed(links: Links) -> None:
    with dialled(links) as connection:
        connection.sendall(b"one")
        assert b"one" == connection.recv(10)
        links.put(links.all, "a", Condition(is_silent=True))
        links.put(links.all, "b", Condition(is_silent=True))
        connection.sendall(b"two")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(10)
        links.lift("a")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        links.lift("b")
        connection.settimeout(5)
        assert b"two" == connection.recv(10)


def test_a_slow_link_takes_its_latency_twice(links: Links) -> None:
    links.put(links.all, "slow", Condition(latency_s=0.15))
    with dialled(links) as connection:
        connection.sendall(b"there and back")
        took = wait_for(lambda: connection.recv(20) == b"there and back", 5, "the echo")
        assert took >= 0.3


def test_one_bit_is_flipped_once_and_the_connection_is_remembered(links: Links) -> None:
    with dialled(links) as connection:
        links.flip(links.all[0])
        connection.sendall(bytes(9))
        came = connection.recv(20)
        assert 1 == sum(byte.bit_count() for byte in came) and 9 == len(came)
        connection.sendall(bytes(9))
        assert bytes(9) == connection.recv(20)
        [pair] = links.all[0].flipped
        assert not pair.closed_at
    wait_for(lambda: pair.closed_at, 5, "it is seen that the connection is closed")


def test_the_slope_is_that_of_the_line_with_the_least_squares() -> None:
    assert 0.0 == slope([(1.0, 5.0)])
    assert abs(slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0) < 1e-9
    assert abs(slope([(0.0, 0.0), (1.0, 0.0), (2.0, 3.0)]) - 1.5) < 1e-9
