"""What stands in objects never stands in the logs, whatever is wrong with them.

*index*, *replicate* and *consume* have such a check in their own tests; the others read no object.
"""

import pytest
from support.summaries import Summaries

CANARY = "canary-4111-1111"
GOOD = f"name,price\n{CANARY},1.5\n{CANARY},2.5\n"
BODIES = {
    "good": GOOD.encode(),
    "in the header": f"{CANARY},{CANARY}\n1,2\n".encode(),
    "too many fields": f"a,b\n1,2\n{CANARY},{CANARY},{CANARY}\n".encode(),
    "an open quote": f'a,b\n1,"{CANARY}\n'.encode(),
    "not UTF-8": f"a,b\n{CANARY},".encode() + b"\xff\xfe\n",
    "a null byte": f"a,b\n{CANARY},\0\n".encode(),
    "gzip that is none": b"\x1f\x8b" + CANARY.encode(),
    "no lines": CANARY.encode(),
    "very long": (f"a,b\n{CANARY}," + "x" * 3_000_000 + "\n").encode(),
}


@pytest.fixture(scope="module")
def summarize(operator, as_handler):
    return Summaries.make(operator, as_handler)


@pytest.mark.parametrize("name", BODIES)
def test_summarize(summarize, name, monkeypatch, capfd):
    log = summarize.log(monkeypatch)
    summary, rejection = summarize.of(BODIES[name], f"{name}.csv")
    assert summary or rejection
    assert f"{name}.csv" in log.getvalue()
    printed = capfd.readouterr()
    for text in (log.getvalue(), printed.out, printed.err):
        assert CANARY not in text
