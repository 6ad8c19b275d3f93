"""Rules of the house that no compiler knows: files that belong together, bounds that are explained, short files."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from support import vectors

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash, genesis_to_json, parse_genesis
from node.ledger.guards import GUARDS, Unmet
from node.ledger.kinds import fields_of
from node.txtypes.registry import TYPES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for room in ("node", "wallet", "web") for path in (ROOT / room).rglob("*.py"))
LINES_MAX = 420


# --- files that belong together ---------------------------------------------------------------------------
def test_genesis_json_is_the_development_network() -> None:
    text = (ROOT / "genesis.json").read_text("utf-8")
    assert genesis_to_json(dev_genesis()) == text
    assert genesis_hash(dev_genesis()) == genesis_hash(parse_genesis(text.encode()))


def test_the_license_is_the_declared_one() -> None:
    declared = ConfigParser()
    declared.read(ROOT / "setup.cfg", "utf-8")
    assert ("Apache-2.0", "LICENSE") == tuple(declared["metadata"][name] for name in ("license", "license_files"))
    text = " ".join((ROOT / "LICENSE").read_text("utf-8").split())
    assert text.startswith("Apache License Version 2.0, January 2004") and "END OF TERMS AND CONDITIONS" in text


def test_every_type_has_a_golden_vector() -> None:
    found = {vector["type"] for vector in vectors.transactions()["transactions"]}  # type: ignore[index, union-attr]
    assert set(TYPES) == found


def test_every_type_is_documented() -> None:
    text = (ROOT / "docs" / "TRANSACTIONS.md").read_text("utf-8")
    assert [name for name in TYPES if f"\n### `{name}`\n" not in text] == []
    assert [name for name, kind in TYPES.items() if not (kind.__doc__ or "").strip().endswith(".")] == []


def test_every_field_of_every_type_can_be_shown() -> None:
    for kind in TYPES.values():
        assert all(field.json_name for field in fields_of(kind))
        assert kind.weight > 0


# --- guards ---------------------------------------------------------------------------------------------------
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}


def guard_constants() -> dict[str, str]:
    """Name of the constant to code, of every guard that a module declares."""
    found = {}
    for path, tree in trees().items():
        for statement in tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Call):
                continue
            made = statement.value
            if isinstance(made.func, ast.Name) and made.func.id == "Guard":
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                assert isinstance(target, ast.Name) and isinstance(made.args[0], ast.Constant), path
                found[target.id] = str(made.args[0].value)
    return found


def test_every_guard_is_a_constant_of_its_code_and_is_noted_somewhere() -> None:
    constants = guard_constants()
    assert {name: code for name, code in constants.items() if name.lower() != code} == {}
    assert set(GUARDS) == set(constants.values())
    used = {node.id for tree in trees().values() for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}  # fmt: skip
    assert set(constants) - used == set()
    assert len(constants) > 60


def test_every_guard_is_expected_by_a_test_of_its_own() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "unit").rglob("*.py"))
    assert [code for code in GUARDS if f'"{code}"' not in tests] == []


@pytest.mark.parametrize("code", sorted(GUARDS))
def test_a_guard_speaks_three_languages(code: str) -> None:
    guard = GUARDS[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert len({guard.en, guard.de, guard.zh}) == 3
    assert re.fullmatch(r"[\x20-\x7e]{8,}", guard.en)
    assert re.search(r"[一-鿿]{2,}", guard.zh) and not re.search(r"[一-鿿]", guard.de)
    texts = (guard.en, guard.de, guard.zh)
    for text in texts:
        assert text == text.strip() and not text.endswith((".", "。"))
    shown = Unmet(code, "X", "1", "2")
    words = (("have", "need"), ("vorhanden", "nötig"), ("现有", "需要"))
    wanted = [f"X: {text} ({have}: 1, {need}: 2)" for text, (have, need) in zip(texts, words, strict=True)]
    assert wanted == [shown.text(tag) for tag in ("en", "de", "zh")]
    assert shown.text("fr") == shown.text()


# --- bounds ---------------------------------------------------------------------------------------------------
def test_every_bound_says_why() -> None:
    """A docstring stands below each constant, or below the last of a group without a blank line."""
    statements = ast.parse((ROOT / "node" / "limits.py").read_text("utf-8")).body
    unexplained, group = [], []
    for statement, below in zip(statements, [*statements[1:], None], strict=True):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        group.append(ast.unparse(statement))
        if isinstance(below, ast.Assign | ast.AnnAssign) and below.lineno == (statement.end_lineno or 0) + 1:
            continue
        if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and below.value.value):
            unexplained += group
        group = []
    assert unexplained == []


# --- files ------------------------------------------------------------------------------------------------------
def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in SOURCES if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text()))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_no_room_is_called_after_nothing() -> None:
    names = {"utils", "helpers", "misc", "common_utils", "manager"}
    assert [str(p.relative_to(ROOT)) for p in SOURCES if p.stem in names or p.parent.name in names] == []


def test_scripts_are_executable_and_fail_on_the_first_error() -> None:
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix]
    assert {"check", "test", "devnet", "bench", "vectors"} <= {path.name for path in scripts}
    for path in [*scripts, ROOT / ".ci" / "run"]:
        assert os.access(path, os.X_OK), f"{path.name} is not executable"
        text = path.read_text("utf-8")
        assert text.startswith("#!/usr/bin/env bash\n"), path.name
        assert "_environment.sh" in text or "set -euo pipefail" in text, path.name
    assert "set -euo pipefail" in (ROOT / "scripts" / "_environment.sh").read_text("utf-8")


# --- python -O ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("node.cli.node", ["status"]),
        ("node.cli.audit", ["replay", "--genesis", "genesis.json"]),
        ("wallet.cli", ["key", "list"]),
    ],
)
def test_no_program_runs_without_its_assertions(program: str, arguments: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "BMW_WALLET_HOME": str(tmp_path), "BMW_NODE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-O", "-m", program, *arguments], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert "refuses to run under 'python -O'" in done.stderr
