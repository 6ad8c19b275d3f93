"""Every trace in `network`, played on production replicas; and the reader of these traces itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.network_traces import parse, run, run_file
from support.traces import TraceError, TraceMismatch

TRACES = sorted((Path(__file__).parent / "network").glob("*.trace"))

GOOD = """\
validators a=10 b=10 c=10 d=10
parameters timeout_cap_ms=2000

> start a b c d
> lose prevote of a to d             # a comment may end a line
> wait 3000
< signing by a b c d
> submit TX1 by a to a register
< admit by a
< propose A1 with TX1 at 1/0 by b
< prevote A1 at 1/0 by a b c d
< precommit A1 at 1/0 by a b c d
< commit A1 with TX1 at 1/0 by a b c d
= heights a=1 b=1
= powers a=10 d=10
> wait 100
> kill c d
> forge prevote B2 at 2/0 by c to a
"""


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_network_trace(path: Path) -> None:
    run_file(path)


def test_a_good_network_trace_runs() -> None:
    run("good", GOOD.replace("prevote B2", "prevote A2"))


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("> start", "> begin", 4, "begin"),
        ("> start a b c d", "> start a b c e", 4, "e"),
        ("> start", "! start", 4, "! start"),
        ("parameters", "params", 2, "params"),
        ("> lose prevote", "> lose vote", 5, "vote"),
        ("of a to d", "of a", 5, "end of the line"),
        ("> wait 3000", "> wait long", 6, "long"),
        ("> submit TX1", "> submit T1", 8, "T1"),
        ("to a register", "to a birth", 8, "birth"),
        ("= heights a=1", "= height a=1", 14, "height"),
        ("= heights a=1", "= heights x=1", 14, "x"),
        ("prevote B2", "prevote B2", 18, "A2"),
        ("prevote B2 at 2/0", "prevote A2 at 2", 18, "HEIGHT/ROUND"),
    ],
)
def test_unknown_words_of_a_network_trace_name_the_line(old: str, new: str, line: int, word: str) -> None:
    with pytest.raises(TraceError) as caught:
        run("t", GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(f"t:{line}: ")
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "validators a=10\n", "> start a\n", "validators a=10\n< signing by a\n", "validators a\n> start a\n"]
)
def test_a_network_trace_without_head_or_order_is_an_error(text: str) -> None:
    with pytest.raises(TraceError, match=r"^t"):
        parse("t", text)


@pytest.mark.parametrize(
    ("old", "new", "line", "said", "happened"),
    [
        ("< admit by a\n", "", 9, "- < propose A1", "+ < admit by a"),
        ("< admit by a\n", "< admit by a\n< drop TX1 by a\n", 10, "- < drop TX1 by a", "+ < propose A1"),
        ("1/0 by a b c d\n= h", "1/0 by a b d\n= h", 13, "- < commit A1 with TX1 at 1/0 by a b d", "by a b c d"),
        ("= heights a=1 b=1", "= heights a=1 b=2", 14, "- = heights a=1 b=2", "+ = heights a=1 b=1"),
        ("= powers a=10 d=10", "= powers a=10 d=0", 15, "- = powers a=10 d=0", "+ = powers a=10 d=10"),
        ("> wait 100\n", "> wait 100\n< halt by a\n", 17, "- < halt by a", ""),
    ],
)
def test_a_mismatch_of_a_network_trace_shows_the_difference(
    old: str, new: str, line: int, said: str, happened: str
) -> None:
    with pytest.raises(TraceMismatch) as caught:
        run("t", GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(f"t:{line}: after '>")
    assert said in str(caught.value)
    assert happened in str(caught.value)
