"""The whole HTTP interface of a node, served."""

from __future__ import annotations

from node.rpc.app import RPC, make_app
from node.rpc.backend import Backend
from node.rpc.config import RpcConfig
from node.rpc.listener import Listener


class RpcServer(Listener):
    """The interface over a backend."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        super().__init__(config, lambda: backend.reader().height())
        self._backend = backend

    async def start(self) -> None:
        """Raises `OperatorError` naming the mend where the certificate or the port can't be used."""
        app = make_app(self._backend, self._config)
        await self.listen(app)
        app[RPC].certificate = self.certificate

    async def stop(self) -> None:
        """Streams end with a reason, open requests get `stop_s`, then everything is closed."""
        if self._runner is not None:
            self.app[RPC].streams.stopping.set()
        await super().stop()
