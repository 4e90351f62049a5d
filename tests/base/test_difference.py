"""Differences of long values, for people who review a change."""

import io
import zipfile

from lib.base.difference import LINES, first_differing, of_values, of_zips


def zipped(**files: str | bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        for name, content in files.items():
            bundle.writestr(name.replace("__", "."), content)
    return archive.getvalue()


def test_of_a_policy_only_what_differs_is_shown():
    before = {f"S{n}": {"Action": [f"s3:Do{n}"], "Effect": "Allow"} for n in range(50)}
    after = {**before, "S7": {"Action": ["s3:DoOther"], "Effect": "Allow"}}
    lines = of_values("policy", before, after)
    assert [line for line in lines if line[0] in "+-" and not line.startswith(("---", "+++"))] == [
        '-   "s3:Do7"',
        '+   "s3:DoOther"',
    ]
    assert len(lines) < 15


def test_what_was_not_there_is_new_and_equal_values_differ_in_nothing():
    assert of_values("a", {"x": 1}, {"x": 1}) == []
    assert "+ok" in of_values("a", None, "ok")


def test_of_code_each_text_has_its_diff_and_all_else_its_size():
    old = zipped(handler__py="a = 1\nb = 2\n", gone__py="x\n", data__bin=b"\0\1", same__py="s\n")
    new = zipped(handler__py="a = 1\nb = 3\n", data__bin=b"\0\1\2", same__py="s\n")
    text = "\n".join(of_zips("code", old, new))
    for part in ("-b = 2\n+b = 3", "code/gone.py (is)", "-x", "code/data.bin: 2 bytes → 3 bytes"):
        assert part in text
    assert "same.py" not in text


def test_it_has_an_end():
    lines = of_zips("code", zipped(), zipped(a__py="\n".join(map(str, range(3 * LINES)))))
    assert len(lines) == LINES + 1
    assert lines[-1].startswith("… and ")
    assert of_zips("code", b"no zip", zipped()) == []


def test_two_long_texts_are_cut_where_they_begin_to_differ():
    one, other = "x" * 100 + "A" + "y" * 100, "x" * 100 + "B" + "y" * 100
    assert [each[:15] for each in first_differing(one, other)] == ["…xxxxxxxxxxAyyy", "…xxxxxxxxxxByyy"]
    assert [*first_differing("ab", "cd")] == ["ab", "cd"]
