"""Governance while the network runs: a member is admitted, joins as the fifth validator, loses its power again."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from support.council import Council
from support.processes import Fleet, check_no_fork, running_network, wait_for, wait_height
from support.signing import sign_transaction

from node.chain.genesis import genesis_hash
from node.cli.init import write_home
from node.cli.local_network import LocalNetwork, LocalNode
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.txtypes.chain.actions import MemberAdmit, ParameterSet, RoleGrant, ValidatorSetPower
from node.txtypes.chain.validator_set import possession_bytes
from node.txtypes.identity.account import AccountOpen

pytestmark = pytest.mark.network


def test_a_fifth_validator_joins_a_running_network_and_leaves_it(tmp_path: Path) -> None:
    with running_network(tmp_path / "net") as network:
        ident = genesis_hash(network.genesis)
        council = Council(network)
        keys = {purpose: PrivateKey(secrets.token_bytes(32)) for purpose in ("consensus", "node", "account")}
        address = address_of(keys["account"].public)
        newcomer = _home(network, tmp_path / "newcomer", keys)
        newcomer.start("--p2p-port", str(newcomer.p2p_port), "--rpc-port", str(newcomer.rpc_port))
        try:
            wait_height([newcomer], 2)
            assert not newcomer.get("/v1/status")["validator"]
            opening = AccountOpen((keys["account"].public,), 1, b"")
            council.commit(network.nodes[0], _opened(council.fleet, opening, keys["account"], ident))
            council.carry(MemberAdmit(address, "dealer-tokyo", "JP"))
            council.carry(RoleGrant(address, "dealer", (), "", (), 0, 0))
            possession = keys["consensus"].sign(possession_bytes(ident, address, keys["consensus"].public))
            council.carry(ValidatorSetPower(address, 10, keys["consensus"].public, possession))
            everyone = [*network.nodes, newcomer]
            reached = max(node.height() for node in everyone)
            wait_for(lambda: newcomer.get("/v1/status")["signing"] == "signing", 20, "the newcomer signs")
            wait_for(lambda: _signed_since(network.nodes[0], reached, address), 30, "a commit with its signature")
            network.nodes[3].kill()  # four of five are more than two thirds
            reached = network.nodes[0].height()
            wait_height([*everyone[:3], newcomer], reached + 3)
            network.nodes[3].start()
            wait_height(everyone, reached + 3)
            council.carry(ParameterSet("block_txs_max", 500), votes=3)
            council.carry(ValidatorSetPower(address, 0, b"", b""), votes=3)
            validators = network.nodes[1].get("/v1/validators")["validators"]
            assert to_text(address) not in {entry["address"] for entry in validators}
            reached = max(node.height() for node in everyone)
            wait_height(everyone, reached + 2)
        finally:
            newcomer.kill()
        check_no_fork(network)


def _home(network: LocalNetwork, folder: Path, keys: dict[str, PrivateKey]) -> LocalNode:
    peers = [f"127.0.0.1:{network.nodes[0].p2p_port}"]  # the others are learned from it
    settings = {"node.moniker": "newcomer", "node.verify_workers": 0, "p2p.host": "127.0.0.1", "p2p.peers": peers,
                "consensus.block_interval_empty_ms": 1_000}  # fmt: skip
    home = write_home(folder, network.genesis, keys, settings)
    last = network.nodes[-1]
    return LocalNode("newcomer", home, last.rpc_port + 5, last.p2p_port + 5)


def _opened(fleet: Fleet, body: AccountOpen, key: PrivateKey, ident: bytes) -> bytes:
    """Signed by the sponsor and by the key that the account opens with."""
    sponsor = dev_key("account", "bmw")
    signers = [(address_of(sponsor.public), sponsor), (address_of(key.public), key)]
    return sign_transaction(signers[0][0], body, signers, ident, salt=7, expires_at_ms=fleet.expires_at_ms())


def _signed_since(node: LocalNode, height: int, address: bytes) -> bool:
    at = node.height()
    if at <= height:
        return False
    entries = [entry["address"] for entry in node.get(f"/v1/validators?height={at}")["validators"]]
    signatures = node.get(f"/v1/blocks/{at}")["commit"]["signatures"]
    return to_text(address) in entries and bool(signatures[entries.index(to_text(address))])
