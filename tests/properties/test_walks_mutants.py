"""Each rule that never breaks sees the mutant that it is there for: a guard left out, or an effect that is wrong.

A mutant is a change of the node's own code. A walk over it breaks the rule within a few thousand steps; what other
rules would see of the same mutant is not looked at.
"""

from __future__ import annotations

import pytest
from support.never_breaks import CHECKS, STORED, Broken, Past
from support.sale_mutants import MUTANTS
from support.walk import Walk

STEPS, SEEDS = 1_500, (10, *range(8))


def walk_against(rule: str) -> None:
    """Raises `Broken` where a walk breaks the rule."""
    for seed in SEEDS:
        walk, past = Walk(seed, is_signed=False), Past()
        for block in walk.steps(STEPS):
            if not block.is_whole:
                past.note(block)
            if block.is_whole == (rule in STORED):
                CHECKS[rule](block, past, walk.chain.store)


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rule", MUTANTS)
def test_a_rule_sees_its_mutant(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[rule](monkeypatch)
    with pytest.raises(Broken):
        walk_against(rule)
