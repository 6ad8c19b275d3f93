"""The admin socket of a running node: a Unix socket in its home that only its owner can open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from node.chain.genesis import Genesis, genesis_to_json
from node.daemon.debug_view import log_view, task_stacks, thread_stacks
from node.daemon.home import Home
from node.errors import OperatorError
from node.storage import schema
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore

COPY_BATCH_BYTES = 4 * 1024 * 1024


class AdminSocket:
    """Makes checkpoints and serves debug data. `describe`: the node's part of a debug bundle."""

    def __init__(
        self, home: Home, kv: LevelStore, genesis: Genesis, describe: Callable[[], dict[str, Any]] = dict
    ) -> None:
        self._home = home
        self._kv = kv
        self._genesis = genesis
        self._describe = describe
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/checkpoint", self._checkpoint)
        app.router.add_get("/debug", self._debug)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        path = self._home.admin_socket
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        if len(str(path)) > 100:
            return  # too long for a Unix socket; the node works without admin calls
        await web.UnixSite(self._runner, str(path)).start()
        path.chmod(0o600)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            with contextlib.suppress(FileNotFoundError):
                self._home.admin_socket.unlink()

    async def _checkpoint(self, request: web.Request) -> web.Response:
        try:
            target = Path(json.loads(await request.text())["dir"])
            written = await asyncio.to_thread(write_checkpoint, self._kv.snapshot(), self._genesis, target)
        except (OperatorError, OSError, ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(written)

    async def _debug(self, _: web.Request) -> web.Response:
        """Stacks come first: they are available even where the node can't describe itself."""
        answer: dict[str, Any] = {"threads": thread_stacks(), "tasks": task_stacks(), "log": log_view()}
        try:
            answer |= self._describe()
        except Exception as error:
            answer["failed"] = "".join(traceback.format_exception(error))
        return web.json_response(answer)


def write_checkpoint(snapshot: KeyValue, genesis: Genesis, target: Path) -> dict[str, Any]:
    """A consistent copy of the store as of the snapshot, with its genesis, without signing state.

    Raises `OperatorError` where the folder exists. An incomplete copy is removed.
    """
    temporary = target.with_name(target.name + ".partial")
    try:
        if target.exists():
            raise OperatorError(f"{target} exists already: name a new folder")
        if temporary.exists() and not (
            temporary.is_dir() and {path.name for path in temporary.iterdir()} <= {"store", "genesis.json"}
        ):
            raise OperatorError(f"{temporary} is in the way and is not an unfinished checkpoint: name a new folder")
    except BaseException:
        snapshot.close()
        raise
    shutil.rmtree(temporary, ignore_errors=True)
    entries = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = LevelStore(temporary / "store")
        try:
            batch: dict[bytes, bytes] = {}
            size = 0
            for key, value in snapshot.scan(b"\x00", b"\xff"):
                if key == schema.META_RUN:  # the copy is another store, see `lost_blocks`
                    continue
                batch[key] = value
                size += len(key) + len(value)
                entries += 1
                if size > COPY_BATCH_BYTES:
                    copy.write(batch, [])
                    batch, size = {}, 0
            copy.write(batch, [])
        finally:
            copy.close()
        (temporary / "genesis.json").write_text(genesis_to_json(genesis))
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        snapshot.close()
    return {"dir": str(target), "entries": entries}
