"""Runs of notebooks without a person: executing, reporting, going back, and the live tier."""

import sys

# With it jsonschema, which checks that notebooks are well-formed, compiles the grammar of IRIs when it is
# imported: more than a second, and no notebook's schema has an IRI.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
