"""Somebody who follows the documents: in one shell, on a network of its own."""

from __future__ import annotations

import re
from pathlib import Path

from support.commands import import_dev_keys
from support.documented import ROOT, Command, Shell, commands_of, missing_lines
from support.processes import free_base_port, wait_for


def ports(base: int) -> dict[str, str]:
    """The documents' ports, 26700 and the following and 26800 and the following, as those from `base` on."""
    return {f"26{offset}0{i}": str(base + (offset - 7) * 100 + i) for offset in (7, 8) for i in range(4)}


def field(output: str, name: str) -> str:
    """The value behind a name in what the wallet printed."""
    found = re.search(rf"^{name}\s+(\S+)$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]


class Reader:
    """Somebody who follows the documents on one development network."""

    def __init__(self, folder: Path) -> None:
        self.base = free_base_port()
        self.ports = ports(self.base)
        url = f"http://127.0.0.1:{self.base}"
        self.shell = Shell(folder, dict(self.ports), BMW_NODE_URL=url, BMW_WALLET_NODE=url)
        self.done: set[Command] = set()

    def command(self, document: str, start: str) -> Command:
        """The first command of the document that begins like this and was not run yet."""
        path = ROOT / document
        found = [c for c in commands_of(path) if c.text.startswith(start) and c not in self.done]
        assert found, f"{document} has no (further) command that begins with {start!r}"
        self.done.add(found[0])
        return found[0]

    def follow(self, document: str, start: str, *, code: int = 0, **changes: str) -> str:
        """Run the document's next command that begins with `start`; `changes`: its placeholders in this run."""
        command = self.command(document, start)
        earlier, self.shell.changes = self.shell.changes, self.shell.changes | changes
        try:
            return self.shell.follow(command, code=code)
        finally:
            self.shell.changes = earlier

    def import_dev_keys(self, *names: str) -> None:
        """Into the wallet of the shell; see `support.commands.import_dev_keys`."""
        ended, told = self.shell.run('echo "${BMW_WALLET_HOME:-$HOME/.bmw-wallet}" "$BMW_WALLET_PASSPHRASE"')
        home, passphrase = told.split()
        assert ended == 0
        import_dev_keys(Path(home), *names, passphrase=passphrase)

    def start(self, document: str, start: str) -> None:
        """Start the network in the background."""
        command = self.command(document, start)
        text = command.text.partition("&")[0] + f"--base-port {self.base} &"
        assert self.shell.run(text)[0] == 0
        self.wait_signing(*range(4))

    def wait_signing(self, *nodes: int) -> None:
        """Until these nodes sign, numbered from the first port."""
        for port in (self.base + node for node in nodes):  # `bmw-node status` would start a process at every look
            self.wait(f'curl -s http://127.0.0.1:{port}/v1/status | grep -E \'"signing": ?"signing"\'')

    def wait(self, text: str) -> None:
        wait_for(lambda: self.shell.run(text)[0] == 0, 60, text)

    def wait_for_lines(self, document: str, start: str, log: str) -> None:
        """The command shows the end of a log: wait until the log has the lines that it prints."""
        command = self.command(document, start)
        path = Path(self.shell.run(f"realpath {log}")[1].strip())
        wait_for(lambda: missing_lines(command.printed, path.read_text(errors="replace")) == [], 60, command.text)
        assert self.shell.run(command.text)[0] == 0

    def set_ports(self, folder: str, ports: dict[str, str] | None = None) -> None:
        """Give the homes below a folder other ports than the documents': those of this run, or `ports`."""
        path = Path(self.shell.run(f"realpath {folder}")[1].strip())
        for config in path.glob("**/config.toml"):
            text = config.read_text()
            for documented, given in (self.ports if ports is None else ports).items():
                text = text.replace(f"# port = {documented}", f"port = {given}").replace(documented, given)
            config.write_text(text)
