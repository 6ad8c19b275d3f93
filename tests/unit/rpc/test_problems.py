"""Problem documents: which status, which code, which language."""

import pytest
from node.txtypes.unmet import TEXTS

from node.errors import BadSignature, Malformed, TooLarge, WrongChain
from node.ledger.guards import GuardsUnmet, Unmet
from node.rpc.backend import NotAdmitted, Syncing
from node.rpc.problems import PROBLEMS, guards_problem, language_of, problem_of

PERMISSION = Unmet("role_missing", "x", "", "dealer")
RULE = Unmet("vehicle_unknown", "x", "", "")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr,zh-Hans-CN;q=0.8,en;q=0.7", "zh"),
        ("en;q=0.1, de;q=0.2", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("de;q=x", "en"),
        (",;,", "en"),
    ],
)
def test_the_language_is_the_best_that_is_accepted(header: str, language: str) -> None:
    assert language == language_of(header)


@pytest.mark.parametrize(
    ("unmet", "status", "code"),
    [
        ((PERMISSION,), 403, "not_permitted"),
        ((PERMISSION, RULE), 422, "guards_unmet"),
        ((RULE,), 422, "guards_unmet"),
        ((), 422, "guards_unmet"),
    ],
)
def test_403_only_where_all_unmet_guards_are_permissions(unmet, status: int, code: str) -> None:
    problem = problem_of(GuardsUnmet(unmet), "de")
    assert (status, code) == (problem.status, problem.code)
    assert [guard.code for guard in unmet] == [guard["code"] for guard in problem.document()["unmet"]]


def test_an_unmet_guard_is_told_in_the_callers_language() -> None:
    for language, text in (("de", TEXTS["vehicle_unknown"].de), ("zh", TEXTS["vehicle_unknown"].zh)):
        (shown,) = guards_problem((RULE,), language).members["unmet"]
        assert {"code", "subject", "have", "need", "text"} == set(shown)
        assert text in shown["text"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("x"), 400),
        (WrongChain("x"), 400),
        (BadSignature("x"), 401),
        (TooLarge("x"), 413),
        (NotAdmitted("x", 7), 429),
        (Syncing(), 503),
    ],
)
def test_what_a_backend_raises_has_its_status(error: Exception, status: int) -> None:
    assert status == problem_of(error, "en").status


def test_busy_answers_say_when_to_come_back() -> None:
    assert "7" == problem_of(NotAdmitted("x", 7), "en").headers["Retry-After"]
    assert int(problem_of(Syncing(), "en").headers["Retry-After"]) > 0


def test_an_error_of_our_own_is_raised_again() -> None:
    with pytest.raises(ZeroDivisionError):
        problem_of(ZeroDivisionError(), "en")


def test_every_code_has_an_error_status_and_a_title() -> None:
    assert all(400 <= status < 600 and title for status, title in PROBLEMS.values())
