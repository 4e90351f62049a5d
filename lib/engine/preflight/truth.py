"""Numbers and table of the rules in docs/truth.md; `python -m lib.engine.preflight.truth` writes them."""

from pathlib import Path

from lib.base.marked import with_part
from lib.base.paths import ROOT
from lib.engine.preflight.violations import rules

DOCUMENT = ROOT / "docs/truth.md"
TABLE = "rules"  # the parts of the document
SEEN = "seen"
COLUMNS = ("rule", "what must hold", "AWS's answer otherwise", "if broken", "MiniStack", "check", "test")
OF_ACCOUNT = [f"tests/engine/preflight/test_{name}.py" for name in ("account", "guests", "own_rights")]
OF_ACCOUNT += ["tests/engine/preflight/test_account_set_up.py"]
TESTS = ("tests/support/cases/*.py", *OF_ACCOUNT)


def table() -> str:
    """Return the table of all rules, in Markdown: AWS's answer, its source, where it was seen."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, rule) for name, rule in rules().items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def seen() -> str:
    """Return of how many rules AWS's answer was seen, and of which it was not, in Markdown."""
    unseen = [f"`{name}`" for name, rule in rules().items() if "seen" not in rule]
    count = f"AWS's answer to {len(rules()) - len(unseen)} of the {len(rules())} rules was seen"
    return f"{count}, to {len(unseen)} it was not: {', '.join(unseen)}.\n" if unseen else f"{count}.\n"


def write(document: Path = DOCUMENT) -> None:
    """Put the numbers and the table into a document, each between its two marks.

    Args:
        document: The file.
    """
    text = with_part(document.read_text("utf-8"), SEEN, seen())
    document.write_text(with_part(text, TABLE, f"\n{table()}\n"), "utf-8")


def _row(name: str, rule: dict[str, str]) -> tuple[str, ...]:
    where = f"[seen]({_address(rule['seen'])})" if "seen" in rule else "not seen"
    answer = f"[{rule['aws'].replace('|', '/')}]({rule['source']}) ({where})"
    checks = _links(name, (ROOT / "lib").rglob("*.py"))
    tests = _links(name, (path for pattern in TESTS for path in ROOT.glob(pattern)))
    broken = "warning" if rule.get("advice") else "refused"
    return f"`{name}`", rule["holds"], answer, broken, rule["local"], checks, tests


def _address(seen: str) -> str:
    """Return the address of a page, or of a file that is named as owner/repository:path on GitHub."""
    if seen.startswith("https://"):
        return seen
    repository, path = seen.split(":")
    return f"https://github.com/{repository}/blob/HEAD/{path}"


def _links(name: str, files) -> str:
    """Return links to those files that name a rule."""
    naming = sorted(file.relative_to(ROOT) for file in files if f'"{name}"' in file.read_text("utf-8"))
    return ", ".join(f"[{path.name}](../{path.as_posix()})" for path in naming)


if __name__ == "__main__":
    write()
