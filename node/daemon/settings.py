"""Settings of the HTTP interface and of the network, from those of the node."""

from __future__ import annotations

from node.daemon.config import Config
from node.daemon.file_limits import connections_within, raised_limit
from node.daemon.home import Home
from node.log import log
from node.p2p.network import NetworkConfig
from node.rpc.config import RpcConfig

MONIKER_MAX = 40


def rpc_config(config: Config) -> RpcConfig:
    rpc = config.rpc
    return RpcConfig(
        host=rpc.host,
        port=rpc.port,
        tls_certificate=rpc.tls_certificate,
        tls_key=rpc.tls_key,
        body_bytes_max=rpc.body_bytes_max,
        requests_per_second=float(rpc.requests_per_second),
        request_burst=rpc.request_burst,
        header_bytes_max=rpc.header_bytes_max,
        headers_max=rpc.headers_max,
        connections_max=connections_within(raised_limit(), rpc.connections_max),
        connections_per_address_max=rpc.connections_per_address,
        is_loopback_limited=rpc.limit_loopback,
        streams_max=rpc.streams_max,
        streams_per_address_max=rpc.streams_per_address,
        cors_origins=rpc.cors_origins,
        witnesses=rpc.witnesses,
    )


def warn_of_few_descriptors(config: Config) -> None:
    limit, wanted = raised_limit(), config.rpc.connections_max
    allowed = connections_within(limit, wanted)
    if allowed < wanted:
        log("few_descriptors", "warning", {"open_files": limit, "rpc_connections": allowed, "wanted": wanted})


def network_config(config: Config, home: Home) -> NetworkConfig:
    p2p = config.p2p
    moniker = config.node.moniker or home.path.name.lower()
    name = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in moniker)[:MONIKER_MAX]
    return NetworkConfig(p2p.host, p2p.port, p2p.peers, name, p2p.members_only, p2p.peers_max, p2p.exchange)
