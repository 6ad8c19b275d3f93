"""A server of blocks as a node has them, over a real socket, which answers what a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.chain import Chain


@contextmanager
def serving(answer: Callable[[int], bytes], last: int, chain: Chain) -> Iterator[str]:
    """The address of a server of blocks."""
    head = {"height": last, "id": bytes(32).hex(), "state_root": bytes(32).hex()}
    status = json.dumps({"head": head, "genesis_hash": chain.genesis_hash.hex()}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = status if self.path == "/v1/status" else answer(int(self.path.rpartition("/")[2]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
