"""Byzantine behaviours by name. Twins have no class: see `twins.py`."""

from __future__ import annotations

from support.simulation.byzantine.amnesiac import Amnesiac
from support.simulation.byzantine.behaviour import Behaviour
from support.simulation.byzantine.equivocating_proposer import EquivocatingProposer
from support.simulation.byzantine.equivocating_voter import EquivocatingVoter
from support.simulation.byzantine.false_reproposer import FalseReproposer
from support.simulation.byzantine.flooder import Flooder
from support.simulation.byzantine.garbler import Garbler
from support.simulation.byzantine.invalid_proposer import InvalidProposer
from support.simulation.byzantine.mistimer import Mistimer
from support.simulation.byzantine.polka_hider import PolkaHider
from support.simulation.byzantine.self_accuser import SelfAccuser
from support.simulation.byzantine.slanderer import Slanderer
from support.simulation.byzantine.spammer import Spammer
from support.simulation.byzantine.stale_voter import StaleVoter
from support.simulation.byzantine.swapper import Swapper
from support.simulation.byzantine.withholder import Withholder

LIARS: dict[str, type[Behaviour]] = {
    liar.name: liar
    for liar in (
        EquivocatingVoter,
        EquivocatingProposer,
        Withholder,
        StaleVoter,
        InvalidProposer,
        Slanderer,
        Mistimer,
        FalseReproposer,
        Garbler,
        Amnesiac,
        Flooder,
        Spammer,
        SelfAccuser,
        Swapper,
        PolkaHider,
    )
}
