"""Recall campaigns: classes, and how each authority numbers them."""

from __future__ import annotations

from typing import Final

RECALL_CLASSES: Final = ("stop_drive", "park_outside", "safety", "compliance", "quality")
"""Classes of a recall, the gravest first. `quality` is a service campaign without a risk to safety."""

RECALL_AUTHORITIES: Final[dict[str, str]] = {
    # Germany. Seen: 08124 (reports on BMW's EGR recall); the older form with R is not confirmed
    "KBA": r"[0-9]{4,6}R?",
    # United States, 49 CFR 573. Seen in NHTSA's data: 21V554000 and 23V047000 (V vehicle, E equipment, T tyre, C child
    # seat). Written here without the closing 000, as some write it, so that a campaign has one number
    "NHTSA": r"[0-9]{2}[VETC][0-9]{3}",
    # China, GB/T 39061-2020. Seen: S2015M0002V (S safety, year, M motor vehicle, running number; V voluntary,
    # I influenced by an investigation, O ordered)
    "SAMR": r"S[0-9]{4}M[0-9]{4}[VIO]",
    # Great Britain: R/2019/123 with hyphens for slashes. Not confirmed
    "DVSA": r"R-[0-9]{4}-[0-9]{1,4}",
    # Netherlands. Seen in RDW's open data (referentiecode_rdw): MGP220252
    "RDW": r"MGP[0-9]{6}",
    # Canada: year and running number. Seen in Transport Canada's data: 2015321; in its notices with a hyphen: 2024-083
    "TC": r"[0-9]{7}",
    # Japan: number of the notification; F- for imported cars, where the Ministry writes a character. Not confirmed
    "MLIT": r"(F-)?[0-9]{3,5}",
}
"""Authority -> the form of its reference numbers, matched whole."""
