from pathlib import Path

import pytest
import yaml

from lib.base import yaml_file
from lib.base.paths import ROOT

FILES = [path for folder in ("lib", "handlers") for path in sorted((ROOT / folder).rglob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_says_what_pyyaml_itself_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = yaml.safe_load(path.read_text("utf-8"))
    assert yaml_file.read(path) == plain
    monkeypatch.setattr(yaml_file, "LOADER", yaml.SafeLoader)  # where there is no libyaml
    assert yaml_file.read(path) == plain


@pytest.mark.parametrize("text", ["a: [", "!!python/name:os.system", "a: b: c"])
def test_what_is_no_plain_yaml_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(yaml.YAMLError):
        yaml_file.read(tmp_path / "file.yaml")
