"""What is answered while a node looks for a snapshot or fetches it: and who keeps others out meanwhile."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from support.backend import SingleNode
from support.certificates import a_certificate
from support.commands import process
from support.processes import free_base_port
from support.prometheus import prometheus

from node.chain.dev_genesis import dev_genesis
from node.cli.init import new_keys, write_home
from node.daemon import snapshot_sync
from node.daemon.bootstrap import bootstrap
from node.daemon.config import load_config
from node.daemon.home import Home
from node.daemon.snapshot_sync import Choice
from node.rpc.app import RpcServer, StartupServer, StartupStatus
from node.rpc.config import RpcConfig
from node.storage.store_dirs import repairing


def test_it_lives_is_not_ready_and_tells_how_far_it_is() -> None:
    status = StartupStatus(3)

    async def play() -> None:
        nonlocal status
        server = StartupServer(RpcConfig(port=0), lambda: status)
        await server.start()
        try:
            async with aiohttp.ClientSession(server.url) as http:
                async with http.get("/health/live") as answer:
                    assert {"live": True} == await answer.json()
                async with http.get("/health/ready") as answer:
                    problem = json.loads(await answer.read())
                    assert (503, "not_ready") == (answer.status, problem["code"])
                    assert ["the node looks for a snapshot, 3 peers are connected"] == problem["reasons"]
                status = StartupStatus(3, 900, 4, 16, 12.4)
                async with http.post("/v1/transactions", data=b"{}") as answer:
                    problem = json.loads(await answer.read())
                    assert (503, "syncing", "5") == (answer.status, problem["code"], answer.headers["Retry-After"])
                    assert {"height": 900, "chunk": 4, "of": 16} == problem["snapshot"]
                    assert "chunk 4 of 16, 12 s left" in problem["detail"]
                async with http.get("/metrics") as answer:
                    found = prometheus(await answer.text())
                    assert (900, 4, 16, 12.4) == tuple(
                        found[f"bmw_snapshot_{name}", ""] for name in ("height", "chunk", "chunks", "seconds_left")
                    )
        finally:
            await server.stop()

    asyncio.run(play())


def test_the_end_of_a_certificate_is_told_once_though_two_servers_use_it_in_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = a_certificate(tmp_path)  # it ends tomorrow
    config = RpcConfig(port=0, tls_certificate=certificate, tls_key=key)

    async def play() -> None:
        for server in (StartupServer(config, lambda: StartupStatus(0)), RpcServer(SingleNode(), config)):
            await server.start()
            await asyncio.sleep(0)  # the task that follows the certificate warns in its first step
            await server.stop()

    asyncio.run(play())
    assert 1 == caplog.text.count("certificate_ends")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Its one named peer is not there."""
    base = free_base_port()
    found = Home(tmp_path / "home")
    ports = {"p2p.host": "127.0.0.1", "p2p.port": base + 1, "rpc.port": base, "p2p.peers": [f"127.0.0.1:{base + 2}"]}
    write_home(found.path, dev_genesis(), new_keys(), ports)
    return found


def test_a_node_that_only_begins_answers_and_leaves_the_port_to_what_comes_then(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 300.0)
    config = load_config(home.config, {}, {})

    async def play() -> None:
        stopping = asyncio.Event()
        beginning = asyncio.create_task(bootstrap(home, config, Choice(), lambda: 2**40, stopping))
        status = f"http://127.0.0.1:{config.rpc.port}/v1/status"
        async with aiohttp.ClientSession() as http, asyncio.timeout(60):
            while True:
                try:
                    async with http.get(status) as answer:
                        problem = json.loads(await answer.read())
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.01)
            assert "syncing" == problem["code"]
            assert "0 peers are connected" in problem["detail"]
        stopping.set()
        assert 0 == await beginning
        after = StartupServer(RpcConfig(port=config.rpc.port), lambda: StartupStatus(0))
        await after.start()
        await after.stop()

    asyncio.run(play())


def test_a_second_start_of_a_home_that_begins_changes_nothing(home: Home) -> None:
    home.incoming.mkdir()
    with repairing(home.store):
        process("bmw-node", "start", "--home", home.path, "--dev").refused(3, "a starting node is at work")
    assert home.incoming.exists()
