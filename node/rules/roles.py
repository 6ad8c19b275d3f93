"""Roles that governance grants to members."""

from typing import Final

ROLES: Final[tuple[str, ...]] = (
    "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "bank", "payment_provider",
    "carrier", "dismantler", "identity_attestor", "arbiter",
)  # fmt: skip
"""Writers' roles. Buyers and owners are plain accounts; a validator is not a writer."""
