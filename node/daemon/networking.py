"""From settings to a network: one place for the node and for what runs before it."""

from __future__ import annotations

from node.daemon.config import Config
from node.daemon.home import Home
from node.p2p.network import NetworkConfig

MONIKER_MAX = 40


def network_config(config: Config, home: Home) -> NetworkConfig:
    p2p = config.p2p
    moniker = config.node["moniker"] or home.path.name.lower()
    shown = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in moniker)[:MONIKER_MAX]
    return NetworkConfig(
        p2p["host"], p2p["port"], tuple(p2p["peers"]), shown, p2p["members_only"], p2p["peers_max"], p2p["exchange"]
    )
