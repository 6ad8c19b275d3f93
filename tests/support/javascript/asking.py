"""Questions to the modules of `web/js`, answered by Node.js or by a page in headless Chromium.

A question is a plain value with `ask` (see `answers.mjs`); an answer has `found`, or `code` of an
`InvalidCertificateFile`, or `fault`: any other exception, which no input may cause.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from support.client_tools import ROOT, node_js

FOLDER: Final = Path(__file__).parent
PAGE: Final = b'<!doctype html><script type="module" src="/tests/support/javascript/in_page.mjs"></script>'
ANSWER_S: Final = 300
"""Above this a browser or Node.js has failed."""
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip

Question = dict[str, Any]
Answer = dict[str, Any]


def chromium() -> str | None:
    """The path of Chromium; None where it is not installed."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


def ask_node(questions: Sequence[Question], *, without_ed25519: bool = False, node: str = "") -> list[Answer]:
    """The answers of Node.js, by default that of `scripts/client_tools`."""
    flags = ["--without-ed25519"] if without_ed25519 else []
    done = subprocess.run(
        [node or node_js(), "--no-warnings", str(FOLDER / "in_node.mjs"), *flags], input=_lines(questions),
        capture_output=True, text=True, check=True, timeout=ANSWER_S,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return _answers(done.stdout, len(questions))


def ask_chromium(questions: Sequence[Question], *, without_ed25519: bool = False) -> list[Answer]:
    """The answers of a page in headless Chromium, served from this process."""
    path, told, has_answered = chromium(), list[str](), Event()
    assert path is not None, "there is no Chromium here"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0]
            if name == "/":
                self.reply(PAGE, "text/html")
            elif name == "/questions":
                self.reply(_lines(questions).encode(), "text/plain")
            else:
                file = (ROOT / name.removeprefix("/")).resolve()
                is_served = file.suffix in (".js", ".mjs") and file.is_relative_to(ROOT) and file.is_file()
                self.reply(file.read_bytes() if is_served else b"", "text/javascript", 200 if is_served else 404)

        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.reply(b"", "text/plain")
            has_answered.set()

        def reply(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, tempfile.TemporaryDirectory() as home:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/{'?without-ed25519' if without_ed25519 else ''}"
        browser = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={home}", "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            assert has_answered.wait(ANSWER_S), "the page did not answer"
        finally:
            browser.terminate()
            browser.wait(30)
            server.shutdown()
    return _answers(told[0], len(questions))


def _lines(questions: Sequence[Question]) -> str:
    return "\n".join(json.dumps(question) for question in questions)


def _answers(text: str, count: int) -> list[Answer]:
    found = [json.loads(line) for line in text.splitlines()]
    assert len(found) == count, f"{len(found)} answers to {count} questions"
    return found
