"""A node for the wallet in this process: real HTTP over a real socket in a thread, which lies where a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.chain.genesis import genesis_to_json
from node.crypto.dev_keys import dev_key
from support.backend import SingleNode, serving
from support.chain import DAY_MS, Chain
from support.commands import PASSPHRASE, Done, import_dev_keys, run

Lie = Callable[[Any], Any]


class WalletNode:
    """`lies`: start of a path to a function that changes the JSON of answers. `produce` and `do` run in the thread."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.lies: dict[str, Lie] = {}
        self.submitted = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30), "the node listens"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def run(self, action: Callable[[], None]) -> None:
        """Run it in the thread of the node, between two requests."""

        async def running() -> None:
            action()

        asyncio.run_coroutine_threadsafe(running(), self._loop).result(60)

    async def _serve(self) -> None:
        async with serving(SingleNode(self.chain)) as (node, _, http):

            async def passed(request: web.Request) -> web.Response:
                headers = {k: v for k, v in request.headers.items() if k in ("Accept", "Content-Type")}
                body = await request.read()
                self.submitted += request.method == "POST" and request.path == "/v1/transactions"
                async with http.request(request.method, request.path_qs, data=body or None, headers=headers) as answer:
                    raw, kind = await answer.read(), answer.headers["Content-Type"]
                    for start, lie in self.lies.items():
                        if request.path.startswith(start) and "json" in kind:
                            raw = json.dumps(lie(json.loads(raw))).encode()
                    return web.Response(status=answer.status, body=raw, headers={"Content-Type": kind})

            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", passed)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = site.name if not site.name.endswith(":0") else f"http://127.0.0.1:{runner.addresses[0][1]}"
            making = asyncio.create_task(node.produce_for_ever(0.02))
            self._ready.set()
            await self._stop.wait()
            making.cancel()
            await runner.cleanup()


def recent_chain() -> Chain:
    """A chain whose head is of the last minute."""
    now = time.time_ns() // 1_000_000
    chain = Chain(build_genesis("bmw-test", now - 2 * DAY_MS, DEV_PARTIES, dev_key, tree_depth=6))
    chain.now = now - 30_000
    return chain


class HomeWallet:
    """`bmw-wallet` with a home of its own, in this process."""

    def __init__(self, home: Path, node: WalletNode) -> None:
        (home / "genesis.json").write_text(genesis_to_json(node.chain.genesis))
        self.settings = {
            "BMW_WALLET_HOME": str(home / "wallet"), "BMW_WALLET_GENESIS": str(home / "genesis.json"),
            "BMW_WALLET_NODE": node.url, "BMW_WALLET_PASSPHRASE": PASSPHRASE,
        }  # fmt: skip

    def __call__(self, *arguments: str | Path, **environment: str) -> Done:
        return run("bmw-wallet", *arguments, **self.settings | environment)

    def on_a_terminal(self, *arguments: str, question: str, answer: str) -> tuple[int, str]:
        """(exit code, what is on the screen) of the real program, which a person answers."""
        person, terminal = os.openpty()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BMW_")} | self.settings
        program = Path(sys.executable).with_name("bmw-wallet")
        with subprocess.Popen(
            [program, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
        ) as process:
            os.close(terminal)
            shown = b""
            with contextlib.suppress(OSError):  # the terminal is gone when the program has ended
                while part := os.read(person, 4096):
                    shown += part
                    if question.encode() in shown and answer:
                        os.write(person, f"{answer}\n".encode())
                        answer = ""
            code = process.wait(30)
        os.close(person)
        return code, shown.decode()

    def has(self, *names: str) -> HomeWallet:
        import_dev_keys(Path(self.settings["BMW_WALLET_HOME"]), *names)
        return self


@contextlib.contextmanager
def wallet_node(chain: Chain) -> Iterator[WalletNode]:
    node = WalletNode(chain)
    node.start()
    try:
        yield node
    finally:
        node.stop()
