import base64
import re
import warnings
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest
from matplotlib.figure import Figure
from support import browser

from lib.base.chart import COLOURS, INK, INK_DARK, INK_LIGHT, Chart, show_times, style

WHITE, DARK = "#ffffff", "#111111"  # of JupyterLab's two themes


def drawn(text='3 <bars> & "more"'):
    with style():
        figure = Figure(figsize=(4, 2), layout="constrained")
        axes = figure.subplots()
        axes.barh(["a"], [3])[0].set_gid("bar-0")
        axes.scatter([1, 2], [0, 1], s=4).set_gid("dots")
    return Chart(figure, text, {"bar-0": ["a: 3"], "dots": ["<one>", "two"], "absent": ["never"]})


def svg_of(chart):
    return base64.b64decode(re.search(r"base64,([^\"]*)", chart._repr_mimebundle_()["text/html"])[1]).decode()


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_its_text_is_beside_it_and_is_all_there_is_of_it_elsewhere():
    chart = drawn()
    bundle = chart._repr_mimebundle_()
    assert repr(chart) == bundle["text/plain"] == '3 <bars> & "more"'
    assert 'alt="3 &lt;bars&gt; &amp; &quot;more&quot;"' in bundle["text/html"]


def test_the_same_figure_gives_the_same_picture_without_a_background():
    assert svg_of(drawn()) == svg_of(drawn())
    svg = svg_of(drawn())
    ElementTree.fromstring(svg)
    assert INK not in svg
    assert "currentColor" in svg
    assert "*{" not in svg  # no style that would be a page's own


def test_what_is_in_it_can_be_pointed_at():
    root = ElementTree.fromstring(svg_of(drawn()))
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a: 3", "<one>", "two"]


@pytest.mark.parametrize(("background", "ink"), [(WHITE, INK_LIGHT), (DARK, INK_DARK)])
def test_it_is_legible_on_both_grounds(background, ink):
    assert contrast(ink, background) >= 4.5  # https://www.w3.org/TR/WCAG22/#contrast-minimum
    assert [each for each in COLOURS if contrast(each, background) < 3] == []  # #non-text-contrast


@pytest.mark.parametrize(
    ("scheme", "ground", "ink"), [("light", "#fff", "#222222"), ("dark", "#111", "#eeeeee")]
)
def test_in_a_browser_it_has_the_colours_of_the_page(scheme, ground, ink):
    with browser.browser() as chromium:
        page = chromium.new_page()
        theme = f"data-jp-theme-light={str(scheme == 'light').lower()}"
        chart = drawn()._repr_mimebundle_()["text/html"]
        page.set_content(f'<body {theme} style="background:{ground};color:{ink}">{chart}')
        picture = page.get_by_role("img", name="bars")
        assert picture.evaluate("svg => svg.tagName") == "svg"
        colour = picture.locator("text").first.evaluate("text => getComputedStyle(text).fill")
        assert colour == f"rgb({', '.join(str(int(ink[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.mark.parametrize("most", [6, 8])
@pytest.mark.parametrize(
    "lasts",
    ["0s", "1s", "59s", "90s", "35min", "100min", "3h", "7h", "23h", "2D", "9D", "40D", "400D", "1900D"],
)
def test_times_of_any_length_have_few_marks_and_no_warning(lasts, most):
    first = pd.Timestamp("2026-11-30T15:54:43.894Z")
    with style(), warnings.catch_warnings(action="error"):
        figure = Figure(figsize=(4, 2), layout="constrained")
        axes = figure.subplots()
        axes.plot([first, first + pd.Timedelta(lasts)], [0, 1])
        show_times(axes, most)
        Chart(figure, "times").svg()
    begin, end = axes.get_xlim()
    seen = [tick for tick in axes.get_xticks() if begin <= tick <= end]
    assert 1 <= len(seen) <= most
    assert end - begin <= 1.2 * (pd.Timedelta(lasts) + pd.Timedelta("1min")) / pd.Timedelta("1D")
