"""What an operator is told of its validator's key and of an upgrade that is due."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.kept_state import never_signed
from support.stages import force

from node.crypto.dev_keys import dev_key
from node.daemon.signing_status import SigningStatus
from node.ledger.params import CHAIN
from node.replica import events as e
from node.replica.doppelganger import LISTEN_MS
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner


def duty_of(chain: Chain, key: str = "", *, account: str = "bmw") -> SigningStatus:
    """Of bmw's home, past its listening, with the consensus key of `key`."""
    signer = None
    if key:
        private = dev_key("consensus", key)
        signer = LocalSigner(address("bmw"), private, never_signed(private.public), chain.genesis_hash)
    replica = Replica(chain.store, signer, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    replica.handle(e.PeerConnected(1, bytes(32)), chain.now)
    replica.handle(e.Tick(), chain.now + LISTEN_MS)
    return SigningStatus(chain.store, replica, None, address("bmw") if key else b"", address(account))


def told(signing_status: SigningStatus, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.clear()
    signing_status.tell()
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("key", "account", "signing", "is_validator"),
    [
        ("bmw", "bmw", "signing", True),
        ("", "bmw", "no_key", True),
        ("", "buyer-1", "not_a_validator", False),
        ("buyer-1", "bmw", "another_key", True),
    ],
)
def test_a_missing_or_rotated_key_is_told_once(
    key: str, account: str, signing: str, is_validator: bool, caplog: pytest.LogCaptureFixture
) -> None:
    signing_status = duty_of(Chain(), key, account=account)
    assert (signing, is_validator) == (signing_status.signing(), signing_status.is_validator())
    first, again = told(signing_status, caplog), told(signing_status, caplog)
    assert (["consensus_key"] if signing in ("no_key", "another_key") else []) == first
    assert [] == again


def test_a_halted_node_does_not_say_that_it_signs() -> None:
    signing_status = duty_of(Chain(), "bmw")
    signing_status._replica.halted = "a block was decided that does not hold here"
    assert "halted" == signing_status.signing()


def test_an_upgrade_is_told_before_its_height(caplog: pytest.LogCaptureFixture) -> None:
    chain = Chain()
    params = chain.store.head().params
    force(chain, CHAIN, "params", replace(params, next_ruleset=9, next_ruleset_height=50))
    chain.produce()
    signing_status = duty_of(chain, "bmw")
    assert 50 == signing_status.upgrade_height()
    assert ["upgrade_needed"] == told(signing_status, caplog)
    assert [] == told(signing_status, caplog)
    assert 0 == duty_of(Chain(), "bmw").upgrade_height()
