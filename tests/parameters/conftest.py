"""What the tests of parameters share."""

import pytest

from lib.parameters.model import Parameters


@pytest.fixture
def loaded(tmp_path):
    """Loads parameters from a file of this text, or of these bytes."""

    def load(content: str | bytes, **overrides) -> Parameters:
        (tmp_path / "p.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        return Parameters.load(tmp_path / "p.yaml", **overrides)

    return load
