"""Changed inputs against every decoder and parser: nothing but the documented refusals, and bounded memory.

A few thousand examples; scripts/fuzz runs the same targets for as long as one likes.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from random import Random

import pytest
import zstandard
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fuzzing import cli, specimens
from support.fuzzing.mutation import HOSTILE, mutated
from support.fuzzing.registry import TARGETS
from support.fuzzing.target import Target, round_trip, taken

from node.codec import Decoder
from node.errors import Malformed, Rejected
from node.storage import archive, snapshot

EXAMPLES = 80
MEMORY_BYTES_MAX = 4 * 1024 * 1024
MEMORY_FACTOR = 60
"""Of the input's size, besides the constant: Python objects are larger than what they are decoded from."""

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@every_target
def test_good_inputs_are_taken(target: Target) -> None:
    assert all(target.run(data) for data in target.corpus())


@st.composite
def changed(draw: st.DrawFn, corpus: list[bytes]) -> bytes:
    """A good input with a few places cut out, replaced or filled in; or noise."""
    if not corpus or draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    data = draw(st.sampled_from(corpus))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        removed = draw(st.sampled_from((0, 1, 1, 2, 32, len(data))))
        added = draw(st.one_of(st.binary(max_size=4), st.sampled_from(HOSTILE), st.sampled_from(corpus)))
        data = data[:at] + added[:5_000] + data[at + removed :]
    return data


@every_target
def test_changed_inputs_are_refused_as_documented_or_come_back_as_they_were(target: Target) -> None:
    @settings(max_examples=EXAMPLES)
    @given(changed(target.corpus()))
    def run(data: bytes) -> None:
        target.run(data)

    run()


@every_target
def test_lies_about_lengths_ask_for_no_memory(target: Target) -> None:
    chance = Random(target.name)
    corpus = [data for data in target.corpus() if len(data) < 20_000] or [b""]
    inputs = list(HOSTILE)
    for hostile in HOSTILE:
        data = chance.choice(corpus)
        at = chance.randrange(len(data) + 1)
        inputs.append(data[:at] + hostile + data[at:])
    for data in inputs[:2]:
        target.run(data)  # what is made once and kept
    tracemalloc.start()
    try:
        for data in inputs:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            target.run(data)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before <= MEMORY_BYTES_MAX + MEMORY_FACTOR * len(data), data[:100]
    finally:
        tracemalloc.stop()


# --- what unfolds -----------------------------------------------------------------------------------------
def bomb(size: int, *, says_its_size: bool) -> bytes:
    packer = zstandard.ZstdCompressor(write_content_size=says_its_size).compressobj(size if says_its_size else -1)
    zeros = bytes(1024 * 1024)
    return b"".join(packer.compress(zeros) for _ in range(size // len(zeros))) + packer.flush()


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_chunk_that_unfolds_to_a_hundred_megabytes_is_refused_before_it_does(says_its_size: bool) -> None:
    data = bomb(100 * 1024 * 1024, says_its_size=says_its_size)
    assert len(data) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            snapshot.decompressed(data, snapshot.CHUNK_BYTES_MAX)
        with pytest.raises(Malformed):
            snapshot.decompressed(data, archive.SEGMENT_BYTES_MAX)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX


def test_a_frame_that_says_less_than_it_holds_gives_no_more_than_it_says() -> None:
    honest = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(100_000))
    lying = honest.replace((100_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little"), 1)
    assert 1_000 == zstandard.frame_content_size(lying)
    with pytest.raises(Malformed):
        snapshot.decompressed(lying, snapshot.CHUNK_BYTES_MAX)


# --- the fuzzer itself --------------------------------------------------------------------------------------
def planted(data: bytes) -> None:
    if b"\xc1" in data:
        raise IndexError("planted")
    if len(data) % 2:
        raise Rejected("odd")


PLANTED = Target("planted fault", taken(planted), lambda: [b"good"])


def test_a_planted_fault_is_found_kept_and_repeated_by_its_seed(tmp_path: Path) -> None:
    result, again = (cli.fuzz(PLANTED, 7, 2_000, 60.0, tmp_path) for _ in range(2))
    (where,) = result.crashes
    assert where.startswith("IndexError at test_fuzzing.py:") and where.endswith(": planted")
    kept = Path(result.crashes[where]).read_bytes()
    with pytest.raises(IndexError, match="planted"):
        PLANTED.run(kept)
    assert (2_000, result.crashes, result.taken) == (again.inputs, again.crashes, again.taken)
    assert 0 < result.taken < 2_000


def test_a_decoder_that_takes_two_forms_of_one_value_is_found(tmp_path: Path) -> None:
    lax = Decoder(int, 100, "number")._decoder.decode
    target = Target("lax", round_trip(lambda raw: lax(raw), Exception), lambda: [b"\x07"])
    with pytest.raises(AssertionError, match="other bytes"):
        round_trip(lax, Rejected)(b"\xcc\x07")
    assert target.run(b"\x07")


def test_inputs_are_the_same_for_a_seed_and_others_for_another() -> None:
    def inputs(seed: int) -> list[bytes]:
        chance = Random(seed)
        return [mutated(chance, [b"a good input", b"another"]) for _ in range(200)]

    assert inputs(1) == inputs(1) != inputs(2)
    assert len(set(inputs(1))) > 150


def test_every_target_has_its_share_and_slow_ones_a_smaller_one() -> None:
    shares = dict(zip((target.name for target in TARGETS), cli.shares(TARGETS, 1_000_000), strict=True))
    assert abs(sum(shares.values()) - 1_000_000) < len(TARGETS)
    assert 0 < shares["handshake, responder"] < shares["wire"]


def test_the_vectors_are_a_part_of_the_corpus() -> None:
    wanted = {"transaction", "header", "commit"}
    taken_somewhere = {t.name for t in TARGETS if t.name in wanted and any(map(t.run, specimens.from_vectors()))}
    assert {"header", "commit"} <= taken_somewhere


def test_the_command_lists_targets_and_repeats_an_input(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"\x91\xa4ping")
    runner = CliRunner()
    assert "wire" in runner.invoke(cli.main, ["--list"]).output.splitlines()
    done = runner.invoke(cli.main, ["--target", "wire", "--repeat", str(tmp_path / "input")])
    assert (0, "taken\n") == (done.exit_code, done.output)
    assert 2 == runner.invoke(cli.main, ["--target", "no such", "--list"]).exit_code
