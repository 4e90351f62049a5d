"""The analyst's notebook where nothing is deployed; with all pipelines it runs in test_outputs.py."""

import papermill
import pytest
from support.headless import Deployed


def test_it_says_which_notebook_has_not_run(local_aws, tmp_path):
    analyze = Deployed("60_analyze", tmp_path, {"env": "tanalyze"})
    try:
        with pytest.raises(
            papermill.PapermillExecutionError, match="migrate has no database .* `runbook run migrate`"
        ):
            analyze.run()
        assert analyze.counts(mode="plan", exercise=False)["to create"] == 0
    finally:
        analyze.destroy()
