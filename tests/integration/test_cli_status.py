"""`bmw-node status`, `peers` and `validators` show what any HTTP server answers, and obey none of it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from support.commands import run
from support.terminal import drawn, without_escapes

from node.cli.node import cli
from node.cli.status import PEER_COLUMNS

HOSTILE = "[red]x[/red]\x1b[2J\x9b2J\u202e\tz\ud800"


@contextlib.contextmanager
def answering(answer: Any) -> Iterator[str]:
    """The URL of a server that answers every request with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def on_terminal(command: str, url: str) -> str:
    return drawn(lambda: cli([command, "--node", url], standalone_mode=False), columns=200)


def test_a_peer_cannot_draw_on_the_terminal_of_who_lists_it() -> None:
    peer = dict.fromkeys(PEER_COLUMNS, "x") | {"moniker": HOSTILE, "height": 5, "is_outbound": True, "other": "y"}
    with answering({"peers": [peer, "no peer"]}) as url:
        seen, piped = on_terminal("peers", url), run("bmw-node", "peers", "--node", url).out
        assert "[red]x[/red]?[2J?2J??z?" in without_escapes(seen)
        assert not {"\x9b", "\u202e", "\ud800"} & set(seen) and "\x1b[2J" not in seen
        headings, row = (line.split("\t") for line in piped.splitlines())
        assert list(PEER_COLUMNS) == headings
        assert ["[red]x[/red]?[2J?2J??z?", "x", "5", "x", "yes", "x", "x", "x"] == row
        assert peer == run("bmw-node", "peers", "--node", url, "--json").json["peers"][0]


def test_a_status_of_any_form_is_shown() -> None:
    shown = {"halted": "disk\x1b[2J full", "head": {"height": 3, "more": {"deep": [1, None]}}, "syncing": True}
    with answering(shown) as url:
        rows = dict(line.split(None, 1) for line in run("bmw-node", "status", "--node", url).out.splitlines())
        assert {"halted": "disk?[2J full", "head.height": "3", "head.more.deep": "[1, None]", "syncing": "yes"} == rows
        assert "\x1b[2J" not in on_terminal("status", url)


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize("answer", [[], "x", None, 5, nested(300), {"peers": nested(20)}], ids=lambda a: str(a)[:9])
def test_what_is_no_object_is_no_node(answer: Any) -> None:
    with answering(answer) as url:
        for command in ("status", "peers", "validators"):
            run("bmw-node", command, "--node", url).refused(3, "does not answer as a node does")


def test_a_list_that_is_none_has_no_rows() -> None:
    with answering({"peers": 5, "validators": {"a": 1}}) as url:
        for command in ("peers", "validators"):
            done = run("bmw-node", command, "--node", url)
            assert (0, "", f"no {command}\n") == (done.code, done.out, done.err)
