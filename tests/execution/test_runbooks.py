"""The list of notebooks is read from the notebooks."""

import json

from lib.execution import runbooks


def test_each_notebook_is_told_of_by_its_title(tmp_path):
    titles = {"10_mine": "# mine: what <it> is", "70_other": "# how *is* it?", "draft": "# x"}
    for name, title in titles.items():
        cells = [{"cell_type": "markdown", "source": [f"{title}\n", "\n", "More."]}]
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    table = runbooks.table(tmp_path)
    assert table.to_numpy().tolist() == [["10_mine", "what <it> is"], ["70_other", "how *is* it?"]]
    assert '<a href="10_mine.ipynb">10_mine</a></td><td>what &lt;it&gt; is' in table._repr_html_()
    assert '<table class="runbook-table">' in table._repr_html_()
    assert repr(table).splitlines()[0] == "10_mine        what <it> is"


def test_it_has_those_that_there_are():
    assert {"00_start", "90_destroy"} <= set(runbooks.table()["notebook"])
