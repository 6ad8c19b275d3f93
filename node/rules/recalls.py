"""Recall campaigns: classes, remedies, and how each authority numbers them."""

from __future__ import annotations

from typing import Final

RECALL_CLASSES: Final = ("stop_drive", "park_outside", "safety", "compliance", "quality")
"""From the gravest to the mildest. `quality` is a service campaign without a risk to safety."""

RECALL_AUTHORITIES: Final = {
    "KBA": r"[0-9]{4,6}R?",
    "NHTSA": r"[0-9]{2}[VEC][0-9]{3}",
    "SAMR": r"S[0-9]{4}M[0-9]{4}[VIZ]",
}
"""Authority to the form of its reference numbers: KBA (Germany), NHTSA (49 CFR 573, United States), SAMR (GB/T 39061,
China)."""
