"""A PostgreSQL server of Debian's packages in a temporary folder, over a Unix socket alone; it can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from node.audit.postgres.statements import quoted
from node.audit.tables.model import TABLES
from support.processes import started, wait_for


def server_programs() -> Path | None:
    """The folder of `postgres` and `initdb`, of the newest version that is installed."""
    if found := shutil.which("postgres"):
        return Path(found).parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(folders, key=lambda path: int(path.parent.name), default=None)


class Server:
    """One cluster. The server refuses to run as root: then it runs as the user that Debian's package has made."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            self._as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"]
        command = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-U",
            "auditor",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run([*self._as_user, *command], check=True, capture_output=True, cwd=folder)
        self._process: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections. After a kill that may need several attempts, while the
        processes of the one before end."""

        def is_ready() -> bool:
            if self._process is None or self._process.poll() is not None:
                # What a process has written survives its kill; fsync is for the loss of power.
                settings = ["-c", "listen_addresses=", "-c", "fsync=off"]
                arguments = ["-D", self._folder / "data", "-k", self._folder, *settings]
                with (self._folder / "log").open("ab") as log:
                    self._process = started(
                        [*self._as_user, self._programs / "postgres", *arguments],
                        stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
                    )  # fmt: skip
            with contextlib.suppress(psycopg.OperationalError), self.connect("postgres"):
                return True
            return False

        wait_for(is_ready, 60, "a connection to the server")

    def kill(self) -> None:
        """As a power cut would: the server and all its processes, without a word."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self._folder}&user=auditor"

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self, name: str) -> str:
        """Its URL."""
        with self.connect("postgres") as connection:
            connection.execute(f"create database {quoted(name)}")
        return self.url(name)


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Skips the test where the server is not installed."""
    programs = server_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="bmw-pg-") as folder:  # pytest's own is closed to other users
        server = Server(Path(folder), programs)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def rows_in(connection: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every declared table, in order of its key."""
    found = {}
    for table in TABLES.values():
        texts = {column.name for column in table.columns if column.type == "text"}
        names = ", ".join(quoted(column.name) for column in table.columns)
        order = ", ".join(quoted(name) + (' collate "C"' if name in texts else "") for name in table.key)
        query = f"select {names} from bmw.{quoted(table.name)} order by {order}"
        found[table.name] = connection.execute(query).fetchall()
    return found


def as_selected(table: Any, values: list[Any]) -> tuple[Any, ...]:
    """A row's parameters as a query gives them back."""
    return tuple(
        json.loads(value) if column.type == "json" and value is not None else value
        for column, value in zip(table.columns, values, strict=True)
    )
