"""Carries out what the plan says: one method for the beginning and one for the end of each kind of fault."""

from __future__ import annotations

import contextlib
import resource
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.links import Condition, Links
from support.processes import NODES_MAX, wait_for

from chaos_network.plan import BEYOND, UNBARRED, Fault, tolerated
from chaos_network.traffic import Traffic
from chaos_network.watch import Watch, status_of_node
from node.cli.local_network import LocalNetwork, LocalNode
from node.crypto.signing import PrivateKey
from node.daemon.home import Home

STOP_BAR_S = 5.0
FLIP_BAR_S = 30.0
"""A flipped length makes the reader wait for bytes that come only with the next messages."""
FULL_S = 45.0
DISK_ROOM_BYTES = 48 * 1024
COPY_S = 40.0
SIGNING_S = 40.0
UNLIMITED = resource.RLIM_INFINITY
OPERATOR_EXIT = 3


@dataclass
class Hands:
    """`tell`: one line for each thing done."""

    network: LocalNetwork
    links: Links
    watch: Watch
    traffic: Traffic
    tell: Callable[[str], None]
    stop_times: list[float] = field(default_factory=list)
    flip_times: list[float] = field(default_factory=list)
    flips_wanted: int = 0
    forgotten: dict[int, float] = field(default_factory=dict)
    """Nodes whose journal was deleted, and when: what they had accepted before is nobody's promise any more."""
    pruned: set[int] = field(default_factory=set)
    """Nodes that may have begun from a snapshot: old blocks are not theirs."""
    was_full: set[int] = field(default_factory=set)
    copies: dict[Fault, LocalNode] = field(default_factory=dict)

    # --- one node ---
    def start(self, index: int, *arguments: str, environment: dict[str, str] | None = None) -> None:
        dials = [word for port in self.links.dialled_by(index) for word in ("--peer", f"127.0.0.1:{port}")]
        self.network.nodes[index].start(*dials, *arguments, environment=environment)
        self.watch.down.discard(index)

    def terminate(self, index: int) -> None:
        """SIGTERM; a process that is slow to stop, or says that something was wrong, is a violation."""
        node = self.network.nodes[index]
        self.watch.down.add(index)
        started = time.monotonic()
        code = node.stop()
        took = time.monotonic() - started
        self.stop_times.append(took)
        if code != 0 or took > STOP_BAR_S:
            self.watch.problem(f"{node.name} took {took:.1f} s to stop after SIGTERM and ended with {code}")

    def kill(self, nodes: tuple[int, ...]) -> None:
        """All at the same moment, as far as there is one."""
        self.watch.down |= set(nodes)
        for index in nodes:
            process = self.network.nodes[index].process
            if process is not None:
                process.kill()
        for index in nodes:
            self.network.nodes[index].kill()

    def signal(self, nodes: tuple[int, ...], number: signal.Signals) -> None:
        for index in nodes:
            process = self.network.nodes[index].process
            if process is not None and self.network.nodes[index].is_running:
                process.send_signal(number)

    # --- a fault ---
    def begin(self, fault: Fault) -> None:
        names = " and ".join(self.network.nodes[i].name for i in fault.nodes)
        detail = f" ({', '.join(map(str, fault.detail))})" if fault.detail else ""
        length = f" for {fault.seconds:.1f} s" if fault.seconds else ""
        self.tell(f"{fault.kind}{detail}: {names}{length}")
        match fault.kind:
            case "kill" | "kill_many":
                self.kill(fault.nodes)
            case "stop" | "stop_many":
                self.signal(fault.nodes, signal.SIGSTOP)
            case "restart":
                self.terminate(fault.nodes[0])
            case "isolate":
                self.links.put(self.links.of(fault.nodes[0]), fault, Condition(is_cut=True))
            case "silence":
                self.links.put(self.links.of(fault.nodes[0]), fault, Condition(is_silent=True))
            case "cut":
                self.links.put([self.links.between(*fault.nodes)], fault, Condition(is_cut=True))
            case "split":
                self.links.put(self.links.across(fault.nodes), fault, Condition(is_cut=True))
            case "slow":
                latency_ms, rate = (int(value) for value in fault.detail)
                condition = Condition(latency_s=latency_ms / 1000, bytes_per_s=rate)
                self.links.put(self.links.of(fault.nodes[0]), fault, condition)
            case "flip":
                self.flips_wanted += 1
                self.links.flip(self.links.between(*fault.nodes))
            case "full_disk":
                self._fill_disk(fault.nodes[0])
            case "wipe_store" | "wipe_data":
                self._wipe(fault)
            case "clock":
                self.terminate(fault.nodes[0])
                self.start(fault.nodes[0], environment={"BMW_NODE_NODE_CLOCK_OFFSET_MS": str(fault.detail[0])})
            case "copy":
                self._copy(fault)
            case _:
                raise AssertionError(f"nobody knows how to do {fault.kind}")

    def end(self, fault: Fault, *, is_single: bool) -> None:
        names = " and ".join(self.network.nodes[i].name for i in fault.nodes)
        match fault.kind:
            case "kill" | "kill_many" | "restart":
                self.tell(f"started again: {names}")
                for index in fault.nodes:
                    self.start(index)
            case "stop" | "stop_many":
                self.tell(f"goes on: {names}")
                self.signal(fault.nodes, signal.SIGCONT)
            case "isolate" | "silence" | "cut" | "split" | "slow":
                self.tell(f"healed, {fault.kind}: {names}")
                self.links.lift(fault)
            case "full_disk":
                self._make_room(fault.nodes[0])
            case "clock":
                self.tell(f"restarted with the right clock: {names}")
                self.terminate(fault.nodes[0])
                self.start(fault.nodes[0])
            case "copy":
                self._end_copy(fault)
        if fault.kind not in UNBARRED:
            nodes = tuple(range(len(self.network.nodes))) if self._is_beyond(fault) else fault.nodes
            self.watch.healed(fault.kind, nodes, is_single)

    def _is_beyond(self, fault: Fault) -> bool:
        return fault.kind in BEYOND or tolerated(len(self.network.nodes)) == 0

    # --- full disk: the limit on the size of its files stands for it, and comes while the process runs ---
    def _fill_disk(self, index: int) -> None:
        node = self.network.nodes[index]
        self.watch.down.add(index)
        self.was_full.add(index)
        assert node.process is not None, "it has been started"
        room = node.log.stat().st_size + DISK_ROOM_BYTES
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (room, UNLIMITED))

    def _make_room(self, index: int) -> None:
        node = self.network.nodes[index]
        took = wait_for(lambda: not node.is_running, FULL_S, f"{node.name} stops on a full disk")
        assert node.process is not None, "it has been started"
        code, last = node.process.returncode, node.log_tail(1)
        self.tell(f"the disk was full, {node.name} stopped with {code} (waited {took:.1f} s): {last[:150]}")
        if code != OPERATOR_EXIT or "disk" not in last or not last.startswith("Error: "):
            self.watch.problem(f"{node.name} on a full disk ended with {code}, not with a clear word: {last}")
        self.start(index)

    # --- wipe and rejoin ---
    def _wipe(self, fault: Fault) -> None:
        index = fault.nodes[0]
        self._wait_signing(besides=index)
        home = self.network.nodes[index].home
        self.kill(fault.nodes)
        if fault.kind == "wipe_data":
            shutil.rmtree(home.path / "data")
            (home.path / "data").mkdir(mode=0o700)
            self.forgotten[index] = time.monotonic()
        else:
            shutil.rmtree(home.store)
            shutil.rmtree(home.snapshots, ignore_errors=True)
        if fault.detail[0] == "snapshot":
            self.pruned.add(index)
            self.start(index, "--accept-old-root")
        else:
            self.pruned.discard(index)
            self.start(index)

    def _wait_signing(self, besides: int = -1) -> None:
        """Everyone else must be whole before one forgets what it signed: two at once is an operator's case."""

        def is_signing(node: LocalNode) -> bool:
            status = status_of_node(node)
            return status is not None and status["signing"] == "signing"

        others = [node for i, node in enumerate(self.network.nodes) if i != besides]
        wait_for(lambda: all(map(is_signing, others)), SIGNING_S, "the others sign")

    # --- a second copy ---
    def _copy(self, fault: Fault) -> None:
        self._wait_signing()
        original = self.network.nodes[fault.nodes[0]]
        folder = self.network.folder / f"copy-{len(self.copies)}"
        shutil.copytree(original.home.path / "keys", folder / "keys")
        for path in (original.home.config, original.home.genesis):
            shutil.copy(path, folder / path.name)
        home = Home(folder)
        home.make()
        if fault.detail[0] == "with_signing_state":
            shutil.copy(original.home.hard_state, home.hard_state)
        elif fault.detail[0] == "other_node_key":
            home.key_file("node").unlink()
            home.write_key("node", PrivateKey(secrets.token_bytes(32)))
        shift = NODES_MAX - 1 - len(self.copies) - fault.nodes[0]
        copy = LocalNode("copy", home, original.rpc_port + shift, original.p2p_port + shift)
        self.copies[fault] = copy
        others = [node for node in self.network.nodes if node is not original]
        dials = [word for node in others for word in ("--peer", f"127.0.0.1:{node.p2p_port}")]
        copy.start("--rpc-port", str(copy.rpc_port), "--p2p-port", str(copy.p2p_port), *dials)

    def _end_copy(self, fault: Fault) -> None:
        copy, original = self.copies[fault], self.network.nodes[fault.nodes[0]]

        def signing(node: LocalNode) -> str:
            status = status_of_node(node)
            return "" if status is None else str(status["signing"])

        try:
            # with the node key too nobody takes it in, and it listens on; else it hears the original, and stops
            ends = ("stopped",) if fault.detail[0] == "other_node_key" else ("stopped", "listening")
            wait_for(lambda: signing(copy).startswith(ends), COPY_S, "the copy signs nothing")
            self.tell(f"the copy of {original.name}: {signing(copy)}")
            if (found := signing(original)) != "signing":
                self.watch.problem(f"{original.name} does not sign since its copy was started: {found}")
        finally:
            copy.kill()

    # --- afterwards ---
    def heal_all(self) -> None:
        """Whatever is still wrong is put right."""
        for link in self.links.all:
            for key in list(link.conditions):
                self.links.lift(key)
        for copy in self.copies.values():
            copy.kill()
        for index, node in enumerate(self.network.nodes):
            self.signal((index,), signal.SIGCONT)
            if not node.is_running:
                self.start(index)
        self._check_flips()

    def _check_flips(self) -> None:
        """Every bit that was to be flipped has been, and every connection that carried one has been closed."""
        deadline = time.monotonic() + FLIP_BAR_S
        while (idle := [link for link in self.links.all if link.wants_flip]) and time.monotonic() < deadline:
            time.sleep(0.1)
        for link in idle:
            names = " and ".join(self.network.nodes[i].name for i in link.ends)
            self.watch.problem(f"nothing passed between {names} for {FLIP_BAR_S:.0f} s, though the link is healed")
        pairs = [(link, pair) for link in self.links.all for pair in link.flipped]
        if not self.flips_wanted and pairs:
            self.watch.problem("a bit was flipped that nobody asked for")
        for link, pair in pairs:
            with contextlib.suppress(AssertionError):
                wait_for(lambda pair=pair: bool(pair.closed_at), FLIP_BAR_S, "the link closes")
            if not pair.closed_at:
                names = " and ".join(self.network.nodes[i].name for i in link.ends)
                self.watch.problem(f"the link between {names} carried a flipped bit and was not closed")
            else:
                self.flip_times.append(pair.closed_at - pair.flipped_at)


def kill_all(network: LocalNetwork, copies: list[LocalNode]) -> None:
    """Whatever happened, no process is left; also none that is stopped."""
    for node in [*network.nodes, *copies]:
        node.kill()


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
