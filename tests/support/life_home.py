"""The home of a stopped validator in which a car has lived, for commands that repair it or look into it."""

from __future__ import annotations

from pathlib import Path

from node.cli.init import write_home
from node.codec import encode
from node.consensus.safety import HardState
from node.crypto.dev_keys import dev_key
from node.daemon.home import KEY_NAMES, Home
from node.storage.journal import Journal
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from support.commands import run
from support.stores import life_chain


def life_home(folder: Path) -> Path:
    """The life of a car in its store, a promise it gave, a transaction it accepted."""
    chain = life_chain(folder / "store")
    chain.store.kv.close()
    keys = {purpose: dev_key(purpose, "bmw") for purpose in KEY_NAMES}
    home = write_home(folder / "home", chain.genesis, keys, {"node.verify_workers": 0})
    (folder / "store").rename(home.store)
    SafetyFile(home.hard_state).save(encode(HardState(chain.store.height() + 1, 2, (), None, None, (), ())))
    journal = LevelStore(home.journal)
    Journal(journal).accept({b"\x07" * 32: b"signed bytes"})
    journal.close()
    return home.path


def height_of(home: Home) -> int:
    return int(run("bmw-node", "verify-store", "--home", home.path, "--json").json["height"])
