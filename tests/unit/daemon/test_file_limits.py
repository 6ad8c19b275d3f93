"""HTTP never takes the descriptors that blocks and the signing state are written through."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from node.daemon.file_limits import LEAST, RESERVED, connections_within

CODE = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
from node.daemon.file_limits import raised_limit
print(raised_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize("hard", [256, 1_024])
def test_the_limit_is_lifted_as_far_as_the_system_grants(hard: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    said = subprocess.run([sys.executable, "-c", CODE.format(hard=hard)], capture_output=True, text=True, check=True)
    assert [hard] * 3 == [int(word) for word in said.stdout.split()]


def test_a_reserve_is_left_to_all_else() -> None:
    assert 2_000 == connections_within(65_536, 2_000)
    assert 1_024 - 204 - RESERVED == connections_within(1_024, 2_000)
    assert LEAST == connections_within(256, 2_000)
