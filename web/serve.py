"""The process of the pages: a listener, the nodes behind it, and nothing that could sign."""

from __future__ import annotations

import asyncio
from pathlib import Path

from node.certificates.verifier import Root
from node.chain.genesis import Genesis, genesis_hash
from node.collector import settle_collector
from node.log import log
from node.rpc.config import RpcConfig
from node.rpc.limiter import Counted
from node.rpc.listener import Listener
from web.app import make_app
from web.asking import Site
from web.assets import Assets
from web.board.access import is_board_on
from web.board.gathering import Board
from web.directory import Directory
from web.nodes import Nodes
from web.picture_codes import Pictures
from web.read_model.model import ReadModel
from web.recent import RecentBlocks
from web.settings import WebSettings
from web.share import Share


async def serve(
    genesis: Genesis,
    root: Root,
    home: Path,
    settings: WebSettings,
    stopping: asyncio.Event,
    *,
    is_rebuilt: bool = False,
) -> None:
    """Serve until `stopping`. `root`: what readers' browsers verify from. `home`: the folder of the read model.
    `is_rebuilt`: its rows are read anew, while those that are there serve. Raises `OperatorError` if the TLS
    certificate or the port cannot be used."""
    ident = genesis_hash(genesis)
    pictures = Pictures()
    strangers = Share(settings.node_requests_max, settings.node_requests_per_second)
    nodes = Nodes(settings.nodes, ident, strangers, settings.node_seconds_max)
    recent, directory = RecentBlocks(nodes), Directory(nodes)
    model = ReadModel(genesis, home, nodes, settings, is_rebuilt=is_rebuilt)
    board = Board(nodes, recent, is_on=is_board_on(settings))
    streams = Counted(settings.streams_max, settings.streams_max, is_loopback_limited=False)
    site = Site(settings, nodes, Assets(root), genesis, ident, recent, directory, model, root, board, streams)
    listener = Listener(_listening(settings), lambda: nodes.height, "web")
    await nodes.start()
    try:
        await model.start()
        await board.start()
        settle_collector()  # rows and pages make no cycles
        await listener.listen(make_app(site, pictures))
        log("serving", "info", {"url": listener.url, "tier": settings.tier, "nodes": ", ".join(settings.nodes)})
        await stopping.wait()
    finally:
        await board.stop()
        await listener.stop()
        await model.stop()
        await nodes.stop()
        pictures.close()


def _listening(settings: WebSettings) -> RpcConfig:
    return RpcConfig(
        host=settings.host, port=settings.port, tls_certificate=settings.tls_certificate, tls_key=settings.tls_key,
        connections_max=settings.connections_max, connections_per_address_max=settings.connections_per_address,
        is_loopback_limited=settings.limit_loopback,
    )  # fmt: skip
