"""The HTTP interface of a witness: `GET /v1/witness/{height}` and `/v1/witness/latest`, and its work in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from aiohttp import web

from node.audit.witness import Halted, NotSigned, Witness
from node.certificates.cosignature import PATH, Cosignature
from node.errors import OperatorError
from node.ledger.json_form import to_json
from node.log import log

FRESH_S: Final = 0.5
"""Time for which the newest co-signature is the answer to `latest` again, so that requests do not multiply."""
TRIES: Final = 4
RETRY_S: Final = 0.25
"""A height just above the head is looked for a second long: who asks may have it before the witness's nodes have."""
AHEAD_MAX: Final = 5
"""Heights above the newest one seen that are looked for again."""
WAITING_MAX: Final = 64
"""Requests that wait for a new co-signature. Above: 503."""
PROBLEM: Final = "application/problem+json"


class WitnessServer:
    """Serves one witness. All its work is done by one thread at a time."""

    def __init__(self, witness: Witness, host: str, port: int, interval_s: float) -> None:
        self._witness, self._host, self._port, self._interval_s = witness, host, port, interval_s
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._latest: tuple[float, Cosignature] | None = None
        self.halted = asyncio.Event()

    async def run(self, stopped: asyncio.Event) -> None:
        """Serve until `stopped`. Raises `OperatorError` where the port cannot be used."""
        app = web.Application()
        app.router.add_get(PATH + "{height}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(stopped.wait())
        try:
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                raise OperatorError(
                    f"{self._host}:{self._port} can't be listened on ({error.strerror}): name another with --listen"
                ) from None
            host, port = runner.addresses[0][:2]
            log("listening", "info", {"url": f"http://{host}:{port}"})
            await asyncio.wait({stop, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            self._witness.stop()
            for task in (work, stop):
                task.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)
            await runner.cleanup()

    async def _work(self) -> None:
        """Co-sign every hundredth height as the chain passes it, until the witness halts."""
        while not self.halted.is_set():
            try:
                await self._done(self._witness.advance_hundredths)
            except NotSigned as error:
                log("waiting", "info", {"why": str(error)})
            except Halted:
                continue
            await asyncio.sleep(self._interval_s)
        await asyncio.Event().wait()

    async def _done(self, work: Callable[[], Cosignature | None]) -> Cosignature | None:
        async with self._lock:
            try:
                return await asyncio.to_thread(work)
            except Halted:
                self.halted.set()
                raise

    async def _answer(self, request: web.Request) -> web.Response:
        text = request.match_info["height"]
        if text != "latest" and not (text.isascii() and text.isdecimal() and 0 < len(text) <= 16):
            return _problem(400, "malformed", f"{text[:40]!r}: a height or `latest` expected")
        if self._waiting >= WAITING_MAX:
            return _problem(503, "busy", "too many requests wait for a co-signature")
        self._waiting += 1
        try:
            found = await (self._newest() if text == "latest" else self._of(int(text)))
        except NotSigned as error:
            return _problem(404, error.code, str(error))
        except Halted as halted:
            return _problem(409, "halted", str(halted), evidence=halted.evidence)
        finally:
            self._waiting -= 1
        return web.json_response(to_json(found))

    async def _newest(self) -> Cosignature:
        loop = asyncio.get_running_loop()
        if not self.halted.is_set() and self._latest is not None and loop.time() - self._latest[0] < FRESH_S:
            return self._latest[1]
        found = await self._done(self._witness.advance)
        assert found is not None, "a head that is followed is signed"
        self._latest = loop.time(), found
        return found

    async def _of(self, height: int) -> Cosignature:
        self._witness.check_running()
        if (known := self._witness.signed(height)) is not None:
            return known
        tries = TRIES if height <= self._witness.seen_height() + AHEAD_MAX else 1
        for attempt in range(tries):
            try:
                found = await self._done(lambda: self._witness.sign(height))
                assert found is not None, "it is signed, or refused"
                return found
            except NotSigned:
                if attempt + 1 == tries:
                    raise
                await asyncio.sleep(RETRY_S)
        raise AssertionError("the last attempt returns or raises")


def _problem(status: int, code: str, detail: str, **members: object) -> web.Response:
    document = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code} | members
    return web.Response(body=json.dumps(document).encode(), status=status, content_type=PROBLEM)
