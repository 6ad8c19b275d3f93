"""The trust root of the pages: the genesis document's, or that of a checkpoint that the operator names."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.chain import DAY_MS, dev_test_genesis

from node.certificates.roots import checkpoint_json, root_of_genesis
from node.certificates.verifier import Root
from node.chain.genesis import Genesis
from node.errors import OperatorError
from web.roots import trusted_root
from web.settings import WebSettings


def genesis_of(days: int) -> Genesis:
    return msgspec.structs.replace(dev_test_genesis(), time_ms=time.time_ns() // 1_000_000 - days * DAY_MS)


def settings_with(folder: Path, root: Root) -> WebSettings:
    (folder / "checkpoint.json").write_text(checkpoint_json(root, []))
    return WebSettings(checkpoint=str(folder / "checkpoint.json"))


def test_a_checkpoint_takes_the_place_of_the_genesis_document(tmp_path: Path) -> None:
    genesis = genesis_of(400)
    first = root_of_genesis(genesis)
    newer = replace(first, height=9, block_id=bytes(32), time_ms=first.time_ms + 300 * DAY_MS)

    assert first == trusted_root(genesis, WebSettings())
    assert newer == trusted_root(genesis, settings_with(tmp_path, newer))


@pytest.mark.parametrize(("days", "is_warned"), [(10, False), (149, False), (151, True)])
def test_an_old_root_is_told_before_readers_see_it(
    caplog: pytest.LogCaptureFixture, days: int, is_warned: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        trusted_root(genesis_of(days), WebSettings())

    assert is_warned == ("root_old" in caplog.text)


def test_what_is_no_checkpoint_of_this_chain_is_refused(tmp_path: Path) -> None:
    genesis = genesis_of(1)
    other = root_of_genesis(dev_test_genesis(depth=7))
    with pytest.raises(OperatorError, match="another chain"):
        trusted_root(genesis, settings_with(tmp_path, other))
    (tmp_path / "checkpoint.json").write_text("{}")
    with pytest.raises(OperatorError, match="this is no checkpoint"):
        trusted_root(genesis, WebSettings(checkpoint=str(tmp_path / "checkpoint.json")))
    with pytest.raises(OperatorError, match="can't be read"):
        trusted_root(genesis, WebSettings(checkpoint=str(tmp_path / "none")))
