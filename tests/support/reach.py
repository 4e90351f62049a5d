"""Which parameters a notebook reaches: read in its cells, or by what they call in `lib`, however deep.

Nothing is run. It errs on the side of more: a function is reached if it is named anywhere in what is reached,
a method if a class that has it is, and its name is read of anything at all.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from lib.base.paths import ROOT
from lib.operate import facts
from lib.parameters import Parameters

EVERY_PIPELINES = "expected"  # the method of the parameters that reads the section of whatever pipeline
Unit = tuple[str, str]  # module and name; a class's method is `Class.method`, the rest of a module is BODY
BODY = ""
# The command line, which no notebook calls; and the parameters themselves, which read all of what is theirs.
NOT_WALKED = ("lib.cli", "lib.parameters", "lib.parameters.sections", "lib.parameters.types")


@dataclass
class Read:
    """What a piece of code says by itself.

    Attributes:
        parameters: Names of parameters that it reads.
        units: What it names of `lib`.
        attributes: The names of all attributes that it reads, of whatever.
    """

    parameters: set[str] = field(default_factory=set)
    units: set[Unit] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)


@dataclass
class Module:
    """A module of `lib`, or a notebook's cells as one."""

    name: str
    functions: dict[str, ast.AST] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)  # a name to what it stands for, in full
    body: list[ast.AST] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    read: dict[str, Read] = field(default_factory=dict)  # what its units read, as far as a walk has asked

    @classmethod
    def of(cls, name: str, source: str) -> "Module":
        module = cls(name)
        tree = ast.parse(source)
        for node in ast.walk(tree):  # also those in a function
            if isinstance(node, ast.Import):
                tops = [(a.asname, a.name, a.name.split(".")[0]) for a in node.names]
                module.imports |= {alias or top: name if alias else top for alias, name, top in tops}
            elif isinstance(node, ast.ImportFrom):
                module.imports |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                module.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                module.classes[node.name] = node
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        module.functions[f"{node.name}.{part.name}"] = part
            elif not isinstance(node, ast.Import | ast.ImportFrom):
                module.body.append(node)
                names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                module.variables |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        return module

    def unit(self, name: str) -> Unit | None:
        """What a name of this module's own stands for; a method of a class is of its own."""
        if name in self.classes or name in self.functions:
            return self.name, name
        return (self.name, BODY) if name in self.variables else None


def lib() -> dict[str, Module]:
    """All of `lib`, by the modules' names."""
    found = {}
    for path in sorted((ROOT / "lib").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module.of(name, path.read_text("utf-8"))
    return found


LIB = cache(lib)


def reached(cells: Iterable[str]) -> set[str]:
    """Return the names of the parameters that cells reach.

    Args:
        cells: The sources of a notebook's cells, plain Python.
    """
    notebook = Module.of("a notebook", "\n".join(cells))
    return Walk({**LIB(), notebook.name: notebook}).run((notebook.name, BODY))


class Walk:
    """A walk along everything that is named."""

    def __init__(self, modules: dict[str, Module]):
        self.modules = modules
        self.seen: set[Unit] = set()
        self.all = Read()

    def run(self, start: Unit) -> set[str]:
        todo = {start}
        while todo:
            for unit in todo:
                self.seen.add(unit)
                read = self._read(*unit)
                self.all.parameters |= read.parameters
                self.all.units |= read.units
                self.all.attributes |= read.attributes
            todo = {unit for unit in {*self.all.units, *self._methods()} if self._is_walked(unit)} - self.seen
        return self.all.parameters

    def _is_walked(self, unit: Unit) -> bool:
        return not unit[0].startswith(NOT_WALKED)

    def _methods(self) -> Iterator[Unit]:
        """The methods of the classes seen, if somebody reads their name, or Python calls them by itself."""
        for module, name in list(self.seen):
            for method in self.modules[module].functions:
                owner, _, called = method.rpartition(".")
                if owner and owner == name and (called in self.all.attributes or called.startswith("__")):
                    yield module, method

    def _read(self, module_name: str, name: str) -> Read:
        """What a unit reads; looked at once for the walks from several notebooks."""
        known = self.modules[module_name].read
        if name not in known:
            known[name] = self._look(module_name, name)
        return known[name]

    def _look(self, module_name: str, name: str) -> Read:
        module, read = self.modules[module_name], Read()
        if name in module.classes:
            node = module.classes[name]
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            parts = [part for part in ast.iter_child_nodes(node) if part not in methods]
        elif name == BODY:
            parts = module.body
        else:
            parts = [module.functions[name]]
        if name != BODY:
            read.units.add((module_name, BODY))
        in_scope = name.startswith("Scope.")
        carriers = {name for part in parts for name in _carriers(part)}
        for part in parts:
            for node in ast.walk(part):
                self._read_node(node, module, carriers, in_scope, read)
        return read

    def _read_node(
        self, node: ast.AST, module: Module, carriers: set[str], in_scope: bool, read: Read
    ) -> None:
        if isinstance(node, ast.Name):
            read.units |= set(self._resolve(module, node.id))
        elif isinstance(node, ast.Attribute):
            read.attributes.add(node.attr)
            if full := _dotted(node, module.imports):
                read.units |= set(self._resolve_full(full))
            if node.attr == "of_pipeline":  # by a name that only the run knows
                read.parameters |= set(facts.pipelines())
            if node.attr == EVERY_PIPELINES and _carries(node.value, carriers, in_scope):
                read.parameters |= set(Parameters.pipelines())
            if node.attr in Parameters.model_fields and _carries(node.value, carriers, in_scope):
                read.parameters.add(node.attr)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "getattr"
            and _carries(node.args[0], carriers, in_scope)
        ):
            raise AssertionError(f"{module.name}, line {node.lineno}: which parameter is read here?")

    def _resolve(self, module: Module, name: str) -> Iterator[Unit]:
        if unit := module.unit(name):
            yield unit
        elif name in module.imports:
            yield from self._resolve_full(module.imports[name])

    def _resolve_full(self, full: str) -> Iterator[Unit]:
        """What a full name stands for; also what another module has it from."""
        owner, _, name = full.rpartition(".")
        if full in self.modules:
            yield full, BODY
        elif owner in self.modules:
            yield from self._resolve(self.modules[owner], name)


def _dotted(node: ast.AST, imports: dict[str, str]) -> str:
    """The full name of `module.name`, where the module is imported; empty if it is not."""
    if isinstance(node, ast.Name):
        return imports.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, imports)):
        return f"{owner}.{node.attr}"
    return ""


def _carriers(part: ast.AST) -> Iterator[str]:
    """The names of variables that hold the parameters: by their annotation, or made of them."""
    for node in ast.walk(part):
        if isinstance(node, ast.arg) and node.annotation and "Parameters" in ast.unparse(node.annotation):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and "Parameters" in ast.unparse(node.annotation):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Assign) and "arameters" in ast.unparse(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _carries(node: ast.AST, carriers: set[str], in_scope: bool) -> bool:
    """Whether an expression is the parameters, or the scope, which has some of them under the same names."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and (
            node.func.attr == "scope" or _carries(node.func.value, carriers, in_scope)
        )
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.endswith(("parameters", "scope")) or name in carriers or (in_scope and name == "self")
