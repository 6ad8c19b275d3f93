"""Settings: flags over environment over file over defaults; every key is named when it is wrong."""

from __future__ import annotations

import re
import tomllib
from operator import attrgetter
from pathlib import Path

import msgspec
import pytest

from node.daemon.config import SETTINGS, WITNESSES_MAX, config_text, load_config
from node.errors import OperatorError


def test_without_anything_every_setting_has_its_default(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none.toml"):
        config = load_config(path, {}, {})
        for section, keys in SETTINGS.items():
            assert {key: setting.default for key, setting in keys.items()} == msgspec.structs.asdict(
                getattr(config, section)
            )


def test_the_file_that_init_writes_says_the_defaults_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(config_text({}))
    assert load_config(None, {}, {}) == load_config(path, {}, {})
    uncommented = [line.removeprefix("# ") if " = " in line else line for line in config_text({}).splitlines()]
    path.write_text("\n".join(line for line in uncommented if not line.startswith("#")))
    assert load_config(None, {}, {}) == load_config(path, {}, {})


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[rpc]\nport = 1\nhost = 'file'\ncors_origins = ['file']\n[p2p]\nport = 1\n")
    environment = {"BMW_NODE_RPC_PORT": "2", "BMW_NODE_RPC_HOST": "environment", "PATH": "/bin", "BMW_NODE_HOME": "x"}
    config = load_config(path, environment, {"rpc.port": 3, "rpc.host": None})
    assert (3, "environment", ("file",), 1) == (
        config.rpc.port, config.rpc.host, config.rpc.cors_origins, config.p2p.port,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("BMW_NODE_P2P_EXCHANGE", "FALSE", "p2p", "exchange", False),
        ("BMW_NODE_P2P_PEERS", "a:1,b:2,", "p2p", "peers", ("a:1", "b:2")),
        ("BMW_NODE_P2P_PEERS", "", "p2p", "peers", ()),
        ("BMW_NODE_CONSENSUS_BLOCK_INTERVAL_MIN_MS", "50", "consensus", "block_interval_min_ms", 50),
        ("BMW_NODE_NODE_CLOCK_OFFSET_MS", "-3600000", "node", "clock_offset_ms", -3_600_000),
        ("BMW_NODE_NODE_MONIKER", "süd", "node", "moniker", "süd"),
    ],
)
def test_every_kind_of_value_from_the_environment(name, text, section, key, value) -> None:
    assert value == getattr(getattr(load_config(None, {name: text}, {}), section), key)


def test_values_survive_being_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    values = {"node.moniker": 'a "b" \\c', "p2p.peers": ("x:1", "[::1]:2"), "p2p.exchange": False, "rpc.port": 7}
    path.write_text(config_text(values))
    config = load_config(path, {}, {})
    assert values == {name: attrgetter(name)(config) for name in values}
    assert set(tomllib.loads(path.read_text())) == set(SETTINGS)


@pytest.mark.parametrize("peer", ["a", "a:", ":1", "a:0", "a:65536", "a:x", "a:-1", ""])
def test_a_peer_is_host_and_port(tmp_path: Path, peer: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[p2p]\npeers = ["{peer}"]\n')
    with pytest.raises(OperatorError, match=r"p2p\.peers"):
        load_config(path, {}, {})


@pytest.mark.parametrize("key", ["header_bytes_max", "requests_per_second", "connections_max"])
def test_a_limit_of_nothing_would_shut_everybody_out(key: str) -> None:
    with pytest.raises(OperatorError, match=f"BMW_NODE_RPC_{key.upper()}"):
        load_config(None, {f"BMW_NODE_RPC_{key.upper()}": "0"}, {})


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be read"):
        load_config(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[p2p]\nport = true", "p2p.port must be a whole number from 0, not True"),
        ("[p2p]\nport = 1.0", "p2p.port must be a whole number from 0, not 1.0"),
        ("[rpc]\nheaders_max = 7", "rpc.headers_max must be a whole number from 8, not 7"),
        ("[p2p]\nexchange = 1", "p2p.exchange must be true or false, not 1"),
        ("[p2p]\npeers = 'a:1'", "p2p.peers must be a list of strings, not 'a:1'"),
        ("[node]\nmoniker = 2020-01-01", "node.moniker must be a string, not datetime.date(2020, 1, 1)"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(line)
    with pytest.raises(OperatorError) as caught:
        load_config(path, {}, {})
    assert f"{path}: {expected}" == str(caught.value)


def test_a_state_history_needs_the_headers_of_its_heights() -> None:
    for history, blocks in ((10, 11), (10, 0), (0, 1)):
        flags = {"storage.state_history": history, "storage.keep_blocks": blocks}
        assert history == load_config(None, {}, flags).storage.state_history
    with pytest.raises(OperatorError, match=r"state_history must be below storage.keep_blocks \(10\), not 10"):
        load_config(None, {}, {"storage.state_history": 10, "storage.keep_blocks": 10})


@pytest.mark.parametrize(
    ("witnesses", "expected"),
    [
        (("10.0.0.9:26790",), "'10.0.0.9:26790' is not an address such as http://127.0.0.1:26790"),
        (("http://w",) * (WITNESSES_MAX + 1), f"at most {WITNESSES_MAX} are asked"),
    ],
)
def test_witnesses_are_few_and_have_addresses(witnesses: tuple[str, ...], expected: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(expected)):
        load_config(None, {}, {"rpc.witnesses": witnesses})
    assert ("http://w",) == load_config(None, {}, {"rpc.witnesses": ("http://w",)}).rpc.witnesses
