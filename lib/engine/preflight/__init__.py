"""What AWS would refuse or not do of a stack, found before anything is written.

The local AWS takes much that AWS refuses, so that its word proves nothing: these are AWS's rules. They are
listed with AWS's answers in docs/truth.md.
"""

from lib.engine.preflight.violations import Violation, check, look, require, require_own

__all__ = ["Violation", "check", "look", "require", "require_own"]
