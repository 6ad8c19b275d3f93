"""Dead code: public names of node/ and wallet/ that nothing in node/, wallet/ or scripts/ uses."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
USERS = ("node", "wallet", "scripts")
EXCLUDED = ("scripts/",)
"""Definitions in these are not checked; what they use counts."""

ALLOWED = {
    "wallet.commands.orders.OrderCommands.resolve_command": "click calls it",
    "node.daemon.loop_turns._Selector.select": "asyncio's event loop calls it",
    "node.replica.catch_up.CatchUp.held": "the simulator checks the bound of buffered blocks by it",
}
"""Unused names that stay, each with its reason."""

WRAPPERS = {
    "abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager", "dataclass",
    "lru_cache", "override", "property", "staticmethod", "wraps",
}  # fmt: skip
"""Decorators that register nothing. A definition with any other decorator counts as used: click calls commands."""


PLACE = re.compile(r"[a-z_.]+:[a-z_]+")
FRAMEWORKS = {"aiohttp", "asyncio", "click"}


class Definition(NamedTuple):
    module: str
    name: str
    """`name` or `Class.name`."""
    node: ast.stmt


class Module(NamedTuple):
    name: str
    path: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]]
    """Local name to (module, name) of `from module import name`."""


def _module(path: Path) -> Module:
    tree = ast.parse(path.read_text("utf-8"))
    imports = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    return Module(name, str(relative), tree, imports)


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _has_foreign_base(statement: ast.ClassDef, module: Module) -> bool:
    """Whether a base class, or one of its own, is a framework's, which calls the methods that the class overrides."""
    roots = [ast.unparse(base).partition(".")[0].partition("[")[0] for base in statement.bases]
    sources = [module.imports.get(root, (root, ""))[0].partition(".")[0] for root in roots]
    own = [each for each in module.tree.body if isinstance(each, ast.ClassDef) and each.name in roots]
    return any(source in FRAMEWORKS for source in sources) or any(_has_foreign_base(each, module) for each in own)


def _is_registered(statement: ast.stmt) -> bool:
    decorators = getattr(statement, "decorator_list", [])
    names = [ast.unparse(each.func if isinstance(each, ast.Call) else each).rpartition(".")[2] for each in decorators]
    return any(name not in WRAPPERS for name in names)


def definitions(module: Module) -> Iterator[Definition]:
    """Public functions, classes and constants of a module, and public methods of its classes."""
    for statement in module.tree.body:
        if _is_registered(statement):
            continue
        for name in _names(statement):
            if not name.startswith("_"):
                yield Definition(module.name, name, statement)
        if isinstance(statement, ast.ClassDef) and not _has_foreign_base(statement, module):
            for inner in statement.body:
                is_method = isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
                if is_method and not inner.name.startswith("_") and not _is_registered(inner):
                    yield Definition(module.name, f"{statement.name}.{inner.name}", inner)


def _uses(tree: ast.AST) -> tuple[Counter[str], Counter[str]]:
    """How often each bare name and each attribute occurs."""
    names = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    attributes = Counter(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return names, attributes


def _places(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every string `module:name`: a command that is imported when it is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PLACE.fullmatch(node.value):
            module, _, name = node.value.partition(":")
            yield module, name


def unused(modules: list[Module]) -> set[str]:
    """`module.name` of every definition outside `EXCLUDED` that nothing but itself uses.

    A method counts as used if any attribute of its name is. A name imported from a module that imports it itself counts
    for the module that defines it.
    """
    by_name = {module.name: module for module in modules}
    names = {module.name: _uses(module.tree)[0] for module in modules}
    attributes: Counter[str] = sum((_uses(module.tree)[1] for module in modules), Counter())
    imported: set[tuple[str, str]] = set()
    for module in modules:
        for local, (source, name) in module.imports.items():
            while source in by_name and name in by_name[source].imports:
                source, name = by_name[source].imports[name]
            if names[module.name][local]:
                imported.add((source, name))

    imported |= {place for module in modules for place in _places(module.tree)}

    def is_used(each: Definition) -> bool:
        own_names, own_attributes = _uses(each.node)
        _, _, last = each.name.rpartition(".")
        if attributes[last] > own_attributes[last]:
            return True
        if last != each.name:
            return False
        return (each.module, last) in imported or names[each.module][last] > own_names[last]

    judged = [module for module in modules if not module.path.startswith(EXCLUDED)]
    return {f"{each.module}.{each.name}" for module in judged for each in definitions(module) if not is_used(each)}


def test_nothing_public_is_unused() -> None:
    dead = unused([_module(path) for user in USERS for path in sorted((ROOT / user).rglob("*.py"))])
    assert dead - set(ALLOWED) == set()
    assert set(ALLOWED) - dead == set(), "used by now, or gone"


def test_the_scan_sees_what_is_unused(tmp_path: Path) -> None:
    text = """
from a.b import imported
SPARE = 1
USED = 2
class Thing:
    def spare(self): return self.spare()
    def used(self): return USED
def recursive(): return recursive()
def user(thing: Thing): return imported, thing.used()
"""
    module = Module("a.c", "a/c.py", ast.parse(text), {"imported": ("a.b", "imported")})
    other = Module("a.b", "a/b.py", ast.parse("def imported(): ..."), {})
    assert {"a.c.SPARE", "a.c.Thing.spare", "a.c.recursive", "a.c.user"} == unused([module, other])
