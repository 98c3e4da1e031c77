from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient

from farscope import Event, Factory, Scope, broadcast, cause, caused_by, return_status
from farscope.testing.waiting import eventually
from farscope.views.web.app import make_app
from farscope.views.web.assets import STATIC
from farscope.views.web.live_model import LiveModel
from support.washer import Washer

HOSTILE = "<script>alert(1)</script>"
PORT = 8270
ADDRESS = f"http://127.0.0.1:{PORT}"
TOKEN = "the token"  # noqa: S105 - shown to nobody but the tests


def lamp(name: str, on: str = "on") -> Factory:
    chart = Factory(name, threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans(on)).to_method()
    lit = chart.create(on).catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    return chart.nest(off, parent=None).nest(lit, parent=None)


class Room:
    """A lamp that is broadcast, the model that follows it, and clients."""

    def __init__(self, model: LiveModel, chart: Factory, rounds: list[bool]) -> None:
        self.model, self.chart, self._rounds = model, chart, rounds
        self.client = self.client_of()

    def client_of(self, address: str = ADDRESS, *, token: str | None = None) -> TestClient:
        app = make_app(self.model, host="127.0.0.1", port=PORT, token=token, ending=self._rounds.pop)
        return TestClient(app, base_url=address, follow_redirects=False)

    def press(self, times: int) -> None:
        wanted = len(self.model.history) + times
        for _ in range(times):
            self.chart.dispatch(Event("PRESS"))
        # What the scope says of a chart and its steps may come one before the other.
        eventually(lambda: len(self.model.history) == wanted)
        eventually(lambda: sum(row.view.steps for row in self.model.rows.values()) == wanted)

    def ask(self, path: str, **query) -> dict:
        answer = self.client.get(f"/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def frames(self, opened: str = "") -> list[dict]:
        """Read the stream for two rounds."""
        self._rounds[:] = [True, False, False]
        text = self.client.get(f"/api/live?open={opened}").text
        return [json.loads(part.removeprefix("data: ")) for part in text.split("\n\n") if part]


@pytest.fixture
def room(request, tmp_path) -> Iterator[Room]:
    name = f"memory:{tmp_path.name}"
    chart = lamp(getattr(request, "param", "lamp"))
    with Scope(name) as scope, LiveModel(scope) as model, broadcast(chart, url=name):
        chart.start_at("off")
        eventually(lambda: len(model.history) and any(row.view.steps for row in model.rows.values()))
        yield Room(model, chart, [])


def test_the_first_frame_tells_everything_and_the_next_only_what_changed(room):
    room.press(2)
    first = room.frames("1")[0]
    assert [chart["name"] for chart in first["new"]] == ["lamp"]
    row = dict(zip(first["begin"]["row_fields"], first["rows"][0], strict=True))
    assert (row["state"], row["steps"], row["lost"], row["event"]) == ("off", 3, 0, "PRESS")
    detail = first["open"]["1"]
    assert {state["name"] for state in detail["structure"]["states"]} == {"off", "on"}
    assert ["off", "on", "PRESS", 1] in detail["moves"]
    assert [step[0] for step in detail["steps"]] == [1, 2, 3]


def test_a_page_that_comes_back_late_gets_one_frame_with_all_that_happened(room):
    from farscope.views.web.updates import OPEN_STEPS, PageUpdates

    frames = PageUpdates(room.model, 0, (1,))
    assert frames.next()["rows"]
    for _ in range(5):
        room.press(100)
    late = eventually(frames.next)
    assert len(late["rows"]) == 1
    assert late["rows"][0][4] == 501
    assert late["new"] == []
    assert [step[0] for step in late["open"]["1"]["steps"]] == list(range(502 - OPEN_STEPS, 502))
    assert sorted(late["open"]["1"]["moves"]) == [["off", "on", "PRESS", 250], ["on", "off", "PRESS", 250]]


def test_a_moment_shows_the_state_of_then(room):
    room.press(3)
    steps = room.ask("steps", chart=1)["steps"]
    assert [step[5] for step in steps] == ["off", "on", "off", "on"]
    for step in steps:
        at = room.ask("at", time=step[1])
        assert (at["rows"][0][1], at["rows"][0][4]) == (step[5], step[0])
    # It may have been announced before its start, and then was heard already.
    before = room.ask("at", time=steps[0][1] - 1)["rows"][0]
    assert (before[1], before[4]) == ("", 0)
    assert room.ask("at", time=steps[0][1] - 10**12)["rows"][0][1:5] == ["", None, "not yet", 0]


def test_stepping_goes_from_step_to_step(room):
    room.press(2)
    times = [step[1] for step in room.ask("steps", chart=1)["steps"]]
    assert room.ask("near", time=times[0], direction="forward", charts=1)["time"] == times[1]
    assert room.ask("near", time=times[1], direction="back", charts=1)["time"] == times[0]
    assert room.ask("near", time=times[2], direction="forward")["time"] is None


def test_what_failed_or_was_refused_is_told_beside_the_arrows_and_counted_up_to_the_moment(tmp_path):
    def broken(_chart, _event):
        raise ValueError("stuck")

    name = f"memory:{tmp_path.name}"
    chart = Factory("door", threaded=False, on_error="continue")
    chart.create("shut").catch("SLAM", broken).catch("LOCK", lambda _chart, _event: return_status.UNHANDLED)
    chart.nest("shut", parent=None)
    with Scope(name) as scope, LiveModel(scope) as model, broadcast(chart, url=name):
        chart.start_at("shut")
        for signal in ("LOCK", "SLAM", "LOCK"):
            with suppress(ValueError):
                chart.dispatch(Event(signal))
        eventually(lambda: len(model.history) == 4)
        eventually(lambda: any(row.view.structure for row in model.rows.values()))
        room = Room(model, chart, [])
        times = [step[1] for step in room.ask("steps", chart=1)["steps"]]
        whole = [["shut", "", "LOCK", 2, "refused"], ["shut", "", "SLAM", 1, "failed"]]
        assert [move for move in room.frames("1")[0]["open"]["1"]["moves"] if move[3]] == whole
        assert room.ask("picture", chart=1)["moves"] == whole
        assert room.ask("picture", chart=1, time=times[1])["moves"] == [["shut", "", "LOCK", 1, "refused"]]
        assert room.ask("picture", chart=1, time=times[0])["moves"] == []


def test_arrows_are_counted_up_to_the_moment(room):
    room.press(4)
    times = [step[1] for step in room.ask("steps", chart=1)["steps"]]
    assert room.ask("picture", chart=1, time=times[1])["moves"] == [["off", "on", "PRESS", 1]]
    assert sorted(room.ask("picture", chart=1)["moves"]) == [
        ["off", "on", "PRESS", 2],
        ["on", "off", "PRESS", 2],
    ]


def test_all_facts_of_a_step_agree_with_spy_and_trace(room):
    room.press(2)
    facts = room.ask("step", chart=1, number=3)
    assert facts["trace"] + "\n" in room.chart.trace()
    assert facts["spy"] == room.chart.spy()[-len(facts["spy"]) :]
    assert room.client.get("/api/step?chart=1&number=99").status_code == 404


def test_a_step_leads_to_its_cause_in_another_probe_or_shows_the_span_that_a_token_named(room, tmp_path):
    outside = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    tokens = [outside]
    presser = Factory("presser", threaded=False)

    def go(_chart, _e):
        tokens.append(cause())
        return return_status.HANDLED

    presser.nest(presser.create("ready").catch("GO", go).to_method(), parent=None)
    with broadcast(presser, url=f"memory:{tmp_path.name}"):
        presser.start_at("ready")
        presser.dispatch(Event("GO"))
        for token in tokens:
            with caused_by(token):
                room.chart.dispatch(Event("PRESS"))
        # Three steps of the lamp and two of the presser.
        eventually(lambda: len(room.model.history) == 5)
        eventually(lambda: len(room.model.rows) == 2)
        unknown, known = (room.ask("step", chart=1, number=number)["cause"] for number in (2, 3))
        drawn = room.client.get("/api/sequence?charts=1,2&lanes=charts").text
    assert unknown == {"chart": None, "number": 0, "claimed": True, "span": outside[36:52]}
    assert known == {"chart": 2, "number": 2, "claimed": True, "span": ""}
    assert drawn.count("arrow claimed") == 2


def test_timeline_and_statistics_count_every_step(room):
    room.press(5)
    times = [step[1] for step in room.ask("steps", chart=1)["steps"]]
    lanes = room.ask("timeline", charts="1,77", width=3, **{"from": times[0], "to": times[-1]})["lanes"]
    assert sum(item[1] for item in lanes[0]["items"]) == 6
    told = room.ask("stats", chart=1)
    assert told["steps"] == 6
    assert {row["signal"]: row["times"] for row in told["signals"]} == {"PRESS": 5, "start_at": 1}


def test_time_in_state_ends_where_the_chart_went_as_its_bar_does(tmp_path):
    name = f"memory:{tmp_path.name}"
    chart = lamp("lamp")
    with Scope(name) as scope, LiveModel(scope) as model:
        with broadcast(chart, url=name):
            chart.start_at("off")
        eventually(lambda: any(row.view.status == "closed" and row.view.steps for row in model.rows.values()))
        room = Room(model, chart, [])
        eventually(lambda: len(model.history) == 1)
        begun, later = room.ask("steps", chart=1)["steps"][0][1], 10**15
        lane = room.ask("timeline", charts="1", width=3, **{"from": begun, "to": later})["lanes"][0]
        went = lane["items"][-1][0]
        for moment in (later, 2 * later):
            (stay,) = room.ask("stats", chart=1, to=moment)["states"]
            assert (stay["state"], stay["total"]) == ("off", went - begun)


@pytest.mark.parametrize("lanes", ["charts", "states"])
def test_the_sequence_is_a_picture_that_needs_no_style_of_its_own(room, lanes):
    room.press(2)
    answer = room.client.get("/api/sequence", params={"charts": 1, "lanes": lanes})
    drawn = ET.fromstring(answer.text)  # noqa: S314 - made by our own server
    assert "PRESS" in "".join(drawn.itertext())
    assert "<style" not in answer.text
    assert "<style" in room.client.get("/api/sequence?charts=1&style=own").text


@pytest.mark.parametrize(
    "query",
    [
        "at",
        "at?time=now",
        "at?time=1e9",
        "steps",
        "steps?chart=x",
        "near?time=1&direction=up",
        "sequence?lanes=x",
        "live?open=a",
        "timeline?from=1&charts=" + ",".join(["1"] * 600),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(room, query):
    answer = room.client.get(f"/api/{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")


def test_times_beyond_all_bounds_do_no_harm(room):
    room.press(1)
    for time_ns in (-(10**19), 10**19):
        room.ask("at", time=time_ns)
        room.ask("timeline", charts=1, width=10, **{"from": -(10**19), "to": time_ns})


@pytest.mark.parametrize("path", ["/", "/api/at?time=0", "/static/main.js", "/nowhere", "/api/at?time=x"])
def test_every_answer_allows_nothing_but_our_own_files(room, path):
    headers = room.client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        (f"127.0.0.1:{PORT}", 200),
        (f"localhost:{PORT}", 200),
        (f"LOCALHOST:{PORT}", 200),
        ("127.0.0.1", 421),
        ("127.0.0.1:1", 421),
        (f"evil.example:{PORT}", 421),
        (f"127.0.0.1.evil.example:{PORT}", 421),
        (f"10.0.0.1:{PORT}", 421),
        ("", 421),
        ("[::1]:x", 421),
    ],
)
def test_only_a_name_of_this_machine_is_answered(room, host, code):
    assert room.client.get("/", headers={"host": host}).status_code == code


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_is_possible(room, method):
    assert room.client.request(method, "/api/at?time=0").status_code == 405


def test_another_page_may_not_ask(room):
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert room.client.get("/api/at?time=0", headers=headers).status_code == 403, headers
    assert room.client.get("/api/at?time=0", headers={"origin": ADDRESS}).status_code == 200
    assert room.client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_with_a_token_only_who_has_shown_it_is_answered(room):
    client = room.client_of(f"http://10.1.2.3:{PORT}", token=TOKEN)
    assert client.get("/api/at?time=0").status_code == 401
    assert client.get("/static/main.js").status_code == 401
    assert client.get("/?token=another").status_code == 403
    shown = client.get("/?token=the%20token")
    assert (shown.status_code, shown.headers["location"]) == (303, "/")
    cookie = shown.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "the token" not in cookie
    assert client.get("/api/at?time=0").status_code == 200
    client.cookies.clear()
    for forged in ('farscope_8270=""', "farscope_8270=x", 'farscope_8270="\\303', "\x7f=;;"):
        assert client.get("/", headers={"cookie": forged}).status_code == 401


def test_with_a_token_a_name_from_elsewhere_is_still_not_answered(room):
    client = room.client_of(f"http://evil.example:{PORT}", token=TOKEN)
    assert client.get("/?token=the%20token").status_code == 421


@pytest.mark.parametrize("room", [HOSTILE], indirect=True)
def test_hostile_names_travel_as_data(room):
    answer = room.client.get("/api/sequence", params={"charts": 1})
    assert "<script" not in answer.text
    assert room.frames()[0]["new"][0]["name"] == HOSTILE


def test_the_page_loads_nothing_from_elsewhere_and_makes_no_markup_from_text():
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    for file in STATIC.iterdir():
        text = file.read_text()
        allowed = text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in allowed, file.name
        assert "https://" not in allowed, file.name
        assert not [word for word in forbidden if word in text], file.name


def test_modules_have_a_size_one_can_read():
    for file in STATIC.glob("*.js"):
        assert len(file.read_text().splitlines()) <= 300, file.name


def test_a_page_is_told_what_changed_since_it_asked_and_all_of_it_if_a_frame_was_lost(room):
    def ask(seen: int, page: str = "a", opened: str = "1"):
        room._rounds[:] = [False] * 100
        answer = room.client.get("/api/frame", params={"page": page, "seen": seen, "open": opened})
        return answer.json() if answer.status_code == 200 else answer.status_code

    first = ask(0)
    assert "begin" in first
    assert first["open"].keys() == {"1"}
    room.press(1)
    second = ask(1)
    assert "begin" not in second
    assert len(second["rows"]) == 1
    room.press(1)
    assert "begin" not in ask(2)
    room.press(1)
    for lost in (0, 2, 9):
        assert "begin" in ask(lost)
    assert "begin" in ask(10, opened="")
    assert "begin" in ask(0, page="b")
    assert [ask(0, page=name) for name in ("", "x" * 33, "a b")] == [400] * 3


def test_pages_that_do_not_ask_any_more_are_forgotten(room, monkeypatch):
    from farscope.views.web import pages

    monkeypatch.setattr(pages, "MAX_PAGES", 3)
    for name in "abcdefg":
        room._rounds[:] = [False] * 100
        assert room.client.get("/api/frame", params={"page": name}).status_code == 200
    room.press(1)
    room._rounds[:] = [False] * 100
    assert "begin" in room.client.get("/api/frame", params={"page": "a", "seen": 1}).json()
    room.press(1)
    room._rounds[:] = [False] * 100
    assert "begin" not in room.client.get("/api/frame", params={"page": "g", "seen": 1}).json()


def test_a_picture_has_the_leaves_and_transitions_of_its_moment(tmp_path):
    name = f"memory:{tmp_path.name}"
    washer = Washer("cellar", threaded=False)
    with Scope(name) as scope, LiveModel(scope) as model, broadcast(washer, url=name):
        washer.start_at()
        for signal in ("START", "EMPTY", "SPUN"):
            washer.dispatch(Event(signal))
        eventually(lambda: len(model.history) == 5)
        eventually(lambda: any(row.view.structure for row in model.rows.values()))
        room = Room(model, washer, [])
        times = [step[1] for step in room.ask("steps", chart=1)["steps"]]
        pictures = [room.ask("picture", chart=1, time=time) for time in times]
        assert [picture["active"] for picture in pictures] == [
            ["off"],
            ["turning", "filling"],
            ["turning", "dry"],
            ["stopped", "dry"],
            ["off"],
        ]
        assert pictures[1]["leaves"] == []
        assert pictures[2]["leaves"] == [["water", "dry", "EMPTY", "filling", 1]]
        assert pictures[2]["last"] == [["water", "dry", "EMPTY", "filling"]]
        assert pictures[0]["last"] == []
        kinds = {state["name"]: state["kind"] for state in pictures[0]["structure"]["states"]}
        assert (kinds["washing"], kinds["where_it_was"], kinds["dry"]) == (
            "parallel",
            "deep_history",
            "final",
        )
        opened = room.frames("1")[0]["open"]["1"]
        assert (opened["active"], opened["leaves"]) == (["off"], pictures[-1]["leaves"])
