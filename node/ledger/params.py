"""Chain parameters: one state value that governance changes, each parameter within a range fixed here."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger.family import Family, fixed_ident
from node.ledger.fields import OptionalHash
from node.limits import DAY_MS


class ChainParams(Value, tag=1, frozen=True):
    """Every parameter with its unit in the name, its range in the type and its default."""

    tx_lifetime_max_ms: Annotated[int, Meta(ge=60_000, le=limits.TX_LIFETIME_CAP_MS)] = limits.TX_LIFETIME_DEFAULT_MS
    block_bytes_max: Annotated[int, Meta(ge=128 * 1024, le=limits.BLOCK_BYTES_CAP)] = 2 * 1024 * 1024
    block_txs_max: Annotated[int, Meta(ge=1, le=limits.BLOCK_TXS_MAX)] = 2_000
    block_weight_max: Annotated[int, Meta(ge=10_000, le=10_000_000)] = 1_000_000
    timeout_cap_ms: Annotated[int, Meta(ge=2_000, le=600_000)] = 4_000
    evidence_age_max: Annotated[int, Meta(ge=10, le=10_000_000)] = 100_000
    proposal_lifetime_ms: Annotated[int, Meta(ge=60_000, le=90 * DAY_MS)] = 14 * DAY_MS
    weight_per_account_day: Annotated[int, Meta(ge=1_000, le=10**12)] = 500_000
    weight_per_sponsor_day: Annotated[int, Meta(ge=10_000, le=10**12)] = 100_000_000
    keys_per_account_day: Annotated[int, Meta(ge=10, le=100_000_000)] = 1_000
    keys_per_sponsor_day: Annotated[int, Meta(ge=10, le=100_000_000)] = 500_000
    odometer_fresh_ms: Annotated[int, Meta(ge=DAY_MS, le=366 * DAY_MS)] = 90 * DAY_MS
    listing_lifetime_max_ms: Annotated[int, Meta(ge=DAY_MS, le=366 * DAY_MS)] = 180 * DAY_MS
    offer_lifetime_max_ms: Annotated[int, Meta(ge=60_000, le=90 * DAY_MS)] = 30 * DAY_MS
    reservation_ms: Annotated[int, Meta(ge=DAY_MS, le=366 * DAY_MS)] = 60 * DAY_MS
    hold_max_ms: Annotated[int, Meta(ge=DAY_MS, le=90 * DAY_MS)] = 30 * DAY_MS
    relist_lock_ms: Annotated[int, Meta(ge=0, le=60 * DAY_MS)] = 14 * DAY_MS
    refund_ms: Annotated[int, Meta(ge=3 * DAY_MS, le=60 * DAY_MS)] = 14 * DAY_MS
    cancel_fee_max_permille: Annotated[int, Meta(ge=0, le=300)] = 150
    withdrawal_days: Annotated[int, Meta(ge=14, le=60)] = 14
    ruleset: Annotated[int, Meta(ge=1, le=10_000)] = 1
    next_ruleset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    next_ruleset_height: Annotated[int, Meta(ge=0, le=2**53)] = 0
    next_ruleset_hash: OptionalHash = b""

    def ruleset_at(self, height: int) -> int:
        """The number of the ruleset that judges the block at `height`, where these are the parameters before it."""
        return self.next_ruleset if self.next_ruleset and height >= self.next_ruleset_height else self.ruleset


PARAMS_ID: Final = "params"
CHAIN: Final = Family("chain", ChainParams, ident=fixed_ident(PARAMS_ID))
PARAMS_KEY: Final = CHAIN.key(PARAMS_ID)
SETTABLE: Final = tuple(f for f in ChainParams.__struct_fields__ if not f.startswith(("ruleset", "next_ruleset")))
