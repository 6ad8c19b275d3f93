"""The pages of a network on this machine: one process of `bmw-node serve` over all its nodes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from node.cli.local_network import LocalNetwork

PAGES_OFFSET = 10
"""The pages' port is so far below the first node's."""
STOP_S = 5.0


class LocalPages:
    """Started after the network; ends when this process ends, however that happens."""

    def __init__(self, network: LocalNetwork) -> None:
        self._network = network
        self._port = network.nodes[0].rpc_port - PAGES_OFFSET
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    @property
    def url(self) -> str:
        """By the name `localhost`: browsers give it rights that they do not give 127.0.0.1."""
        return f"http://localhost:{self._port}"

    @property
    def log(self) -> Path:
        return self._network.folder / "pages.log"

    def start(self) -> bool:
        """False without the extra `web`."""
        if any(importlib.util.find_spec(name) is None for name in ("babel", "jinja2", "numpy")):
            return False
        nodes = [part for node in self._network.nodes for part in ("--node", node.url)]
        command = [sys.executable, "-m", "node.cli.node", "serve", "--home", str(self._network.folder / "pages"),
                   "--genesis", str(self._network.genesis_file), "--port", str(self._port), "--tier", "open",
                   "--until-stdin-ends", *nodes]  # fmt: skip
        read_end, self._lifeline = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, stdin=read_end, stdout=log, stderr=log, start_new_session=True
                )  # fmt: skip
        finally:
            os.close(read_end)
        return True

    def stop(self) -> None:
        if self._process is None:
            return
        os.close(self._lifeline)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
