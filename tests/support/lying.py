"""A node that lies: a proxy over real sockets in front of an honest node, whose answers a test changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.chain.genesis import genesis_to_json
from node.crypto.dev_keys import dev_key
from node.txtypes.sale.deal import Tax
from support.backend import SingleNode, serving
from support.chain import DAY_MS, Chain
from support.commands import PASSPHRASE, Done, import_dev_keys, run
from support.life import Life, accident, maintenance
from support.specimens import specimen
from support.stages import fork

LOOKED_AT = ("/v1/status", "/v1/peers", "/metrics")
PASSED = ("Accept", "Content-Type", "Accept-Language", "Last-Event-ID")


class Answer(NamedTuple):
    """An answer that the honest node never gave."""

    status: int
    document: Any
    headers: dict[str, str] = {}


Lie = Callable[[str, Any], Any]
"""(path, JSON of the honest answer) to the JSON that is answered, or an `Answer`."""


@dataclass
class LyingNode:
    """`lie` changes every JSON answer, `swap` any other; `posted` has the bodies of all POST requests. `hangs`: whether
    a path is never answered. `asked`: how many requests have come, but for those by which nodes are watched."""

    chain: Chain
    url: str = ""
    lie: Lie = lambda path, document: document
    swap: Callable[[str, bytes], bytes] = lambda path, file: file
    posted: list[bytes] = field(default_factory=list)
    hangs: Callable[[str], bool] = lambda path: False
    asked: int = 0

    def __post_init__(self) -> None:
        self.honest = SingleNode(self.chain)

    async def serve(self, ready: Callable[[], None], stop: asyncio.Event, is_producing: bool) -> None:
        node = self.honest
        async with serving(node, wait_ms_max=1_000 if is_producing else 10) as (_, _, http):

            async def handler(request: web.Request) -> web.StreamResponse:
                body = await request.read()
                self.asked += request.path not in LOOKED_AT
                while self.hangs(request.path):
                    await asyncio.sleep(0.05)
                if request.method == "POST":
                    self.posted.append(body)
                headers = {name: request.headers[name] for name in PASSED if name in request.headers}
                async with http.request(request.method, request.path_qs, data=body or None, headers=headers) as honest:
                    if honest.content_type == "text/event-stream":
                        return await _streamed(request, honest)
                    status, raw, media_type = honest.status, await honest.read(), honest.content_type
                told_headers: dict[str, str] = {}
                if "json" in media_type:
                    told = self.lie(request.path, json.loads(raw))
                    status, told, told_headers = told if isinstance(told, Answer) else (status, told, told_headers)
                    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
                else:
                    raw = self.swap(request.path, raw)
                return web.Response(status=status, body=raw, content_type=media_type, headers=told_headers)

            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{tail:.*}", handler)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            producing = asyncio.create_task(node.produce_for_ever(0.01)) if is_producing else None
            ready()
            await stop.wait()
            if producing is not None:
                producing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await producing
            await runner.cleanup()


async def _streamed(request: web.Request, honest: aiohttp.ClientResponse) -> web.StreamResponse:
    """Events are passed on as they are."""
    response = web.StreamResponse(status=honest.status, headers={"Content-Type": honest.headers["Content-Type"]})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        async for chunk in honest.content.iter_any():
            await response.write(chunk)
    return response


@contextlib.contextmanager
def lying(chain: Chain, *, is_producing: bool = False) -> Iterator[LyingNode]:
    """A node over `chain` in a thread of its own, honest until a test sets `lie`. `is_producing`: it makes a block of
    whatever is pending; otherwise only the test may change the chain."""
    node, ready = LyingNode(chain), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(node.serve(ready.set, stop, is_producing)))
    thread.start()
    try:
        assert ready.wait(10)
        yield node
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


# --- a chain of today, and a wallet ------------------------------------------------------------------------
@cache
def _today() -> Life:
    genesis = build_genesis("bmw-test", time.time_ns() // 1_000_000 - DAY_MS, DEV_PARTIES, dev_key, tree_depth=6)
    life = Life(Chain(genesis)).to("handed_over")
    life.chain.do("workshop-berlin", maintenance(life.chain, 5_000))
    life.chain.do("workshop-berlin", accident(life.chain, 6_000, extent="structural"))
    return life


def today(*, on_sale: bool = False) -> Life:
    """A car's life on a chain whose head is of now, so that transactions of a wallet are valid on it. `on_sale`: its
    buyer has put it on sale since."""
    grown = _today()
    life = Life(fork(grown.chain), grown.listing, grown.order, grown.payment)
    if on_sale:
        private = specimen("listing.create", life.chain, contracts=("private",), tax=Tax("private", 0, 0))
        life.chain.do("buyer-1", private)
    life.chain.now = time.time_ns() // 1_000_000
    life.chain.produce()
    return life


@dataclass
class HomeWallet:
    """`bmw-wallet` with a home of its own."""

    home: Path
    node: str

    def __call__(self, *arguments: str | Path, **environment: str) -> Done:
        settings = {
            "BMW_WALLET_HOME": str(self.home), "BMW_WALLET_NODE": self.node, "BMW_WALLET_PASSPHRASE": PASSPHRASE,
            "BMW_WALLET_GENESIS": str(self.home / "chain.json"),
        }  # fmt: skip
        return run("bmw-wallet", *arguments, **settings | environment)


def wallet_home(folder: Path, names: tuple[str, ...]) -> Path:
    """A home with the development keys of `names`, quick to open, for the chain of `today`."""
    import_dev_keys(folder, *names)
    (folder / "chain.json").write_text(genesis_to_json(_today().chain.genesis))
    return folder


def copied(home: Path, target: Path) -> Path:
    shutil.copytree(home, target)
    return target


# --- JSON, place by place ----------------------------------------------------------------------------------
def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document, containers included."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def at_place(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def with_place(value: Any, path: tuple[Any, ...], item: Any) -> Any:
    """A copy of the document with another value at `path`."""
    if not path:
        return item
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = with_place(value[path[0]], path[1:], item)
    return changed
