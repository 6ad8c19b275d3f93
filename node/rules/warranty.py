"""Warranties: what they cover, and why a claim is rejected. Our decision."""

from typing import Final

WARRANTY_GROUPS: Final = ("complete", "powertrain", "hv_battery", "corrosion", "paint", "emission", "mobility")
"""What a warranty covers. `complete` covers everything that wears not by its nature."""
WARRANTY_OUTCOMES: Final = ("approved", "partly", "rejected")
"""What the provider decides on a claim. `partly`: a share of the cost."""
WARRANTY_REASONS: Final = (
    "wear", "misuse", "missing_service", "modified", "out_of_term", "accident", "odometer", "not_reproducible",
)  # fmt: skip
"""Why a claim is rejected."""
