"""Governance of a running network: proposals through one node, votes through the others."""

from __future__ import annotations

from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork, LocalNode
from node.txtypes.chain.actions import Action
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from support.processes import Fleet, submit, wait_height

VOTERS = ("dealer-munich", "dealer-shanghai", "workshop-berlin")


class Council:
    """Every step is waited for on every node."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.fleet = Fleet(genesis_hash(network.genesis), "G")

    def commit(self, node: LocalNode, raw: bytes) -> bytes:
        status, answer = submit(node, raw, "?wait=commit&timeout_ms=20000")
        assert (200, "committed") == (status, answer.get("status")), answer
        wait_height(self.network.nodes, answer["height"])
        return bytes.fromhex(answer["txid"])

    def carry(self, action: Action, votes: int = 2) -> None:
        """Of four validators three carry a proposal, of five four: more than two thirds."""
        proposal = self.commit(self.network.nodes[0], self.fleet.sign("bmw", GovernancePropose(action)))
        for index, name in enumerate(VOTERS[:votes], 1):
            self.commit(self.network.nodes[index], self.fleet.sign(name, GovernanceVote(proposal, True)))
