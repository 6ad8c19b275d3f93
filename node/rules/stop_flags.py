"""Stop-flags: who sets and lifts each, for how long, and what it blocks. The design's decision throughout."""

from typing import Final, NamedTuple

OPERATIONS: Final = (
    "list", "offer", "accept", "handover", "transfer", "register_country", "export", "rebuild", "scrap",
    "odometer_replace", "part_fit",
)  # fmt: skip
"""The operations that a flag can block. `part_fit` is the fitting of a part of this car to another."""
PROVISIONAL_BLOCKS: Final = ("handover", "transfer")
"""Operations that a provisional flag can block. It blocks those of them that the firm flag blocks."""

SIGNERS: Final = (
    # persons beside the roles of members
    "holder", "presenter",
    # acts of the chain
    "decision", "inspection", "recall",
    # what must be true of the member before it in the list
    "same_member", "same_country", "other_group",
)  # fmt: skip
"""Words in `set_by` and `cleared_by` beside roles. `decision`: a decision of arbiters. `inspection`: a passed
inspection that clears the car. `recall`: a campaign that names the car, `recall.done`, or the maker's removal of the
car. `same_member` and `same_country`: as the setter of the flag. `other_group`: no member of the other signer's
group."""

Signers = tuple[str, ...]
"""Roles and other words for those who sign together."""


class StopFlag(NamedTuple):
    """The rule of one stop-flag. Any one of `set_by` sets it firm, and any one of `cleared_by` lifts it. A single
    member of `provisional_by` sets it for `provisional_days`, then it lapses. `longest_days`: 0 for no end.
    `count_max`: of this flag on one car. `needs_until`: the setter names an end. `unless`: operation to the role whose
    signature permits it. `is_listed_if_disclosed`: a car can be listed if the listing discloses it. `is_renewable`: an
    account that could lift it may set it anew with a later end."""

    set_by: tuple[Signers, ...]
    cleared_by: tuple[Signers, ...]
    blocks: tuple[str, ...]
    provisional_by: tuple[str, ...] = ()
    provisional_days: int = 0
    longest_days: int = 0
    count_max: int = 1
    needs_until: bool = False
    unless: dict[str, str] = {}
    is_listed_if_disclosed: bool = False
    is_renewable: bool = False


STOP_FLAGS: Final[dict[str, StopFlag]] = {
    "stolen": StopFlag(
        set_by=(("police",),),
        cleared_by=(("police", "same_country"), ("police", "registrar")),
        blocks=OPERATIONS,
    ),
    # a financed car may be offered for sale; it does not change hands or leave before the bank is paid
    "lien": StopFlag(
        set_by=(("bank", "holder"),),
        cleared_by=(("bank", "same_member"), ("registrar",)),
        blocks=("handover", "transfer", "export", "scrap"),
        count_max=4,
        needs_until=True,
        unless={"handover": "bank", "transfer": "bank", "export": "bank"},
    ),
    # courts are no members: the registrar carries out their orders
    "court_hold": StopFlag(
        set_by=(("registrar",),),
        cleared_by=(("registrar", "same_country"),),
        blocks=OPERATIONS,
        longest_days=1_100,
        is_renewable=True,
    ),
    "unroadworthy": StopFlag(
        set_by=(("inspector", "presenter"), ("police",)),
        cleared_by=(("inspection",),),
        blocks=("handover", "register_country"),
        provisional_by=("inspector",),
        provisional_days=14,
        is_listed_if_disclosed=True,
    ),
    "recall_do_not_drive": StopFlag(
        set_by=(("recall",),),
        cleared_by=(("recall",),),
        blocks=("handover",),
    ),
    "title_dispute": StopFlag(
        set_by=(("registrar",), ("police",), ("decision",)),
        cleared_by=(("decision",), ("registrar",)),
        blocks=OPERATIONS,
        longest_days=180,
    ),
    # registration stays possible: the car is in use, and the reading concerns seller and buyer
    "odometer_investigation": StopFlag(
        set_by=(("registrar",), ("police",), ("decision",)),
        cleared_by=(("decision",), ("same_member",)),
        blocks=("list", "offer", "accept", "handover", "transfer"),
        provisional_by=("inspector",),
        provisional_days=30,
        longest_days=180,
    ),
    "identity_suspect": StopFlag(
        set_by=(("police",), ("registrar",)),
        cleared_by=(("police", "inspector", "other_group"),),
        blocks=OPERATIONS,
        provisional_by=("inspector",),
        provisional_days=14,
        longest_days=180,
        unless={"scrap": "police"},
    ),
}

FLAG_COOLDOWN_DAYS: Final = 180
"""The time in which a setter and its group cannot set another provisional flag on the same car."""
PROVISIONAL_FLAGS_MAX: Final = 5
"""The number of provisional flags that one member can have on all cars together."""
