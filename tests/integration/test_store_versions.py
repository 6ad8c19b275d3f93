"""A store of a version that this software does not read: whoever would use it says so and leaves it as it is.

There was no version before the first: a store that claims 0 has lost the entry, which is damage that `reindex` mends.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Done, process, run
from support.stores import entries, fingerprint, life_chain

from node.cli.init import write_home
from node.crypto.dev_keys import dev_key
from node.daemon.home import KEY_NAMES, Home
from node.storage import schema
from node.storage.leveldb import LevelStore

Command = Callable[[Home], Done]
ARCHIVE = "life.archive"
NEWER, OLDER = schema.SCHEMA_VERSION + 1, schema.SCHEMA_VERSION - 1


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a stopped validator with the life of a car in its store."""
    folder = tmp_path_factory.mktemp("life")
    chain = life_chain(folder / "store")
    chain.store.kv.close()
    keys = {purpose: dev_key(purpose, "bmw") for purpose in KEY_NAMES}
    home = write_home(folder / "home", chain.genesis, keys, {"node.verify_workers": 0})
    (folder / "store").rename(home.store)
    assert 0 == run("bmw-node", "export", "--home", home.path, home.path / ARCHIVE).code
    return home.path


def home_of(version: int, life: Path, tmp_path: Path) -> Home:
    shutil.copytree(life, tmp_path / "home")
    found = Home(tmp_path / "home")
    kv = LevelStore(found.store, create=False)
    kv.write({schema.META_SCHEMA: version.to_bytes(4, "big")}, [])
    kv.close()
    return found


def stored(home: Home) -> dict[bytes, bytes]:
    return entries(home.store, home.path / "scratch")


def besides_the_store(home: Home) -> dict[str, bytes]:
    return {name: digest for name, digest in fingerprint(home.path).items() if not name.startswith("data/store")}


def _node(*arguments: str) -> Command:
    return lambda home: run("bmw-node", *arguments, "--home", home.path)


USERS: dict[str, Command] = {
    "start": lambda home: process("bmw-node", "start", "--dev", "--home", home.path),
    "inspect": _node("inspect", "1"),
    "export": lambda home: run("bmw-node", "export", "--home", home.path, home.path / "other.archive"),
    "import": lambda home: run("bmw-node", "import", "--home", home.path, home.path / ARCHIVE),
}
AUDIT: dict[str, Command] = {
    "audit": lambda home: run("bmw-audit", "replay", "--store", home.store, "--genesis", home.genesis, "--workers", "0")
}
REPAIRS: dict[str, Command] = {
    "verify-store": _node("verify-store"),
    "rollback": _node("rollback", "--heights", "1"),
    "reindex": _node("reindex"),
}
EVERY = USERS | REPAIRS | AUDIT


@pytest.mark.parametrize(("version", "name"), [*((NEWER, name) for name in EVERY), *((OLDER, name) for name in USERS)])
def test_a_store_of_another_version_is_refused_and_left_as_it_is(
    version: int, name: str, life: Path, tmp_path: Path
) -> None:
    home = home_of(version, life, tmp_path)
    before, untouched = stored(home), besides_the_store(home)
    EVERY[name](home).refused(
        3,
        *("schema version 2, this software reads 1", "install a newer version")
        if version == NEWER
        else ("schema version", "reindex"),
    )
    assert before == stored(home)
    assert untouched.items() <= besides_the_store(home).items()


def test_a_version_that_never_was_is_damage_that_reindex_mends(life: Path, tmp_path: Path) -> None:
    home = home_of(OLDER, life, tmp_path)
    before = stored(home)
    checked = run("bmw-node", "verify-store", "--home", home.path)
    assert 1 == checked.code
    assert "meta entry schema" in checked.out
    assert "reindex" in checked.err
    mended = run("bmw-node", "reindex", "--home", home.path, "--json").json
    assert before | {schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big")} == stored(home)
    assert before == entries(Path(mended["old_store"]), home.path / "scratch")
