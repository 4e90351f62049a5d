import base64
import threading
from io import BytesIO

import pytest
from botocore.exceptions import ClientError
from support import browser

from lib.base.errors import ParameterError
from lib.base.waits import Wait
from lib.operate import own_file
from lib.operate.own_file import Chooser, chooser
from lib.s3.objects import Place


class Shown:
    """Stands for the widget: keeps each state that it is given."""

    def __init__(self):
        self.states = []

    @property
    def state(self):
        return self.states[-1]

    @state.setter
    def state(self, value):
        self.keep(value)

    def keep(self, value):
        self.states.append(value)


class Somewhere:
    """Stands for S3: keeps what is put, as boto3's transfer reads it."""

    def __init__(self):
        self.kept = {}

    def upload_fileobj(self, file, bucket, key, **_):  # noqa: N803
        self.kept[key] = file.read()

    def head_object(self, Bucket, Key, **_):  # noqa: N803
        return {"ContentLength": len(self.kept[Key]), "VersionId": "v1", "Metadata": {}}


def send(to, name, body, chunk=4):
    """Give a file over as the browser does, part by part."""
    shown = Shown()
    to.receive(shown, {"id": "1", "name": name, "size": len(body)}, [])
    while "next" in shown.states[-1] and shown.states[-1]["next"] < len(body):
        at = shown.states[-1]["next"]
        to.receive(shown, {"id": "1", "at": at}, [memoryview(body[at : at + chunk])])
    return shown.states


@pytest.fixture
def place():
    return Place(Somewhere(), "some-bucket")


def followed(uploads):
    print(f"looked at {len(uploads)}")
    return uploads[["key", "bytes"]].assign(state="<there>")


@pytest.mark.parametrize("body", [b"", b"abc", b"0123456789" * 3])
def test_a_file_comes_whole_and_is_followed(place, body):
    states = send(Chooser(followed, place, key_prefix="own/", suffixes=[""]), "C:\\dir\\ä b.csv", body)
    assert place.client.kept == {"own/ä b.csv": body}
    assert "own/ä b.csv" in states[-1]["end"]
    assert "&lt;there&gt;" in states[-1]["end"]
    assert "looked at 1" in states[-1]["end"]
    numbers = [state["number"] for state in states if "number" in state]
    assert len(set(numbers)) == len(numbers)


def test_two_views_of_one_chooser_never_mix_their_files(place):
    """The newer one goes on; the older one is told, and what it sends is in no file."""
    one, shown = Chooser(followed, place, key_prefix="", suffixes=[".csv"]), Shown()
    one.receive(shown, {"id": "a", "name": "a.csv", "size": 6}, [])
    one.receive(shown, {"id": "a", "at": 0}, [b"aaa"])
    one.receive(shown, {"id": "c", "name": "no.pdf", "size": 3}, [])
    assert (shown.state["id"], "wrong" in shown.state) == ("c", True)
    one.receive(shown, {"id": "b", "name": "b.csv", "size": 6}, [])
    one.receive(shown, {"id": "a", "at": 3}, [b"aaa"])
    assert shown.state["id"] == "a"
    assert "another file was chosen meanwhile" in shown.state["wrong"]
    one.receive(shown, {"id": "b", "at": 0}, [b"bbb"])
    assert (shown.state["id"], shown.state["next"]) == ("b", 3)
    one.receive(shown, {"id": "b", "at": 3}, [b"bbb"])
    assert place.client.kept == {"b.csv": b"bbbbbb"}
    assert (shown.state["id"], "end" in shown.state) == ("b", True)
    assert all("id" in state for state in shown.states)


def test_a_name_that_is_refused_does_not_end_what_another_view_sends(place):
    one, shown = Chooser(followed, place, key_prefix="", suffixes=[".csv"]), Shown()
    one.receive(shown, {"id": "a", "name": "a.csv", "size": 3}, [])
    one.receive(shown, {"id": "b", "name": "b.pdf", "size": 3}, [])
    one.receive(shown, {"id": "a", "at": 0}, [b"aaa"])
    assert place.client.kept == {"a.csv": b"aaa"}


VIEWS = """async (script) => {
    const handlers = [];
    const state = { told: "", accept: "", chunk: 4, state: {} };
    globalThis.model = {
        sent: [],
        get: (name) => state[name],
        on: (event, told) => handlers.push(told),
        send: (message, _, parts) => {
            const bytes = (parts ?? []).map((part) => new TextDecoder().decode(part));
            model.sent.push([message, bytes]);
        },
        answer: (next) => ((state.state = next), handlers.forEach((told) => told())),
    };
    const chooser = await import(`data:text/javascript;base64,${script}`);
    for (const name of ["one", "other"]) {
        const el = document.body.appendChild(document.createElement("div"));
        el.id = name;
        chooser.default.render({ model, el });
    }
}"""


def test_in_a_browser_two_views_send_their_own_files(place):
    chooser = Chooser(followed, place, key_prefix="", suffixes=[])
    with browser.browser() as chromium:
        page = chromium.new_page()
        page.evaluate(VIEWS, base64.b64encode(own_file.SCRIPT.read_bytes()).decode())
        for view, name in (("one", "a.csv"), ("other", "b.csv")):
            file = {"name": name, "mimeType": "text/csv", "buffer": name[:1].encode() * 9}
            page.locator(f"#{view} input").set_input_files(file)
        page.wait_for_function("model.sent.length == 2")
        ended: set[str] = set()
        while len(ended) < 2:
            page.wait_for_function("model.sent.length")
            content, parts = page.evaluate("model.sent.shift()")
            shown = Shown()
            chooser.receive(shown, content, [part.encode() for part in parts])
            ended |= {state["id"] for state in shown.states if "end" in state or "wrong" in state}
            for state in shown.states:
                page.evaluate("state => model.answer(state)", state)
        assert place.client.kept == {"b.csv": b"b" * 9}
        assert "chosen meanwhile" in page.locator("#one .wrong").inner_text()
        assert page.locator("#one table").count() == 0
        assert "b.csv" in page.locator("#other table").inner_text()
        assert page.locator("#other .wrong").inner_text() == ""


@pytest.mark.parametrize("name", ["a.pdf", "a.CSV", "a.csv.zip", "..", "/", "a\x1bb.csv", f"{10**1025}.csv"])
def test_what_the_pipeline_would_not_follow_is_refused_before_it_is_sent(place, name):
    one = Chooser(followed, place, key_prefix="own/", suffixes=[".csv", ".csv.gz"])
    states = send(one, name, b"abc")
    assert [*states[-1]] == ["wrong", "id", "number"]
    assert place.client.kept == {}
    again = send(one, name, b"abc")  # the same once more is said once more
    assert again[-1] != states[-1]


def test_an_error_of_aws_says_what_to_do_and_the_next_file_is_taken(place):
    def fails(uploads):
        raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "gone"}}, "PutObject")

    one = Chooser(fails, place, key_prefix="", suffixes=[])
    assert "Run the cells Plan and Apply" in send(one, "a.csv", b"abc")[-1]["wrong"]
    one._follow = followed
    assert "end" in send(one, "b.csv", b"abc")[-1]


def test_an_interruption_ends_it_and_no_other(place):
    def interrupted(uploads):
        raise KeyboardInterrupt

    one = Chooser(interrupted, place, key_prefix="", suffixes=[])
    assert "interrupted" in send(one, "a.csv", b"abc")[-1]["wrong"]


def test_what_is_awaited_is_shown_in_the_widget(place, monkeypatch):
    monkeypatch.setattr("lib.base.waits.DELAY_S", 0.01)
    seen = threading.Event()

    class Seen(Shown):
        def keep(self, value):
            super().keep(value)
            if "In place" in value.get("status", ""):
                seen.set()

    shown = Seen()

    def waits(uploads):
        with Wait("In place", total=1, unit="object") as wait:
            wait.say("soon")
            assert seen.wait(60)
        return followed(uploads)

    one = Chooser(waits, place, key_prefix="", suffixes=[])
    one.receive(shown, {"id": "1", "name": "a", "size": 0}, [])
    assert any("In place 0 of 1 object" in state.get("status", "") for state in shown.states)


def test_where_nobody_looks_it_says_how_else(place):
    shown = chooser(followed, place, key_prefix="own/", suffixes=[".csv"])
    assert "aws s3 cp FILE s3://some-bucket/own/" in repr(shown)
    assert [*shown._repr_mimebundle_()] == ["text/plain"]


def test_the_follower_is_told_what_it_is_to_know(place, monkeypatch):
    seen = {}

    def follow(uploads, **told):
        seen.update(told)
        return uploads

    made = {}
    monkeypatch.setattr(own_file, "widget", lambda script, state, told: made.update(state=state, told=told))
    shown = chooser(
        follow, place, suffixes=[".csv", ".csv.gz", ""], also="Small.", place="there", timeout_s=3
    )
    shown._begin()
    assert made["state"]["accept"] == ".csv,.gz"
    assert made["state"]["told"].endswith("Small.")
    made["told"](Shown(), {"id": "1", "name": "a.csv", "size": 0}, [])
    assert seen == {"place": "there", "timeout_s": 3}


def test_a_file_of_ones_own_is_read_anew_as_often_as_somebody_asks():
    own = own_file.OwnFile("k", b"", file=BytesIO(b"abc"))
    for _ in range(2):
        with own.open() as body:
            assert body.read() == b"abc"
    assert own.size == 3
    with pytest.raises(ParameterError):
        Chooser(followed, Place(None, "b"), key_prefix="", suffixes=[]).key_of("")
