"""Severity of damage: examples, and that worse is never milder."""

from __future__ import annotations

from itertools import product

import pytest

from node.rules.damage import CLASS_POINTS, DAMAGE_CLASSES, SEVERITIES, severity


@pytest.mark.parametrize(
    ("worst_class", "zones", "airbags", "hv_battery_hit", "drivable", "expected"),
    [
        ("cosmetic", 1, 0, False, True, "minor"),
        ("cosmetic", 12, 0, False, True, "minor"),  # hail
        ("bolt_on", 1, 0, False, True, "minor"),  # a bumper
        ("bolt_on", 1, 0, False, False, "moderate"),
        ("bolt_on", 3, 0, False, True, "moderate"),
        ("bolt_on", 2, 2, False, True, "severe"),
        ("structural", 1, 0, False, True, "severe"),
        ("cosmetic", 1, 0, True, True, "severe"),
        ("structural", 2, 2, False, False, "total_candidate"),
        ("structural", 1, 0, True, True, "total_candidate"),
    ],
)
def test_examples(
    worst_class: str, zones: int, airbags: int, hv_battery_hit: bool, drivable: bool, expected: str
) -> None:
    assert expected == severity(worst_class, zones, airbags, hv_battery_hit, drivable)


def test_worse_is_never_milder() -> None:
    def rank(case: tuple[int, int, int, bool, bool]) -> int:
        worst_class, zones, airbags, hit, stuck = case
        return SEVERITIES.index(severity(DAMAGE_CLASSES[worst_class], zones, airbags, hit, not stuck))

    for case in product(range(2), range(7), range(5), (False,), (False,)):
        for at in range(5):
            worse = (*case[:at], case[at] + 1 if at < 3 else True, *case[at + 1 :])
            assert rank(case) <= rank(worse), (case, worse)  # type: ignore[arg-type]


def test_unknown_classes_are_refused() -> None:
    assert set(DAMAGE_CLASSES) == set(CLASS_POINTS)
    with pytest.raises(KeyError):
        severity("scratched", 1, 0, False, True)
