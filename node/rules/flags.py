"""Roles that governance grants to members, and a vehicle's stop-flags: their setters, clearers and effect."""

from typing import Final, Literal, NamedTuple

FlagName = Literal[
    "stolen", "lien", "court_hold", "unroadworthy", "recall_do_not_drive", "title_dispute", "odometer_investigation"
]
ROLES: Final[tuple[str, ...]] = (
    "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "bank", "payment_provider",
    "carrier", "dismantler", "identity_attestor", "arbiter",
)  # fmt: skip
"""Writers' roles. Buyers and owners are plain accounts; a validator is not a writer."""
OPERATIONS: Final = ("list", "offer", "accept", "handover", "transfer", "register_country")
"""The operations that a flag can block. `register_country` is registration in a country, export and import included."""


PROVISIONAL_BLOCKS: Final = ("handover", "transfer")
"""The operations that a provisional flag blocks, whatever its name."""


class FlagRule(NamedTuple):
    """Role names in `set_by` and `cleared_by`, any one of which suffices; operations in `blocks`."""

    set_by: tuple[str, ...]
    cleared_by: tuple[str, ...]
    blocks: tuple[str, ...]


FLAGS: Final[dict[FlagName, FlagRule]] = {
    "stolen": FlagRule(("police",), ("police",), OPERATIONS),
    # a financed car may be offered for sale; it does not change hands or leave before the bank has cleared the lien
    "lien": FlagRule(("bank",), ("bank",), ("handover", "transfer", "register_country")),
    # courts are no members: the registrar carries out their orders
    "court_hold": FlagRule(("registrar",), ("registrar",), OPERATIONS),
    # may be sold as a wreck or between dealers by transfer, not handed to a buyer to drive away
    "unroadworthy": FlagRule(("inspector", "police"), ("inspector",), ("handover", "register_country")),
    "recall_do_not_drive": FlagRule(("manufacturer", "registrar"), ("manufacturer", "workshop"), ("handover",)),
    "title_dispute": FlagRule(("arbiter", "registrar", "police"), ("arbiter",), OPERATIONS),
    # registration stays possible: the car is in use, and the reading concerns seller and buyer
    "odometer_investigation": FlagRule(
        ("inspector", "registrar", "police", "arbiter"), ("inspector", "arbiter"),
        ("list", "offer", "accept", "handover", "transfer"),
    ),
}  # fmt: skip
