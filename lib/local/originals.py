"""Whether what the corrections replace is still what was reviewed: MiniStack's source is read, not run.

`python -m lib.local.originals` installs the local AWS if need be, and names what is to be reviewed.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeGuard

from lib.local.in_server.correction import ABSENT, Correction
from lib.local.in_server.corrections import CORRECTIONS
from lib.local.install import REQUIREMENTS, ensure_installed, installed_packages

DIGITS = 12
GONE = "is gone"
THERE_NOW = "is there now"
CHANGED = "has changed"
DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Review:
    """Something to review: what a correction replaces is not what it was.

    Attributes:
        correction: Which one.
        target: What it replaces.
        what: `has changed`, `is gone` or `is there now`.
        digest: Of what is there now; to be kept in the record once it was reviewed.
        place: File and line of it, or of the module.
    """

    correction: Correction
    target: str
    what: str
    digest: str
    place: str

    def __str__(self) -> str:
        """What to review, and where."""
        noted = f' (its digest is now "{self.digest}")' if self.digest else ""
        return f"{self.correction.name}: {self.target} {self.what}{noted}: {self.place}"


def version() -> str:
    """Return the version of MiniStack that is pinned."""
    found = re.search(r"^ministack==(\S+)", REQUIREMENTS.read_text("utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{REQUIREMENTS} names no version of MiniStack; compile it: `make requirements`")
    return found[1]


def to_review(packages: Path | None = None) -> list[Review]:
    """Return what is not as it was when the corrections were written; empty if all is.

    Args:
        packages: The site-packages in which MiniStack is; those of the local AWS by default. If it is not
            installed, there is nothing to compare: empty.
    """
    folder = packages or installed_packages()
    if folder is None:
        return []
    trees: dict[str, tuple[Path, ast.Module | None]] = {}
    return [
        review
        for correction in CORRECTIONS.values()
        for target, known in (correction.replaces | correction.goes_by).items()
        if (review := _review(correction, target, known, folder, trees))
    ]


def _review(
    correction: Correction,
    target: str,
    known: str,
    packages: Path,
    trees: dict[str, tuple[Path, ast.Module | None]],
) -> Review | None:
    module, _, path = target.partition(":")
    if module not in trees:
        file = packages.joinpath(*module.split(".")).with_suffix(".py")
        trees[module] = file, ast.parse(file.read_text("utf-8")) if file.exists() else None
    file, tree = trees[module]
    node = find(tree, path) if tree else None
    found = digest(node) if node else ABSENT
    if found == known:
        return None
    what = GONE if node is None else THERE_NOW if known == ABSENT else CHANGED
    return Review(correction, target, what, found, f"{file}:{node.lineno}" if node else str(file))


def find(tree: ast.AST, path: str) -> ast.stmt | ast.expr | None:
    """Return what a module defines by a name; None if it does not.

    Args:
        tree: The module's.
        path: `function`, `Class.method`, `imported_module` or `DICTIONARY[key]`; of an entry that
            names a function, that one.
    """
    name, _, key = path.partition("[")
    if key:
        entries = (_entry(each, key.removesuffix("]")) for each in _dictionaries(tree, name))
        last = next((entry for entry in entries if entry), None)
        return (find(tree, last.id) or last) if isinstance(last, ast.Name) else last
    outer, _, inner = name.partition(".")
    found = [node for node in ast.iter_child_nodes(tree) if _binds(node, outer)]
    if not found:
        return None
    return find(found[-1], inner) if inner else found[-1]


def _binds(node: ast.AST, name: str) -> TypeGuard[ast.stmt]:
    """Return whether a statement defines or imports a name."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name) == name for alias in node.names)
    return isinstance(node, DEFINES) and node.name == name


def _dictionaries(tree: ast.AST, name: str) -> Iterator[ast.Dict]:
    """Yield what is written into a dictionary of a module: where it is made, and by `update`."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Dict() as value) if found == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.Dict() as value) if found == name:
                yield value
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=found), attr="update"), args=[ast.Dict() as value]
                )
            ) if found == name:
                yield value


def _entry(dictionary: ast.Dict, key: str) -> ast.expr | None:
    for name, value in zip(dictionary.keys, dictionary.values, strict=True):
        if isinstance(name, ast.Constant) and name.value == key:
            return value
    return None


def digest(node: ast.AST) -> str:
    """Return a digest of what code says, not of comments, docstrings and lines; one for every Python."""
    return sha256(repr(_facts(node)).encode()).hexdigest()[:DIGITS]


def _facts(node: object) -> object:
    if isinstance(node, list):
        return [_facts(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    # What is empty is left out: later Pythons have more fields.
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, DEFINES) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    return type(node).__name__, [(name, _facts(value)) for name, value in fields.items()]


def main() -> None:
    """Print what is to be reviewed; ends with 1 if anything is."""
    ensure_installed()
    found = to_review()
    for each in found:
        print(each)
    print(f"MiniStack {version()}: {len(found) or 'none'} of its functions that are replaced to be reviewed")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
