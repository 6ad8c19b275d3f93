"""Sets of slots as bits are those of arrays of truth values."""

from __future__ import annotations

import numpy as np
import pytest

from web.read_model.bits import count_of, in_all, packed, slots_of


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1_000, 4_096])
@pytest.mark.parametrize("share", [0.0, 0.003, 0.3, 0.99, 1.0])
def test_sets_are_what_arrays_say(size: int, share: float) -> None:
    draw = np.random.default_rng(size + int(1_000 * share))
    one, other = draw.random(size) < share, draw.random(size) < 0.5
    assert np.flatnonzero(one).tolist() == slots_of(packed(one)).tolist()
    assert np.flatnonzero(one & other).tolist() == slots_of(in_all(packed(one), [packed(other)])).tolist()
    assert np.count_nonzero(one) == count_of(packed(one))
