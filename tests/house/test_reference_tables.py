"""The tables of docs/ are those of the code: types, guards, messages, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.reference_tables import reference_tables

from node.ledger.guards import GUARDS
from node.txtypes.registry import TYPES

ROOT = Path(__file__).resolve().parents[2]


GENERATOR = reference_tables()


@pytest.mark.parametrize("path", [*GENERATOR.documents(), GENERATOR.SCHEMA], ids=lambda path: path.name)
def test_a_documents_tables_are_those_of_the_code(path: Path) -> None:
    assert GENERATOR.current(path) == path.read_text(), "run python scripts/reference_tables.py"


def test_every_table_stands_in_a_document() -> None:
    text = "".join(path.read_text() for path in GENERATOR.documents())

    assert [name for name in GENERATOR.TABLES if f"<!-- table {name} -->" not in text] == []


def test_every_note_has_its_type_and_every_guard_its_place() -> None:
    noted = {code for struct in TYPES.values() for code in GENERATOR.guards_of(struct)}
    noted |= {code for kind in GENERATOR.action_structs() for code in GENERATOR.guards_of(kind)}

    assert set(GENERATOR.NOTES) <= set(TYPES)
    assert noted | GENERATOR.ENVELOPE_CODES == set(GUARDS)


def test_every_link_within_the_documents_leads_somewhere() -> None:
    dead = []
    for path in [*ROOT.glob("*.md"), *GENERATOR.documents()]:
        for target in GENERATOR.links_of(path.read_text()):
            file, _, anchor = target.partition("#")
            found = (path.parent / file).resolve() if file else path
            if not found.exists() or (anchor and anchor not in GENERATOR.anchors_of(found.read_text())):
                dead.append(f"{path.name}: {target}")

    assert dead == []


def test_every_document_that_the_code_names_is_there() -> None:
    """By its path, or by its name alone where it lies in docs/ or at the top."""
    folders = [ROOT / name for name in ("node", "wallet", "scripts", "tests", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    dead, read = [], 0
    for path in [*files, ROOT / "setup.cfg", ROOT / "pyproject.toml"]:
        for name in re.findall(r"(?<![\w./-])(?:docs/)?(?:[\w-]+/)*[\w-]+\.md\b", path.read_text(errors="replace")):
            read += 1
            if not any((place / name).exists() for place in (ROOT, ROOT / "docs", ROOT / "docs" / "adr")):
                dead.append(f"{path.relative_to(ROOT)}: {name}")

    assert dead == []
    assert read > 20


def test_no_table_runs_into_the_text_below_it() -> None:
    """A line right below a table is shown as one more row of it."""
    found = []
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *GENERATOR.documents()]:
        for block in path.read_text().split("```")[::2]:
            found += [f"{path.name}: {text}" for text in re.findall(r"^\|.*\n([^|\n].*)", block, re.MULTILINE)]

    assert found == []
