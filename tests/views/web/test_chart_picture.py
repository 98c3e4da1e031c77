"""The picture of a chart, drawn by the page's own code in a real browser under the page's own policy."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, Page, Route

import farscope.views.web
from farscope.views.web.auth import HEADERS
from support import charts_to_draw as samples

pytestmark = pytest.mark.browser

STATIC = Path(farscope.views.web.__file__).parent / "static"
ADDRESS = "http://localhost/"
PAGE = """<!doctype html><html><head><link rel="stylesheet" href="/static/base.css">
<link rel="stylesheet" href="/static/chart-picture.css"><link rel="stylesheet" href="/static/room.css"></head>
<body><svg id="picture" class="picture" xmlns="http://www.w3.org/2000/svg"></svg></body></html>"""
ROOM = "#picture { position: fixed; left: 0; top: 0; width: 1200px; height: 800px; }"
SVG = "{http://www.w3.org/2000/svg}"
X = "\N{MULTIPLICATION SIGN}"
NEAR = 1.0
"""Pixels by which a drawn box may differ from where it was laid, for rounding."""


@pytest.fixture(scope="module")
def room(browser: Browser) -> Iterator[Page]:
    """Give a page with nothing but an empty picture and the real headers."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        known = {"": PAGE, "static/room.css": ROOM, "favicon.ico": ""}
        body = known[path].encode() if path in known else (STATIC / Path(path).name).read_bytes()
        kind = mimetypes.guess_type(path)[0] or "text/html"
        route.fulfill(body=body, headers={**HEADERS, "content-type": kind})

    page.route("**/*", serve)
    page.goto(ADDRESS)
    yield page
    page.close()


@pytest.fixture
def paper(room: Page) -> Iterator[Page]:
    """Give the page, emptied; whatever its console says fails the test."""
    said: list[str] = []
    listeners = {
        "console": lambda message: said.append(message.text),
        "pageerror": lambda error: said.append(str(error)),
    }
    for event, listener in listeners.items():
        room.on(event, listener)
    room.evaluate("""async () => {
        const { ChartPicture } = await import("/static/chart-picture.js");
        document.getElementById("picture").replaceChildren();
        window.picture = new ChartPicture(document.getElementById("picture"));
    }""")
    yield room
    for event, listener in listeners.items():
        room.remove_listener(event, listener)
    assert not said


def draw(page: Page, chart: samples.Chart) -> None:
    page.evaluate("one => window.picture.setStructure(one.structure, one.transitions, one.leaves)", chart)


def light(page: Page, state: str | list[str], *last: dict[str, str]) -> None:
    """Light the leaves of a configuration, and mark the transitions that led to it."""
    leaves = [state] if isinstance(state, str) else state
    page.evaluate("([leaves, last]) => window.picture.setActive(leaves, last)", [leaves, last])


def boxes(page: Page) -> dict[str, dict[str, float]]:
    """Return where each state's box is, by name, as the browser drew it."""
    return page.evaluate("""() => Object.fromEntries(
        [...document.querySelectorAll("#picture .state")].map((state) => {
            const { x, y, width, height } = state.querySelector(".body").getBBox();
            return [state.dataset.state, { left: x, top: y, right: x + width, bottom: y + height }];
        }))""")


def written(page: Page) -> list[dict[str, float]]:
    """Return where the labels of arrows are."""
    return page.evaluate("""() => [...document.querySelectorAll("#picture .arrow .lines")].map((label) => {
        const { x, y, width, height } = label.getBBox();
        return { left: x, top: y, right: x + width, bottom: y + height };
    })""")


def arrows(page: Page) -> dict[tuple[str, str], str]:
    """Return what is written at each arrow, by its source and target."""
    found = page.evaluate("""() => [...document.querySelectorAll("#picture .arrow")].map((arrow) => [
        arrow.dataset.source,
        arrow.dataset.target,
        [...arrow.querySelectorAll("text")].map((one) => one.textContent),
    ])""")
    return {(source, target): lines for source, target, lines in found}


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["left"] < other["right"] - NEAR
        and other["left"] < one["right"] - NEAR
        and one["top"] < other["bottom"] - NEAR
        and other["top"] < one["bottom"] - NEAR
    )


def within(inner: dict[str, float], outer: dict[str, float]) -> bool:
    return (
        outer["left"] <= inner["left"] + NEAR
        and outer["top"] <= inner["top"] + NEAR
        and inner["right"] <= outer["right"] + NEAR
        and inner["bottom"] <= outer["bottom"] + NEAR
    )


def parents(chart: samples.Chart) -> dict[str, str]:
    return {state["name"]: state["parent"] for state in chart["structure"]["states"]}


CHARTS: list[Any] = [
    pytest.param(samples.miros_example(), id="miros example"),
    pytest.param(samples.charger(), id="charger"),
    pytest.param(samples.monster(), id="monster"),
    pytest.param(samples.machine(), id="machine"),
    *(pytest.param(samples.random_chart(number), id=f"random {number}") for number in range(25)),
    *(pytest.param(samples.random_regions(number), id=f"regions {number}") for number in range(10)),
]


@pytest.mark.parametrize("chart", CHARTS)
def test_states_stand_in_those_that_hold_them_and_nowhere_on_others(paper, chart):
    draw(paper, chart)
    drawn, tree = boxes(paper), parents(chart)
    assert drawn.keys() == tree.keys()
    for name, parent in tree.items():
        assert not parent or within(drawn[name], drawn[parent]), (name, parent)
        for other, beside in tree.items():
            assert other == name or beside != parent or not overlap(drawn[name], drawn[other]), (name, other)


@pytest.mark.parametrize("chart", CHARTS)
def test_labels_lie_on_no_state_but_those_around_them_and_on_no_other_label(paper, chart):
    draw(paper, chart)
    labels, drawn = written(paper), boxes(paper)
    for place, label in enumerate(labels):
        assert not any(overlap(label, other) for other in labels[:place])
        for name, box in drawn.items():
            assert not overlap(label, box) or within(label, box), name


@pytest.mark.parametrize("chart", CHARTS)
def test_no_arrow_runs_over_a_state_that_is_none_of_its_business(paper, chart):
    draw(paper, chart)
    tree = parents(chart)
    crossed = paper.evaluate("""() => {
        const bodies = [...document.querySelectorAll("#picture .state")].map((state) => [
            state.dataset.state, state.querySelector(".body").getBBox()]);
        const found = [];
        for (const arrow of document.querySelectorAll("#picture .arrow")) {
            const line = arrow.querySelector(".line");
            const length = line.getTotalLength();
            const touched = new Set();
            for (let at = 0; at <= length; at += 6) {
                const point = line.getPointAtLength(at);
                const [x, y] = [point.x, point.y];
                for (const [name, box] of bodies) {
                    const across = x > box.x + 2 && x < box.x + box.width - 2;
                    if (across && y > box.y + 2 && y < box.y + box.height - 2) touched.add(name);
                }
            }
            found.push([arrow.dataset.source, arrow.dataset.target, [...touched]]);
        }
        return found;
    }""")

    def above(state: str) -> set[str]:
        return {state} | (above(tree[state]) if tree[state] else set())

    for source, target, touched in crossed:
        assert set(touched) <= above(source) | above(target), (source, target)


@pytest.mark.parametrize("chart", CHARTS)
def test_every_arrow_has_its_head_on_the_border_of_its_target_pointing_the_way_it_goes(paper, chart):
    draw(paper, chart)
    heads = paper.evaluate("""() => [...document.querySelectorAll(".arrow, .initial")].map((arrow) => {
        const line = arrow.querySelector(".line");
        const end = line.getPointAtLength(line.getTotalLength());
        const corners = arrow.querySelector(".head").getAttribute("d").slice(1, -1).split("L");
        const [tip, left, right] = corners.map((point) => point.split(" ").map(Number));
        const far = (x, y) => Math.hypot(x - end.x, y - end.y);
        const back = far((left[0] + right[0]) / 2, (left[1] + right[1]) / 2);
        return { target: arrow.dataset.target ?? null, tip, ahead: far(...tip) > back };
    })""")
    drawn = boxes(paper)
    for head in heads:
        assert head["ahead"]
        if head["target"] is not None:
            box, (x, y) = drawn[head["target"]], head["tip"]
            across = min(abs(x - box["left"]), abs(x - box["right"]))
            down = min(abs(y - box["top"]), abs(y - box["bottom"]))
            assert min(across, down) <= NEAR, head


def test_the_arrows_of_the_seed_are_there_with_their_counts(paper):
    draw(paper, samples.miros_example())
    assert arrows(paper) == {
        ("c1", "c2"): [f"A {X}12"],
        ("c2", "c1"): [f"A {X}11"],
        ("producer_outer", "producer_outer"): [f"B {X}7"],
    }
    assert paper.locator("#picture .dot").count() == 2


def test_several_signals_between_two_states_share_an_arrow(paper):
    moves = [("a", signal, "b", 2) for signal in ("TWO", "ONE", "THREE")]
    draw(paper, samples.chart({"a": "", "b": ""}, moves))
    assert arrows(paper) == {("a", "b"): [f"ONE {X}2", f"THREE {X}2", f"TWO {X}2"]}


def test_more_signals_than_there_is_room_for_are_counted_together(paper):
    moves = [("a", f"S{number:02}", "b", 10) for number in range(30)]
    draw(paper, samples.chart({"a": "", "b": ""}, moves))
    lines = arrows(paper)["a", "b"]
    assert lines[0] == f"S00 {X}10"
    assert lines[-1].endswith(f"and 25 more {X}250")
    assert "S29" in paper.locator("#picture .arrow text title").text_content()


def test_what_was_announced_and_never_seen_is_grey_and_what_was_seen_is_not(paper):
    chart = samples.chart(
        {"a": "", "b": ""},
        [("a", "GO", "b", 1), ("a", "HELD", "", 4)],
        announced=[("b", "BACK", "a"), ("a", "GO", "b"), ("b", "SILENT", ""), ("b", "ENTRY_SIGNAL", "")],
    )
    draw(paper, chart)
    assert paper.locator("#picture .arrow.unseen").get_attribute("data-source") == "b"
    assert paper.locator("#picture text.unseen").all_text_contents() == ["SILENT", "BACK"]
    assert paper.locator('#picture [data-state="a"] .signal').all_text_contents() == [f"HELD {X}4"]
    chart["transitions"].append({"source": "b", "target": "a", "signal": "BACK", "count": 1})
    draw(paper, chart)
    assert paper.locator("#picture .arrow.unseen").count() == 0


def remarks(page: Page, state: str) -> dict[str, bool]:
    """Return what is written in a state, and whether it is drawn as not seen."""
    found = page.evaluate(
        """state => [...document.querySelectorAll("#picture .state")]
            .filter((one) => one.dataset.state === state)
            .flatMap((one) => [...one.querySelectorAll(":scope > .lines > text")])
            .map((line) => [line.textContent, line.classList.contains("unseen")])""",
        state,
    )
    return dict(found)


def test_what_was_refused_or_failed_is_told_as_such_and_not_as_never_seen(paper):
    def reaction(signal, target=""):
        return {"state": "shut", "signal": signal, "target": target}

    structure = {
        "states": [{"name": "shut", "parent": ""}, {"name": "open", "parent": ""}],
        "reactions": [reaction("SLAM"), reaction("LOCK"), reaction("RING"), reaction("PULL", "open")],
    }
    turned = [
        {"source": "shut", "target": "", "signal": "SLAM", "outcome": "failed", "count": 1},
        {"source": "shut", "target": "", "signal": "LOCK", "outcome": "refused", "count": 3},
        {"source": "shut", "target": "", "signal": "LOCK", "count": 2},
        {"source": "shut", "target": "", "signal": "PULL", "outcome": "refused", "count": 1},
    ]
    draw(paper, {"structure": structure, "transitions": turned})
    assert remarks(paper, "shut") == {
        f"LOCK {X}2": False,
        f"LOCK refused {X}3": False,
        f"PULL refused {X}1": False,
        "RING": True,
        f"SLAM failed {X}1": False,
    }
    assert arrows(paper) == {("shut", "open"): ["PULL"]}
    for one in turned:
        one["count"] = 0 if one.get("outcome") == "failed" else 7
    draw(paper, {"structure": structure, "transitions": turned})
    assert remarks(paper, "shut")["SLAM failed"]
    assert not remarks(paper, "shut")[f"LOCK refused {X}7"]


def test_an_initial_transition_is_a_dot_that_is_grey_until_it_was_taken(paper):
    tree = {"house": "", "off": "house", "cellar": "", "dark": "cellar"}
    announced = [("house", "INIT_SIGNAL", "off"), ("cellar", "INIT_SIGNAL", "dark")]
    more = {"initials": {"house": "off"}, "announced": announced}
    shade = "dots => dots.map(dot => getComputedStyle(dot).fill)"
    draw(paper, samples.chart(tree, [], expected={"cellar": "dark"}, **more))
    assert paper.locator("#picture .arrow").count() == 0
    assert paper.locator("#picture .initial").count() == 2
    assert (
        paper.locator("#picture .initial.unseen").count()
        == paper.locator("#picture .dot.unseen").count()
        == 1
    )
    assert len(set(paper.locator("#picture .dot").evaluate_all(shade))) == 2
    before = boxes(paper)
    more["initials"] = {"house": "off", "cellar": "dark"}
    draw(paper, samples.chart(tree, [], **more))
    assert paper.locator("#picture .unseen").count() == 0
    assert len(set(paper.locator("#picture .dot").evaluate_all(shade))) == 1
    assert boxes(paper) == before


def test_a_count_of_nothing_is_drawn_as_not_seen_in_the_same_place(paper):
    chart = samples.charger()
    draw(paper, chart)
    before = boxes(paper)
    for transition in chart["transitions"]:
        transition["count"] = 0
    draw(paper, chart)
    assert paper.locator("#picture .arrow:not(.unseen)").count() == 0
    assert boxes(paper) == before


def test_counting_moves_nothing_and_makes_nothing_anew(paper):
    chart = samples.charger()
    draw(paper, chart)
    before = boxes(paper)
    paper.evaluate("() => document.querySelector('#picture .state').setAttribute('data-kept', 'yes')")
    for transition in chart["transitions"]:
        transition["count"] *= 1000
    draw(paper, chart)
    assert boxes(paper) == before
    assert paper.locator("#picture [data-kept]").count() == 1
    assert f"STOP {X}180k" in arrows(paper)["charging", "finishing"]


def test_the_active_state_and_all_that_hold_it_are_lit_the_innermost_most(paper):
    draw(paper, samples.charger())
    light(paper, "steady")
    lit = paper.locator("#picture .on-path")
    names = lit.evaluate_all("elements => elements.map((one) => one.dataset.state)")
    assert names == ["wallbox", "operative", "occupied", "charging", "steady"]
    assert paper.locator("#picture .active").get_attribute("data-state") == "steady"
    light(paper, "locked_out")
    assert paper.locator("#picture .active").get_attribute("data-state") == "locked_out"
    assert paper.locator("#picture .on-path").count() == 3
    light(paper, "nowhere")
    assert paper.locator("#picture .on-path").count() == 0


def test_lighting_touches_classes_only(paper):
    draw(paper, samples.charger())
    changes = paper.evaluate("""() => {
        const kinds = new Set();
        const note = (one) => kinds.add(one.attributeName ?? one.type);
        const watch = new MutationObserver((list) => list.forEach(note));
        const all = { subtree: true, childList: true, attributes: true };
        watch.observe(document.querySelector("#picture .states"), all);
        for (const name of ["steady", "derated", "available", "steady"]) window.picture.setActive([name], []);
        watch.takeRecords().forEach(note);
        return [...kinds];
    }""")
    assert changes == ["class"]


def test_the_last_transition_is_marked_and_run_along_each_time(paper):
    draw(paper, samples.charger())
    step = {"source": "ramping_up", "target": "steady", "signal": "TARGET_REACHED"}
    light(paper, "steady", step)
    last = paper.locator("#picture .last")
    assert last.get_attribute("data-target") == "steady"
    flow = paper.locator("#picture .flow")
    assert flow.get_attribute("d") == last.locator(".line").get_attribute("d")
    first = flow.get_attribute("class")
    light(paper, "steady", step)
    assert flow.get_attribute("class") != first
    light(paper, "steady")
    assert last.count() == 0


def test_a_step_is_shown_on_the_arrow_of_the_state_that_handled_it(paper):
    draw(paper, samples.charger())
    step = {"source": "occupied", "target": "available", "signal": "UNPLUGGED", "leaf": "derated"}
    light(paper, "available", step)
    assert paper.locator("#picture .last").get_attribute("data-source") == "occupied"


def test_nothing_moves_for_who_wants_no_motion(paper):
    paper.emulate_media(reduced_motion="reduce")
    draw(paper, samples.miros_example())
    light(paper, "c2", {"source": "c1", "target": "c2", "signal": "A"})
    assert paper.locator("#picture .last").count() == 1
    assert paper.evaluate("() => document.getAnimations().length") == 0
    paper.emulate_media(reduced_motion="no-preference")


HOSTILE = [
    samples.HOSTILE,
    "x" * 500,
    ("Ж水🚀é☂" * 100)[:500],
    "a\x00b\x1b[31m\u202e\ufffe",
    "\ud800 half a pair",
    "]]> & \" ' <!-- &amp;",
    "__proto__",
    "constructor",
    " ",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_any_name_is_only_ever_text_and_may_be_saved(paper, name):
    chart = samples.chart(
        {name: "", "inner": name, f"{name}2": name},
        [("inner", name, f"{name}2", 3), (name, name, name, 1), ("inner", f"{name}!", "", 1)],
        initials={"": name, name: "inner"},
        announced=[("inner", "never", name)],
    )
    draw(paper, chart)
    light(paper, "inner", {"source": "inner", "target": name, "signal": name})
    assert paper.locator("#picture .state").count() == 3
    assert paper.locator("#picture script, #picture img, #picture a").count() == 0
    widest = paper.evaluate(
        """() => Math.max(
            ...[...document.querySelectorAll("#picture .name")].map((one) => one.getBBox().width))"""
    )
    assert widest < 230
    saved = ET.fromstring(paper.evaluate("() => window.picture.toSvgText()"))  # noqa: S314 - made by our own page
    titles = [title.text for title in saved.iter(f"{SVG}title")]
    shown = paper.evaluate("async (name) => (await import('/static/chart-model.js')).shown(name)", name)
    assert shown in titles


def test_a_saved_picture_needs_nothing_else_and_has_no_movement(paper):
    draw(paper, samples.charger())
    light(paper, "steady", {"source": "ramping_up", "target": "steady", "signal": "TARGET_REACHED"})
    text = paper.evaluate("() => window.picture.toSvgText()")
    for foreign in (
        "var(",
        "color-mix",
        "light-dark",
        "color(",
        "<style",
        " style=",
        "href",
        "url(",
        "transform",
        "flow",
    ):
        assert foreign not in text
    root = ET.fromstring(text)  # noqa: S314 - made by our own page
    assert root.tag == f"{SVG}svg"
    assert float(root.get("width", 0)) > 300
    assert len([one for one in root.iter(f"{SVG}rect") if one.get("class") == "body"]) == 20
    assert all(one.get("fill") for one in root.iter(f"{SVG}text"))
    leaf = next(one for one in root.iter(f"{SVG}g") if one.get("data-state") == "steady")
    other = next(one for one in root.iter(f"{SVG}g") if one.get("data-state") == "derated")
    assert leaf.find(f"{SVG}rect").get("fill") != other.find(f"{SVG}rect").get("fill")


def test_a_saved_picture_becomes_an_image_with_something_on_it(paper):
    draw(paper, samples.miros_example())
    colours = paper.evaluate("""async () => {
        const url = URL.createObjectURL(new Blob([window.picture.toSvgText()], { type: "image/svg+xml" }));
        const image = new Image();
        image.src = url;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const pen = canvas.getContext("2d");
        pen.drawImage(image, 0, 0);
        URL.revokeObjectURL(url);
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }""")
    assert colours > 10


def test_the_same_chart_gives_the_same_picture_however_it_came(paper):
    chart = samples.monster()
    draw(paper, chart)
    first = paper.evaluate("() => window.picture.toSvgText()")
    chart["transitions"].reverse()
    chart["structure"]["reactions"].reverse()
    chart["structure"]["initials"].reverse()
    paper.evaluate("""() => {
        document.getElementById("picture").replaceChildren();
        window.picture = new window.picture.constructor(document.getElementById("picture"));
    }""")
    draw(paper, chart)
    assert paper.evaluate("() => window.picture.toSvgText()") == first


def test_another_arrow_leaves_most_of_the_order_as_it_was(paper):
    chart = samples.charger()
    draw(paper, chart)
    before = boxes(paper)
    chart["transitions"].append({"source": "suspended", "target": "fault", "signal": "NEW", "count": 1})
    draw(paper, chart)
    after, tree = boxes(paper), parents(chart)
    siblings = [(one, other) for one in tree for other in tree if one < other and tree[one] == tree[other]]

    def side(drawn: dict[str, dict[str, float]], one: str, other: str) -> tuple[bool, bool]:
        above = drawn[one]["bottom"] <= drawn[other]["top"]
        below = drawn[other]["bottom"] <= drawn[one]["top"]
        return above, below

    kept = [pair for pair in siblings if side(before, *pair) == side(after, *pair)]
    assert len(kept) >= 0.8 * len(siblings)


def scale(page: Page) -> float:
    return page.evaluate("() => document.querySelector('#picture .world').getScreenCTM().a")


def test_wheel_keys_and_hand_scale_and_move_and_nothing_else_undoes_it(paper):
    chart = samples.miros_example()
    draw(paper, chart)
    whole = scale(paper)
    paper.mouse.move(600, 400)
    paper.mouse.wheel(0, -300)
    paper.wait_for_function(
        "whole => document.querySelector('#picture .world').getScreenCTM().a > whole", arg=whole
    )
    near = scale(paper)
    before = paper.evaluate("() => document.querySelector('#picture .world').getScreenCTM().e")
    paper.mouse.down()
    paper.mouse.move(650, 400, steps=3)
    paper.mouse.up()
    assert paper.evaluate(
        "() => document.querySelector('#picture .world').getScreenCTM().e"
    ) == pytest.approx(before + 50, abs=1)
    chart["structure"]["states"].append({"name": "late", "parent": ""})
    draw(paper, chart)
    assert scale(paper) == near
    paper.focus("#picture")
    paper.keyboard.press("-")
    assert scale(paper) < near
    paper.keyboard.press("+")
    assert scale(paper) == pytest.approx(near, rel=0.01)
    paper.keyboard.press("0")
    assert scale(paper) != pytest.approx(near, rel=0.01)


def test_the_active_state_of_a_large_chart_is_kept_in_sight_at_a_size_to_read(paper):
    chart = samples.monster()
    draw(paper, chart)
    for state in ("drain", "ready", "park_59"):
        light(paper, state)
        paper.wait_for_function(
            """(state) => {
            const body = document.querySelector(`#picture [data-state="${state}"] .body`);
            const box = body.getBoundingClientRect();
            return box.left >= 0 && box.top >= 0 && box.right <= 1200 && box.bottom <= 800;
        }""",
            arg=state,
        )
        assert scale(paper) >= 0.6
    paper.focus("#picture")
    paper.keyboard.press("0")
    assert scale(paper) < 0.5


def test_an_earlier_picture_on_the_same_element_lets_go_of_it(paper):
    paper.evaluate("""() => {
        document.getElementById("picture").replaceChildren();
        window.earlier = window.picture;
        window.picture = new window.picture.constructor(document.getElementById("picture"));
    }""")
    draw(paper, samples.miros_example())
    once = scale(paper)
    paper.focus("#picture")
    paper.keyboard.press("+")
    assert scale(paper) == pytest.approx(once * 1.3, rel=0.01)


@pytest.mark.parametrize(
    "chart", [samples.chart({}, []), samples.chart({"only": ""}, [])], ids=["none", "one"]
)
def test_next_to_nothing_is_drawn_too(paper, chart):
    draw(paper, chart)
    assert paper.locator("#picture .state").count() == len(chart["structure"]["states"])
    assert ET.fromstring(paper.evaluate("() => window.picture.toSvgText()")).tag == f"{SVG}svg"  # noqa: S314


def test_what_the_structure_does_not_know_and_circles_of_parents_are_drawn_all_the_same(paper):
    chart = samples.chart(
        {"a": "b", "b": "c", "c": "a", "d": "missing"}, [("new", "S", "a", 1)], initials={"a": "gone"}
    )
    draw(paper, chart)
    assert {"a", "b", "c", "d", "missing", "new"} <= boxes(paper).keys()


def test_regions_stand_side_by_side_in_document_order_with_dashed_borders(paper):
    draw(paper, samples.machine())
    drawn = boxes(paper)
    assert drawn["motor"]["right"] < drawn["lamp"]["left"]
    assert drawn["motor"]["top"] == pytest.approx(drawn["lamp"]["top"], abs=NEAR)
    assert drawn["motor"]["bottom"] == pytest.approx(drawn["lamp"]["bottom"], abs=NEAR)
    dashes = paper.evaluate("""() => Object.fromEntries(
        [...document.querySelectorAll("#picture .state")].map((one) => [
            one.dataset.state,
            getComputedStyle(one.querySelector(".body")).strokeDasharray,
        ]))""")
    assert {state for state, dash in dashes.items() if dash != "none"} == {"motor", "lamp"}


def test_regions_too_wide_to_stand_side_by_side_stand_one_below_the_other(paper):
    tree = {"all": "", **{f"region {number}": "all" for number in range(12)}}
    chart = samples.chart(tree, [])
    chart["structure"]["states"][0]["kind"] = "parallel"
    draw(paper, chart)
    tops = [boxes(paper)[f"region {number}"]["top"] for number in range(12)]
    assert tops == sorted(set(tops))


def test_every_active_leaf_is_lit_and_named_for_assistive_technology(paper):
    draw(paper, samples.machine())
    light(paper, ["on", "lit"])
    name = "elements => elements.map((one) => one.dataset.state)"
    assert paper.locator("#picture .active").evaluate_all(name) == ["on", "lit"]
    assert set(paper.locator("#picture .on-path").evaluate_all(name)) == {
        *("machine", "work", "motor", "on", "lamp", "lit")
    }
    label = paper.locator("#picture").get_attribute("aria-label")
    assert label == "The chart as a picture; active: on, lit"
    light(paper, [])
    assert paper.locator("#picture .active, #picture .on-path").count() == 0
    assert paper.locator("#picture").get_attribute("aria-label").endswith("no state is active")


def signs(page: Page) -> dict[str, str]:
    """Return the signs of final and history states: their letters, or ``final`` for a bull's-eye."""
    return page.evaluate("""() => Object.fromEntries(
        [...document.querySelectorAll("#picture .signed")].map((one) => [
            one.dataset.state,
            one.querySelector(".sign-text")?.textContent ?? (one.querySelector(".sign-core") ? "final" : ""),
        ]))""")


def test_final_and_history_states_have_the_signs_of_uml_and_later_kinds_their_names(paper):
    draw(paper, samples.machine())
    assert signs(paper) == {"broken": "final", "out": "final", "over": "final", "again": "H", "resume": "H*"}
    assert paper.locator('#picture [data-state="fork"] .name').text_content() == "«choice» fork"
    titles = paper.locator("#picture .state > title").all_text_contents()
    assert {"broken, final state", "again, history state", "motor, region", "fork, choice"} <= set(titles)


def test_arrows_show_guards_delays_and_flags(paper):
    draw(paper, samples.machine())
    written_at = arrows(paper)
    assert written_at["off", "on"] == [f"GO [amps > 3] {X}1"]
    assert written_at["on", "off"] == ["after 200 ms"]
    assert written_at["lamp", "lamp"] == ["DIM (internal)"]
    assert written_at["paused", "fork"] == ["(eventless)"]
    assert list(remarks(paper, "lit")) == ["BEEP [loud]"]


def test_every_transition_of_the_last_step_is_marked(paper):
    draw(paper, samples.machine())
    both = [{"source": "off", "target": "on"}, {"source": "dark", "target": "lit"}]
    light(paper, ["on", "lit"], *({**one, "signal": "GO", "leaf": ""} for one in both))
    sources = paper.locator("#picture .last").evaluate_all("all => all.map((one) => one.dataset.source)")
    assert sorted(sources) == ["dark", "off"]


def test_arrows_from_composite_states_are_split_by_leaf_on_demand(paper):
    moves = [("outer", "B", "z", 5), ("a", "B", "z", 2), ("outer", "B", "", 1)]
    chart = samples.chart({"outer": "", "a": "outer", "b": "outer", "z": ""}, moves)
    taken = {"source": "outer", "target": "z", "signal": "B"}
    chart["leaves"] = [{**taken, "leaf": "a", "count": 3}, {**taken, "leaf": "b", "count": 1}]
    draw(paper, chart)
    assert arrows(paper) == {("outer", "z"): [f"B {X}5"], ("a", "z"): [f"B {X}2"]}
    paper.evaluate("() => window.picture.split(true)")
    split = arrows(paper)
    assert split.keys() == {("outer", "z"), ("a", "z"), ("b", "z")}
    assert split["outer", "z"] == [f"B {X}1"]
    assert split["b", "z"][0].endswith(f"B {X}1")
    assert sorted(line[-2:] for line in split["a", "z"]) == [f"{X}2", f"{X}3"]
    titles = paper.locator("#picture .arrow > title").all_text_contents()
    assert "b → z: B (handled by outer)" in titles
    light(paper, "z", {**taken, "leaf": "b"})
    assert paper.locator("#picture .last").get_attribute("data-source") == "b"
    chart["leaves"][1]["count"] = 2
    draw(paper, chart)
    assert arrows(paper).keys() == {("a", "z"), ("b", "z")}
    paper.evaluate("() => window.picture.split(false)")
    assert arrows(paper) == {("outer", "z"): [f"B {X}5"], ("a", "z"): [f"B {X}2"]}
