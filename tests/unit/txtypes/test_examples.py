"""Every type's specimen is a transaction that a chain takes at its place, sent and signed as the specimen says."""

from __future__ import annotations

import pytest
from support.chain import address
from support.example_stages import placed
from support.life import VIN, km, maintenance
from support.specimens import specimen
from support.stages import at, signed

from node.crypto.dev_keys import dev_key
from node.ledger.example import resolved
from node.ledger.json_form import from_json
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.identity.account import AccountOpen
from node.txtypes.registry import TYPES


@pytest.mark.parametrize("tag", TYPES)
def test_a_specimen_is_valid_at_its_place(tag: str) -> None:
    life, body = placed(tag)
    example = TYPES[tag].EXAMPLE
    signers = [(address(name), dev_key("account", name)) for name in (example.sender, *example.cosigners)]
    raw = signed(life.chain, address(example.sender), body, *signers)
    assert [] == life.chain.unmet(raw)
    life.chain.produce(raw)


class Foreign:
    """Names of another run."""

    now_ms = 1_800_000_000_000

    def address_text(self, name: str) -> str:
        return f"<{name}>"

    def bytes_of(self, symbol: str) -> bytes:
        return symbol.encode()


def test_symbols_addresses_and_times_are_what_the_run_says() -> None:
    shown = resolved(TYPES["order.offer"], TYPES["order.offer"].EXAMPLE.body, Foreign())
    (leg,) = shown["terms"]["legs"]
    assert ("<payment-provider-1>", b"$listing".hex()) == (leg["provider"], shown["listing"])
    assert "2027-01-22T08:00:00.000Z" == shown["expires_at"]
    assert {"amount": "5290000", "currency": "EUR"} == shown["terms"]["price"]


def test_what_is_within_lists_options_structs_and_actions_is_resolved() -> None:
    listed = resolved(TYPES["listing.create"], TYPES["listing.create"].EXAMPLE.body, Foreign())
    assert ["<payment-provider-1>", "<bank-1>"] == listed["rails"][1]["providers"]
    served = resolved(TYPES["maintenance.record"], TYPES["maintenance.record"].EXAMPLE.body, Foreign())
    assert "2029-01-14T08:00:00.000Z" == served["next_due"]["at"]
    action = {"type": "role.grant", "member": "bmw", "role": "dealer", "wmis": [], "country": "", "starts_at": "now",
              "ends_at": ""}  # fmt: skip
    shown = resolved(GovernancePropose, {"action": action}, Foreign())["action"]
    assert ("<bmw>", "2027-01-15T08:00:00.000Z", None) == (shown["member"], shown["starts_at"], shown["ends_at"])
    opened = resolved(AccountOpen, AccountOpen.EXAMPLE.body, Foreign())
    assert [b"$key:alice".hex()] == opened["keys"]


def test_changes_stay_as_they_are() -> None:
    """A test may ask for what no decoder takes."""
    chain = at("born").chain
    assert -1 == maintenance(chain, odometer=km(-1)).odometer.value
    assert VIN.lower() == specimen("vehicle.register", vin=VIN.lower()).vin
    told = dict(TYPES["vehicle.register"].EXAMPLE.body) | {"produced_on": "2025-12-02"}
    assert from_json(TYPES["vehicle.register"], told) == specimen("vehicle.register")
