"""Random certificates: no change goes unnoticed, and both verifiers give one verdict. `scripts/certificates` has the
long runs."""

from __future__ import annotations

import pytest
from support.certifying.cli import changes, main, verdicts

pytestmark = pytest.mark.slow


def test_no_random_change_is_accepted_and_none_makes_a_verifier_fail() -> None:
    assert 0 == changes(1_000, seed=3)


def test_python_and_javascript_give_the_same_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == verdicts(250, seed=4)
    told = capsys.readouterr().out
    assert "'good'" in told and "'certificate_malformed'" in told and "'proof_wrong'" in told


def test_the_script_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--changes N" in capsys.readouterr().err
