"""The measures over grown states, each in a short form: the states, the costs, a node that starts over one."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import (  # noqa: E402
    auditing,
    catching_up,
    followers,
    grown,
    growth,
    network,
    plotting,
    reading,
    starting,
    type_costs,
)
from benchmarks.growth import Cost  # noqa: E402
from benchmarks.measure import Measure  # noqa: E402
from benchmarks.memory_limit import MemoryGroup  # noqa: E402
from support.chain import Chain  # noqa: E402

from node.storage.chain_store import ChainReader  # noqa: E402
from node.storage.leveldb import LevelStore  # noqa: E402
from node.txtypes.registry import TYPES  # noqa: E402
from node.txtypes.vehicle.vehicle import VEHICLE  # noqa: E402

VEHICLES = 1_000
"""One block."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of all tests of this file."""
    return tmp_path_factory.mktemp("bench")


def root_of(place: Path) -> tuple[int, bytes]:
    kv = LevelStore(place / "store")
    head = ChainReader(kv).head()
    kv.close()
    return head.height, head.state_root


# --- the states ---------------------------------------------------------------------------------------------
def test_a_state_has_its_vehicles_and_is_made_once(folder: Path) -> None:
    place = grown.store_with(folder, VEHICLES, 1)
    kv = LevelStore(place / "store")
    reader = ChainReader(kv)
    assert [ident for ident, _ in reader.values(VEHICLE)] == [grown.vin_of(index) for index in range(VEHICLES)]
    block = reader.block(1)
    kv.close()
    assert block is not None
    assert grown.signed_bytes_of(place) == sum(map(len, block.transactions))

    made = (place / "signed.json").stat().st_mtime_ns
    assert grown.store_with(folder, VEHICLES, 1) == place
    assert (place / "signed.json").stat().st_mtime_ns == made


def test_an_interrupted_making_goes_on_and_a_larger_state_begins_with_the_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def making(name: str, vehicles: int) -> Path:
        return grown.store_with(tmp_path / name, vehicles, 1, block_txs=10)

    whole = making("whole", 40)

    monkeypatch.setattr(grown, "SIZES", (20, 40))
    load_block, left = grown.BirthChain.load_block, [3]

    def interrupted(chain: grown.BirthChain, count: int) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        load_block(chain, count)

    monkeypatch.setattr(grown.BirthChain, "load_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        making("parts", 40)
    left[0] = 1
    parts = making("parts", 40)

    assert root_of(parts) == root_of(whole)
    assert (4, 2) == (root_of(parts)[0], root_of(parts.with_name("20"))[0])
    assert grown.signed_bytes_of(parts) == grown.signed_bytes_of(whole)


def test_a_state_belongs_to_what_the_software_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = grown.format_name()
    grown.format_name.cache_clear()
    assert grown.format_name() == before, "the same rows"

    commit_for = Chain.commit_for
    monkeypatch.setattr(Chain, "commit_for", lambda chain, block: replace(commit_for(chain, block), round=1))
    grown.format_name.cache_clear()
    assert grown.format_name() != before, "a row differs"
    grown.format_name.cache_clear()


# --- costs --------------------------------------------------------------------------------------------------
def test_the_cost_of_a_mixed_life_is_measured(folder: Path) -> None:
    place = grown.store_with(folder, VEHICLES, 1)
    before = root_of(place)
    blocks = grown.mixed_blocks(folder, VEHICLES, 60, 1, block_txs=30)
    assert len(blocks) == 2
    assert blocks == grown.mixed_blocks(folder, VEHICLES, 60, 1, block_txs=30), "kept"

    found = growth.cost(place / "store", blocks)

    assert min(found.decode, found.execute, found.commit, found.verify, found.libsodium) > 0
    assert found.own == (found.decode + found.execute + found.commit) / found.libsodium
    assert found.whole == pytest.approx(found.own + found.background / found.libsodium)
    assert root_of(place) == before, "the state itself is not changed"
    assert {entry.name for entry in place.iterdir()} == {"store", "signed.json", f"life-60-{grown.ACTIVE}.blocks"}


def test_the_mixed_life_is_the_same_at_every_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grown, "ACTIVE", 20)
    lives = []
    for vehicles in (40, 80):
        place = grown.store_with(tmp_path, vehicles, 1, block_txs=40)
        with closing(LevelStore(place / "store")) as kv:
            chain = grown.MixedChain(kv, vehicles, seed=1)
            chain.grow(60, block_txs=60)
            receipts = chain.store.receipts(chain.store.height())
            assert receipts is not None
            lives.append([sorted(c.key.partition("/")[0] for c in one.changes) for one in receipts.transactions])
    assert lives[0] == lives[1]


def a_cost(verifications: float) -> Cost:
    """Half of it is LevelDB's."""
    return Cost(
        decode=10.0, execute=25 * verifications - 25.0, commit=15.0, background=25 * verifications, verify=60.0,
        libsodium=50.0,
    )  # fmt: skip


def test_the_cost_at_a_size_is_compared_with_that_at_the_smallest() -> None:
    found = growth.measures(
        {1_000: [a_cost(3), a_cost(9), a_cost(2)], 10: [a_cost(2)] * 3, 100: [a_cost(4), a_cost(2.2), a_cost(1)]}, 1, 50
    )
    assert [one.name for one in found] == [
        "cost at 100 vehicles / 10",
        "cost at 1,000 vehicles / 10",
        "cost at 100 vehicles / 10, LevelDB's thread included",
        "cost at 1,000 vehicles / 10, LevelDB's thread included",
    ]
    assert [(round(one.value, 3), one.passed) for one in found] == [(1.1, True), (1.5, False)] * 2
    assert (found[0].denominator, found[2].denominator) == (1, 2)
    at = found[0].details["by_vehicles"]
    assert (at[10]["whole"], at[10]["execute_us"], at[1_000]["rounds"]) == (2, 25, [3, 9, 2])


# --- the page of a run --------------------------------------------------------------------------------------
def a_measure(value: float, bar: float, *, is_upper: bool) -> Measure:
    return Measure("rate <of> things", value, bar, value, 2, "things", bar_is_upper=is_upper)


@pytest.mark.parametrize(
    ("value", "bar", "is_upper", "percent"),
    [(0.1, 0.2, False, 50), (0.3, 0.2, False, 150), (2.0, 1.0, True, 50), (0.5, 1.0, True, 200), (0, 1.0, True, 200)],
)
def test_a_bar_is_reached_to_a_share(value: float, bar: float, is_upper: bool, percent: int) -> None:
    assert plotting.reached_percent(a_measure(value, bar, is_upper=is_upper)) == percent


def test_a_page_shows_measures_and_growth_without_script() -> None:
    good, bad = a_measure(0.3, 0.2, is_upper=False), a_measure(3.0, 2.0, is_upper=True)
    grew = growth.measures({10: [a_cost(2)], 100: [a_cost(2.2)]}, 1, 50)

    shown = plotting.page([good, bad, *grew], {"seed": 1})

    assert "rate &lt;of&gt; things" in shown
    assert "<of>" not in shown
    assert "<script" not in shown
    assert shown.count('class="good"') >= 2 * 2, "at both widths"
    assert 'class="bad"' in shown
    assert ">100</text>" in shown, "a size"
    assert "execute 0.6" in shown, "a column's part"
    assert "Growth" not in plotting.page([good], {})


def test_the_bench_draws_the_page_of_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def miss() -> list[Measure]:
        return [a_measure(0.1, 0.2, is_upper=False)]

    with pytest.raises(SystemExit) as ended:
        command._measure({"rate": miss}, 1, None, 0.05, {"seed": 7}, False, tmp_path / "bench.html")
    assert ended.value.code == 1, "a missed bar"
    assert "FAIL  rate <of> things" in capsys.readouterr().out
    assert plotting.page(miss(), {"seed": 7}) == (tmp_path / "bench.html").read_text("utf-8")

    done = CliRunner().invoke(command.main, ["--plot", "bench.html", "--profile", "replay"])
    assert (done.exit_code, "--plot is for measures" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("value", "denominator", "unit", "shown"),
    [(2.345, 1, "seconds until", "2.3 s"), (300, 1, "MiB resident", "300 MiB"), (21.4, 1, "ms from", "21 ms"),
     (90, 1, "bytes for each", "90 B"), (1.05, 20, "one over another", "1.050")],
)  # fmt: skip
def test_a_value_is_shown_with_its_unit(value: float, denominator: float, unit: str, shown: str) -> None:
    assert Measure("it", value, 1, value, denominator, unit, bar_is_upper=True).shown == shown


# --- real processes -----------------------------------------------------------------------------------------
def test_the_cost_of_each_type_is_measured() -> None:
    found = type_costs.measure(1, times=3)

    every = found.details["us_for_100_of_weight"]
    assert set(TYPES) == set(every)
    assert set(found.details["records"]) >= {"maintenance.record", "inspection.record", "accident.report"}
    assert found.value == found.numerator / found.denominator >= 1
    assert found.numerator == pytest.approx(max(every[tag] for tag in found.details["records"]), abs=0.1)


@pytest.mark.network
def test_a_start_over_a_state_is_measured(folder: Path) -> None:
    start, memory, disk = starting.measure(folder, VEHICLES, 1, starts=1)

    assert 0 < start.value < starting.READY_MAX_S
    assert start.shown.endswith(" s")
    all_mib, anonymous_mib = start.details["all_and_anonymous_mib"][0]
    assert 10 < anonymous_mib < all_mib == memory.value
    assert disk.denominator == grown.signed_bytes_of(grown.store_with(folder, VEHICLES, 1))
    assert disk.value == disk.numerator / disk.denominator > 0.5


@pytest.mark.network
def test_memory_under_load_is_measured(folder: Path) -> None:
    resident, memory, *within = starting.under_load(folder, VEHICLES, 1, 0.05)

    assert 10 < resident.value
    for found in (resident, memory, *within):
        assert found.details["committed"] >= 250
    seconds, accepted, all_mib, anonymous_mib = memory.details["seconds_accepted_all_anonymous"][-1]
    assert (memory.value, memory.details["committed"]) == (anonymous_mib, accepted)
    assert 10 < anonymous_mib < all_mib
    assert seconds >= 3
    for found in within:  # where this system lets us limit memory
        assert anonymous_mib < found.details["peak_mib"] <= starting.MEMORY_BAR_MIB
        assert found.value == found.numerator / found.denominator > 0


def test_a_memory_group_holds_what_is_started_in_it() -> None:
    group = MemoryGroup.make(64)
    if group is None:
        pytest.skip("this system lets us make no memory group")
    waiting = [sys.executable, "-c", "bytearray(int(input()))"]
    try:
        with group.joined():
            fits, too_large = (subprocess.Popen(waiting, stdin=subprocess.PIPE, text=True) for _ in range(2))
        fits.communicate(str(20 << 20))
        too_large.communicate(str(100 << 20))
        assert (0, -signal.SIGKILL) == (fits.returncode, too_large.returncode)
        assert 20 < group.peak_mib() <= 64
    finally:
        group.remove()


@pytest.mark.network
def test_reads_of_a_state_are_measured(folder: Path) -> None:
    found = reading.measure(folder, VEHICLES, 1.0, 1)
    assert found.value == found.numerator / found.denominator
    assert found.numerator > 100, "requests a second"


def a_turn(reads: int, *asked: int, finality_ms: float) -> followers.Turn:
    """Two seconds in which each node that is asked has a second of processor time."""
    return followers.Turn(2.0, dict.fromkeys(asked, reads), dict.fromkeys(range(3), 1.0), [finality_ms], [7.0])


@pytest.mark.parametrize(("cores", "reads", "finality"), [(2, (1_800, 1_000), 1.1), (8, (900, 500), 2.0)])
def test_what_followers_are_judged_by_depends_on_the_cores(
    cores: int, reads: tuple[float, float], finality: float
) -> None:
    turns = {
        "nobody": [a_turn(0, finality_ms=20)],
        "one": [a_turn(1_000, 1, finality_ms=22)],
        "both": [a_turn(900, 1, 2, finality_ms=40)],
    }
    found = followers._measures(turns, {}, cores)
    assert (found[0].numerator, found[0].denominator) == reads
    assert found[1].value == finality
    assert [one.shown for one in found[2:]] == ["7 ms", "7 ms"]


@pytest.mark.network
def test_followers_of_a_validator_are_measured(folder: Path) -> None:
    """On a machine that does other work too: the bars are for `scripts/bench`."""
    reads, finality, *behind = followers.measure(folder, VEHICLES, 8.0, 1)
    assert reads.value == reads.numerator / reads.denominator > 0.5
    assert min(reads.details["reads_per_second"].values()) > 100
    assert finality.value == finality.numerator / finality.denominator > 0
    assert behind[0].value <= behind[1].value < 10_000


@pytest.mark.network
def test_what_one_validator_does_for_a_transaction_is_counted() -> None:
    """Alone it does everything once: it hears of a transaction over RPC, and of no block but its own."""
    rate, verifications = network.committed("register", 1.0, 1, validators=1, yardstick_s=0.2)

    assert rate.name == "one validator, register, 1 s over RPC"
    assert rate.bar == network.SINGLE_BAR
    once = {"decoded": 1.0, "verified": 1.0, "judged": 1.0, "executed": 1.0}
    assert rate.details["per_transaction_and_node"] == once
    assert verifications.numerator == verifications.denominator >= 250
    assert verifications.passed


@pytest.mark.slow
def test_a_replay_by_ranges_is_measured(tmp_path: Path) -> None:
    found = auditing.by_ranges(tmp_path, 3_000, 1, yardstick_s=0.2)
    assert found.value == found.numerator / found.denominator > 0
    assert found.details["snapshot"] == 1


@pytest.mark.network
def test_a_block_sync_is_measured_from_its_first_block_to_its_last(tmp_path: Path) -> None:
    found = catching_up.measure(tmp_path, 3_000, 1)
    assert found.value == found.numerator / found.denominator > 0
    assert found.details["blocks"] == 3
