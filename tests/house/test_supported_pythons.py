"""The pinned packages on every supported CPython: requirements, lock, setup.cfg and scripts agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import distributions
from itertools import takewhile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from node.storage import leveldb

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""A version joins this list together with its wheels in the lock: 0023-two-leveldb-bindings.md."""
FLEET = "scripts/fleet_simulation"
LEVELDB = {"3.11": "plyvel", "3.12": "plyvel", "3.13": "plyvel-next", "3.14": "plyvel-next"}


def setup_cfg() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def lines(name: str) -> list[str]:
    """Requirements of a file, each with its hashes on one line."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def applies(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def needed(requirements: list[str], python: str) -> dict[str, SpecifierSet]:
    parsed = [Requirement(line.split(" --hash")[0]) for line in requirements]
    return {canonicalize_name(one.name): one.specifier for one in parsed if applies(one, python)}


def pinned(python: str, lock: str = "requirements.lock") -> dict[str, str]:
    """The one version of each package that the lock installs on a CPython."""
    found: dict[str, str] = {}
    for name, specifier in needed(lines(lock), python).items():
        (only,) = specifier
        assert only.operator == "=="
        found[name] = only.version
    return found


def requirements_of_installed(python: str) -> Iterator[tuple[str, Requirement]]:
    """What each package of this environment needs on another CPython."""
    for distribution in distributions(path=[path for path in sys.path if "site-packages" in path]):
        owner = canonicalize_name(distribution.metadata["Name"])
        for line in distribution.requires or []:
            if applies(requirement := Requirement(line), python):
                yield owner, requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_one_pin_for_everything_that_a_cpython_needs(python: str) -> None:
    locked = pinned(python)
    direct = {
        "requirements.in": needed(lines("requirements.in"), python),
        "setup.cfg": needed(setup_cfg()["options"]["install_requires"].split("\n")[1:], python),
    }
    for source, requirements in direct.items():
        wrong = {name: str(spec) for name, spec in requirements.items() if locked.get(name, "") not in spec}
        assert not wrong, f"{source} needs {wrong}, which requirements.lock lacks on CPython {python}"
    assert direct["setup.cfg"].items() <= direct["requirements.in"].items()
    for owner, requirement in requirements_of_installed(python):
        if owner in locked:
            assert locked.get(canonicalize_name(requirement.name), "") in requirement.specifier, (owner, requirement)
    assert {LEVELDB[python]} == {"plyvel", "plyvel-next"} & set(locked)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_extra_fleet_has_a_lock_of_its_own_that_agrees_with_the_other(python: str) -> None:
    locked, shared = pinned(python, f"{FLEET}/requirements.lock"), pinned(python)
    wanted = needed(setup_cfg()["options.extras_require"]["fleet"].split("\n")[1:], python)
    assert wanted == needed(lines(f"{FLEET}/requirements.in"), python)
    assert all(locked[name] in specifier for name, specifier in wanted.items())
    assert {} == {name: locked[name] for name in locked.keys() & shared if locked[name] != shared[name]}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_extras_of_the_auditor_are_what_the_tests_run_on(python: str) -> None:
    extras = setup_cfg()["options.extras_require"]
    wanted = needed([line for extra in ("export", "sync") for line in extras[extra].split("\n")[1:]], python)
    assert wanted.keys() == {"pyarrow", "psycopg"}
    assert wanted.items() <= needed(lines("requirements.in"), python).items()


@pytest.mark.parametrize("lock", ["requirements.lock", f"{FLEET}/requirements.lock"])
def test_every_pin_has_hashes(lock: str) -> None:
    assert [] == [line for line in lines(lock) if " --hash=sha256:" not in line]


def test_setup_cfg_admits_exactly_the_supported_pythons() -> None:
    admitted = SpecifierSet(setup_cfg()["options"]["python_requires"])
    candidates = [f"3.{minor}" for minor in range(6, 30)]
    assert PYTHONS == [one for one in candidates if f"{one}.0" in admitted and f"{one}.99" in admitted]
    classifiers = re.findall(r"Python :: (3\.\d+)$", setup_cfg()["metadata"]["classifiers"], re.MULTILINE)
    assert classifiers == PYTHONS


@pytest.mark.parametrize("python", ["3.10", *PYTHONS, "3.15"])
def test_the_scripts_take_exactly_the_supported_pythons(python: str, tmp_path: Path) -> None:
    """find_python alone, with interpreters that only report a version."""
    script = (ROOT / "scripts" / "_environment.sh").read_text("utf-8")
    functions = "\n".join(takewhile(lambda line: not line.startswith("make_environment() {"), script.splitlines()))
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = '
        f"({python.replace('.', ', ')}, 0, 'final', 0); sys._base_executable = '$0'; exec(sys.argv[1])\" \"$2\"\n"
    )
    path.chmod(0o755)
    found = subprocess.run(
        [shutil.which("bash") or "bash", "-c", f"{functions}\nfind_python"],
        env={"PYTHON": str(path), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (found.stdout.strip() == str(path)) == (python in PYTHONS), found.stderr


def test_the_store_uses_the_library_that_the_lock_pins() -> None:
    running = "{}.{}".format(*sys.version_info)
    assert leveldb.plyvel.__version__ == pinned(running)[LEVELDB[running]]
