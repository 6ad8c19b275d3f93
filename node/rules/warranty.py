"""Warranties: groups of parts that they cover, and reasons for rejecting a claim. Our decision."""

from typing import Final

WARRANTY_GROUPS: Final = ("complete", "powertrain", "hv_battery", "corrosion", "paint", "emission", "mobility")
"""Groups of parts that a warranty covers. `complete` covers everything except parts that wear by their nature."""
WARRANTY_OUTCOMES: Final = ("approved", "partly", "rejected")
"""Outcomes of a claim. `partly`: the provider pays a share of the cost."""
WARRANTY_REASONS: Final = (
    "wear", "misuse", "missing_service", "modified", "out_of_term", "accident", "odometer", "not_reproducible",
)  # fmt: skip
"""Reasons for rejecting a claim."""
