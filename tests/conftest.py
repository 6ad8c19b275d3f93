"""Makes `support` importable, orders the files for several workers, fixes hypothesis to what a noisy machine can do."""

from itertools import chain, zip_longest
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("suite")


class OneStoryForAllPages(LoadFileScheduling):
    """Hands out whole files, and those of `tests/web` together: they look at one network, on which the story is played
    once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "tests/web" if file.startswith("tests/web/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneStoryForAllPages | None:
    return OneStoryForAllPages(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker waits for the last one of another: in turn a file with networks, which mostly
    waits, and one with slow tests, which computes."""
    networks, slow, others = dict[Path, None](), dict[Path, None](), dict[Path, None]()
    for item in items:
        kind = networks if item.get_closest_marker("network") else slow if item.get_closest_marker("slow") else others
        kind[item.path] = None
    in_turn = chain.from_iterable(zip_longest(networks, [path for path in slow if path not in networks]))
    places = {path: place for place, path in enumerate(dict.fromkeys([*in_turn, *others]))}
    items.sort(key=lambda item: places[item.path])
