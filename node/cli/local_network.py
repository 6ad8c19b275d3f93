"""A network on this machine: one process for each validator, on loopback, with the public development keys."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from node.chain.dev_genesis import DEV_PARTIES, DEV_TIME_MS, Party, build_genesis, dev_genesis
from node.chain.genesis import Genesis, genesis_to_json, parse_genesis
from node.cli.init import write_home
from node.crypto.dev_keys import dev_key
from node.daemon.config import load_config
from node.daemon.home import KEY_NAMES, Home
from node.errors import Malformed, OperatorError

BASE_PORT = 26700
P2P_OFFSET = 100
READY_S = 60.0
STOP_S = 10.0


DAY_MS = 86_400_000


def start_of_day_ms(time_ms: int) -> int:
    """Midnight UTC: all networks that are made on one day have one genesis."""
    return time_ms - time_ms % DAY_MS


def genesis_of(validators: int, time_ms: int = DEV_TIME_MS) -> Genesis:
    """`dev_genesis` for four; for other counts the same parties, with fewer validators, or with more dealers."""
    if validators == 4:
        return dev_genesis(time_ms)
    voters = [party.name for party in DEV_PARTIES[: min(validators, 4)]]
    parties = [replace(party, power=10 * (party.name in voters)) for party in DEV_PARTIES]
    extra = [Party(f"dealer-{i}", "DE", (("dealer", ()),), 10) for i in range(5, validators + 1)]
    return build_genesis(f"bmw-dev-{validators}", time_ms, (*parties[:4], *extra, *parties[4:]), dev_key)


@dataclass
class LocalNode:
    """One home and, while it runs, its process, which ends when this process ends, however that happens."""

    name: str
    home: Home
    rpc_port: int
    p2p_port: int
    process: subprocess.Popen[bytes] | None = None
    _lifelines: list[int] = field(default_factory=list)
    """Our ends of the pipes that are the processes' standard inputs. The system closes them when we are killed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rpc_port}"

    @property
    def log(self) -> Path:
        return self.home.path / "node.log"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Start the process, without waiting until it answers."""
        if not self.is_running:
            self._cut()
        command = [sys.executable, "-m", "node.cli.node", "start", "--home", str(self.home.path), "--dev"]
        read_end, our_end = os.pipe()
        self._lifelines.append(our_end)
        try:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [*command, "--until-stdin-ends", *arguments],
                    stdin=read_end,
                    stdout=log,
                    stderr=log,
                    env=os.environ | (environment or {}),
                    start_new_session=True,
                )
        finally:
            os.close(read_end)

    def _cut(self) -> None:
        """Close the pipes of processes that have ended."""
        while self._lifelines:
            os.close(self._lifelines.pop())

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._cut()

    def stop(self) -> int:
        """Ask it to stop and wait; returns its exit code. A process that does not stop is killed."""
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
            self._cut()
            return code
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def get(self, path: str, timeout_s: float = 5.0) -> Any:
        """JSON of the node's HTTP interface. Raises `OSError` or `ValueError`."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()  # CPython 3.14 warns of one that is not
            raise

    def height(self) -> int:
        """Height of its head, -1 while it does not answer."""
        try:
            return int(self.get("/v1/status")["head"]["height"])
        except (OSError, ValueError, KeyError):
            return -1

    def is_ready(self) -> bool:
        try:
            self.get("/health/ready")
        except (OSError, ValueError):
            return False
        return True

    def log_tail(self, lines: int = 5) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def _kept_node(name: str, home: Home) -> LocalNode:
    """A node of an earlier run, on its ports of then. Raises `OperatorError`."""
    home.check()
    config = load_config(home.config, {}, {})
    return LocalNode(name, home, config.rpc.port, config.p2p.port)


class LocalNetwork:
    """Homes below one folder, made if they do not exist."""

    def __init__(
        self,
        folder: Path,
        validators: int,
        base_port: int | None = None,
        overrides: dict[str, Any] | None = None,
        *,
        genesis_ms: int = DEV_TIME_MS,
    ) -> None:
        """`base_port`: RPC of the first node. `overrides`: settings of every node by "section.key". `genesis_ms`: for a
        new network. A folder with homes keeps its genesis and its ports. Raises `OperatorError`."""
        self.folder = folder
        self.genesis_file = folder / "genesis.json"
        kept = self._kept_genesis() if self.genesis_file.exists() else None
        self.genesis = genesis_of(validators, kept.time_ms if kept else genesis_ms)
        names = [account.name for account in self.genesis.accounts if account.member and account.member.validator]
        self._other_ports = "choose other ports with --base-port"
        if kept is None:
            first = BASE_PORT if base_port is None else base_port
            self.nodes = [
                LocalNode(name, Home(folder / name), first + i, first + P2P_OFFSET + i) for i, name in enumerate(names)
            ]
            self._make(overrides or {})
            return
        if kept != self.genesis or Home(folder / names[0]).read_genesis() != self.genesis:
            raise self._another_network()
        self.nodes = [_kept_node(name, Home(folder / name)) for name in names]
        self._other_ports = "end what listens there, or name another folder with --dir"
        if base_port not in (None, self.nodes[0].rpc_port):
            raise OperatorError(
                f"{folder} has a network with RPC on port {self.nodes[0].rpc_port}, not on {base_port}: leave "
                "--base-port out, or name another folder with --dir"
            )

    def _kept_genesis(self) -> Genesis:
        try:
            return parse_genesis(self.genesis_file.read_bytes())
        except (Malformed, OSError):
            raise self._another_network() from None

    def _another_network(self) -> OperatorError:
        return OperatorError(f"{self.folder} has the homes of another network: name another folder with --dir")

    def _make(self, overrides: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not any(self.folder.iterdir()):  # in a folder with other files, git must still see those
            (self.folder / ".gitignore").write_text("*\n")
        for node in self.nodes:
            peers = [f"127.0.0.1:{other.p2p_port}" for other in self.nodes if other is not node]
            settings = {
                "node.moniker": node.name,
                "node.verify_workers": 0,
                "p2p.host": "127.0.0.1",
                "p2p.port": node.p2p_port,
                "p2p.peers": peers,
                "rpc.port": node.rpc_port,
            }
            keys = {purpose: dev_key(purpose, node.name) for purpose in KEY_NAMES}
            write_home(node.home.path, self.genesis, keys, settings | overrides)
        self.genesis_file.write_text(genesis_to_json(self.genesis))

    def check_ports(self) -> None:
        """Raises `OperatorError` where a port is in use."""
        for node in self.nodes:
            for port in (node.rpc_port, node.p2p_port):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", port))
                    except OSError:
                        raise OperatorError(f"port {port} is taken: {self._other_ports}") from None

    def start(self) -> None:
        """Start every process and wait until each one is ready. Raises `OperatorError` with the log's last lines."""
        for node in self.nodes:
            node.start()
        self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        deadline = time.monotonic() + timeout_s
        waiting = list(self.nodes)
        while waiting:
            for node in waiting:
                if not node.is_running or time.monotonic() > deadline:
                    raise OperatorError(f"{node.name} did not start; its log {node.log} ends:\n{node.log_tail()}")
            waiting = [node for node in waiting if not node.is_ready()]
            time.sleep(0.1)

    def stop(self) -> None:
        for node in self.nodes:
            if node.is_running and node.process is not None:
                node.process.send_signal(signal.SIGTERM)
        for node in self.nodes:
            node.stop()
