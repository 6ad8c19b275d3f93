"""A node writes its state tree down when it stops, and starts with it or without."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from support.processes import running_network, wait_height

from node.chain.genesis import genesis_to_json
from node.cli.local_network import genesis_of

DEPTH = 5
"""So few buckets that most have entries."""


@pytest.mark.network
def test_a_node_goes_on_with_the_tree_it_wrote_and_with_a_damaged_one(tmp_path: Path) -> None:
    with running_network(tmp_path / "net", 1, start=False) as network:
        node = network.nodes[0]
        node.home.genesis.write_text(genesis_to_json(replace(genesis_of(1), tree_depth=DEPTH)))
        network.start()
        wait_height([node], 1)
        assert node.stop() == 0
        whole = node.home.tree_file.read_bytes()
        assert len(whole) == 32 + (32 << DEPTH)

        for content in (whole, whole[:32] + bytes(len(whole) - 32)):
            node.home.tree_file.write_bytes(content)
            network.start()
            wait_height([node], node.height() + 1)
            assert node.stop() == 0
            assert node.home.tree_file.read_bytes()[32:] != bytes(32 << DEPTH), "written anew"
        assert "error" not in node.log.read_text()

        node.home.tree_file.unlink()
        (node.home.tree_file / "in the way").mkdir(parents=True)
        network.start()
        wait_height([node], node.height() + 1)
        assert node.stop() == 0, "a tree that can't be written stops no node"
        assert "tree_file" in node.log.read_text()
        assert [] == list(node.home.tree_file.parent.glob("*.partial"))
