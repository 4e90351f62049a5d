"""The table of the rules in docs/truth.md: `python -m lib.preflight.truth` writes it anew."""

from pathlib import Path

from lib.paths import ROOT
from lib.preflight.violations import rules

DOCUMENT = ROOT / "docs/truth.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"
COLUMNS = ("rule", "what must hold", "AWS's answer otherwise", "MiniStack", "our check", "our test")
TESTS = ("tests/preflight/breaking.py", "tests/preflight/test_stack.py")


def table() -> str:
    """Return the table of all rules, in Markdown: AWS's answer links to its source."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, rule) for name, rule in rules().items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(document: Path = DOCUMENT) -> None:
    """Put the table into a document, between the two marks.

    Args:
        document: The file.
    """
    text = document.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", "utf-8")


def _row(name: str, rule: dict[str, str]) -> tuple[str, ...]:
    answer = f"[{rule['aws'].replace('|', '/')}]({rule['source']})"
    checks = _links(name, (ROOT / "lib").rglob("*.py"))
    tests = _links(name, (ROOT / path for path in TESTS))
    return f"`{name}`", rule["holds"], answer, rule["local"], checks, tests


def _links(name: str, files) -> str:
    """Return links to those files that name a rule."""
    naming = sorted(file.relative_to(ROOT) for file in files if f'"{name}"' in file.read_text("utf-8"))
    return ", ".join(f"[{path.name}](../{path.as_posix()})" for path in naming)


if __name__ == "__main__":
    write()
