"""Settings of a program: flags override the environment, which overrides `config.toml`. Unknown keys are rejected."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta

from node.errors import OperatorError

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section of `config.toml`. Every key has a default and, in its type, a text for operators."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of `config.toml`, as its `Section` declares it."""

    type: Any
    default: Any
    text: str

    @property
    def base(self) -> Any:
        """bool, int, str or tuple[str, ...]."""
        return get_args(self.type)[0]

    @property
    def expected(self) -> str:
        """The values that are valid, for an error text."""
        if self.base is int:
            minimum = next(item.ge for item in get_args(self.type) if isinstance(item, Meta))
            return f"a whole number from {minimum}"
        return {bool: "true or false", str: "a string"}.get(self.base, "a list of strings")


C = TypeVar("C", bound=msgspec.Struct)


class Settings(Generic[C]):
    """The settings of a program, as the `Section`s of `kind` declare them."""

    def __init__(self, kind: type[C], program: str, env_prefix: str, not_settings: tuple[str, ...] = ()) -> None:
        """`env_prefix`: of environment variables `<prefix><SECTION>_<KEY>`, of a single section `<prefix><KEY>`;
        `not_settings`: variables that begin with it, and are none."""
        self._kind, self._program, self._prefix, self._not_settings = kind, program, env_prefix, not_settings
        self.sections = {field.name: _settings(field.type) for field in msgspec.structs.fields(kind)}
        """Every setting, by section and key."""
        self._variables = {
            env_prefix + (key if len(self.sections) == 1 else f"{section}_{key}").upper(): (section, key)
            for section, keys in self.sections.items() for key in keys
        }  # fmt: skip

    def load(self, path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> C:
        """`flags` by "section.key", None where not given. Raises `OperatorError`, which names the key and the fix."""
        values: dict[str, dict[str, Any]] = {section: {} for section in self.sections}
        if path is not None and path.exists():
            self._read_file(path, values)
        for name, text in environment.items():
            if not name.startswith(self._prefix) or name in self._not_settings:
                continue
            if name not in self._variables:
                near = _nearest(name, list(self._variables))
                raise OperatorError(f"the environment variable {name} names no setting{near}")
            section, key = self._variables[name]
            values[section][key] = _from_text(name, text, self.sections[section][key])
        for name, value in flags.items():
            if value is not None:
                section, key = name.split(".")
                values[section][key] = value
        return msgspec.convert(values, self._kind)

    def _read_file(self, path: Path, values: dict[str, dict[str, Any]]) -> None:
        try:
            document = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OperatorError(f"{path} is not TOML: {error}") from None
        except OSError as error:
            raise OperatorError(f"{path} can't be read: {error.strerror}") from None
        for section, keys in document.items():
            if section not in self.sections or not isinstance(keys, dict):
                raise OperatorError(f"{path}: unknown section [{section}]{_nearest(section, list(self.sections))}")
            known = self.sections[section]
            for key, value in keys.items():
                if key not in known:
                    raise OperatorError(f"{path}: unknown key {section}.{key}{_nearest(key, list(known))}")
                values[section][key] = _decoded(f"{path}: {section}.{key}", value, known[key])

    def text(self, overrides: Mapping[str, Any]) -> str:
        """`config.toml` with every setting commented; `overrides` by "section.key" are set, the rest shows its
        default."""
        variable = self._prefix + ("<KEY>" if len(self.sections) == 1 else "<SECTION>_<KEY>")
        lines = [f"# Every setting of {self._program}. Flags and {variable} take precedence.", ""]
        for section, keys in self.sections.items():
            lines.append(f"[{section}]")
            for key, setting in keys.items():
                lines.append(f"# {setting.text}")
                name = f"{section}.{key}"
                if name in overrides:
                    lines.append(f"{key} = {_toml(overrides[name])}")
                else:
                    lines.append(f"# {key} = {_toml(setting.default)}")
            lines.append("")
        return "\n".join(lines)


def _settings(section: type[Section]) -> dict[str, Setting]:
    fields = msgspec.structs.fields(section)
    return {field.name: Setting(field.type, field.default, get_args(field.type)[-1]) for field in fields}


def _nearest(word: str, names: list[str]) -> str:
    nearest = difflib.get_close_matches(word, names, 1, 0.0)
    return f"; the nearest known is '{nearest[0]}'" if nearest else ""


def _decoded(where: str, value: Any, setting: Setting) -> Any:
    try:
        return msgspec.convert(value, setting.type)
    except msgspec.ValidationError:
        raise OperatorError(f"{where} must be {setting.expected}, not {value!r}") from None


def _from_text(where: str, text: str, setting: Setting) -> Any:
    """The value that an environment variable sets."""
    if setting.base is bool:
        value: Any = {"true": True, "false": False}.get(text.lower(), text)
    elif setting.base is int:
        try:
            value = int(text)
        except ValueError:
            raise OperatorError(f"{where} must be a whole number, not {text!r}") from None
    elif setting.base is str:
        value = text
    else:
        value = [item for item in text.split(",") if item]
    return _decoded(where, value, setting)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
