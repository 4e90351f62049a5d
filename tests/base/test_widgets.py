from lib.base.widgets import Clickable, widget


def test_a_widget_has_the_script_and_the_state_and_tells_what_it_is_sent(tmp_path):
    script = tmp_path / "some.js"
    script.write_text("export default { render() {} }")
    told = []
    made = widget(script, {"n": 1}, lambda shown, content, buffers: told.append((content, buffers)))
    assert made.get_state()["n"] == 1
    assert "export default" in made.get_state()["_esm"]
    made.n = 2
    assert made.get_state()["n"] == 2
    made._handle_custom_msg({"name": "a"}, [memoryview(b"x")])
    assert told == [({"name": "a"}, [b"x"])]


def test_no_widget_is_made_where_nobody_looks():
    shown = Clickable("what else to do", lambda: 1 / 0)
    assert repr(shown) == "what else to do"
    assert shown._repr_mimebundle_() == {"text/plain": "what else to do"}
