"""Broadcasting charts that contain others, as a scope sees them."""

from __future__ import annotations

import gc
import json
import logging

import pytest

from farscope import Event, Scope
from farscope.engine import Chart, Final, State
from farscope.probe.broadcast import broadcast
from farscope.records.structure import ChartStatus
from farscope.scope.notice import NoticeKind
from farscope.testing.waiting import eventually
from farscope.views.text import notice_json


class Order(Chart):
    open_ = State("open", initial=True)
    paid = Final()

    open_.on("PAY", to=paid)

    @open_.on("SPLIT")
    def split(self, e):
        Order(e.payload, parent=self, threaded=False).start_at()

    @open_.on("BREAK")
    def break_(self):
        raise RuntimeError("broken")


@pytest.fixture
def url(request):
    return f"memory:{request.node.name}"


def started(name, parent=None, *, threaded=False):
    order = Order(name, parent=parent, threaded=threaded)
    order.start_at()
    return order


def views(scope, count):
    assert scope.wait_for(lambda scope: len(scope.charts) >= count, 5)
    return {view.id.name: view for view in scope.charts}


def test_charts_inside_a_broadcast_chart_are_broadcast_with_their_parents(url, keyring):
    shop = started("shop")
    early = started("early", shop)
    deep = started("deep", early)
    with Scope(url, key=keyring) as scope, broadcast(shop, url=url, key=keyring) as probe:
        late = started("late", shop)
        deep.dispatch(Event("SPLIT", "deepest"))
        probe.flush()
        seen = views(scope, 5)
        assert {name: view.parent_label for name, view in seen.items()} == {
            "shop": "",
            "early": "shop",
            "deep": "early",
            "late": "shop",
            "deepest": "deep",
        }
        assert seen["late"].parent == seen["shop"].id.key
        appeared = {}

        def all_appeared():
            for notice in scope.notices():
                if notice.kind is NoticeKind.APPEARED:
                    appeared[notice.subject] = notice
            return len(appeared) == 5

        eventually(all_appeared)
        assert appeared["shop"].parent is None
        assert appeared["late"].parent == seen["shop"].id.key
        said = json.loads(notice_json(appeared["late"]))
        assert said["parent"] == {"serial": seen["shop"].id.serial, "probe": probe.id}
        (start,) = scope["deepest"].spy()[:1]
        assert start == "START"
    assert late.current_state() == "open"


def test_the_cause_of_a_childs_start_is_in_the_step_of_its_parent(url, keyring):
    shop = started("shop")
    with Scope(url, key=keyring) as scope, broadcast(shop, url=url, key=keyring) as probe:
        shop.dispatch(Event("SPLIT", "part"))
        probe.flush()
        views(scope, 2)
        by_name = {}
        while "part" not in by_name:
            by_name.update((step.chart.name, step) for step in scope.take(5))
        split = shop.steps()[-1]
        cause = by_name["part"].cause
        assert (cause.serial, cause.number) == (split.chart.serial, split.number)


def test_charts_inside_may_be_left_out(url, keyring):
    shop = started("shop")
    early = started("early", shop)
    with Scope(url, key=keyring) as scope:
        with broadcast(shop, url=url, key=keyring, children=False):
            late = started("late", shop)
            late.dispatch(Event("PAY"))
        assert scope.wait_for(lambda scope: scope.charts and not scope.charts[0].alive, 5)
        assert [view.id.name for view in scope.charts] == ["shop"]
    assert early.current_state() == "open"


def test_a_removed_chart_is_not_followed_any_more_and_its_children_stay(url, keyring):
    shop = started("shop")
    early = started("early", shop)
    with Scope(url, key=keyring) as scope, broadcast(shop, url=url, key=keyring) as probe:
        probe.remove(shop)
        started("late", shop)
        early.dispatch(Event("SPLIT", "part"))
        probe.flush()
        assert set(views(scope, 3)) == {"shop", "early", "part"}


def test_a_chart_that_starts_in_one_after_the_probe_was_closed_is_left_alone(url, keyring):
    shop = started("shop")
    with broadcast(shop, url=url, key=keyring):
        pass
    late = started("late", shop)
    assert len(late._core.observers) == 0


def test_short_lived_children_leave_nothing_behind_in_the_probe(url, keyring):
    shop = started("shop")
    with broadcast(shop, url=url, key=keyring) as probe:
        for number in range(50):
            started(f"order {number}", shop).dispatch(Event("PAY"))
        gc.collect()
        assert len(probe._watched) == 1
        assert shop.children == ()


def test_a_scope_tells_finished_stopped_and_failed_charts_apart(url, keyring, caplog):
    caplog.set_level(logging.CRITICAL, "farscope")
    finishing, stopping, failing = (started(name, threaded=True) for name in ("one", "two", "three"))
    with (
        Scope(url, key=keyring) as scope,
        broadcast(finishing, stopping, failing, url=url, key=keyring) as probe,
    ):
        finishing.post_fifo(Event("PAY"))
        failing.post_fifo(Event("BREAK"))
        stopping.stop()
        assert finishing.join(5)
        assert failing.join(5)
        probe.flush()
        assert scope.wait_for(lambda scope: sum(bool(view.condition) for view in scope.charts) == 3, 5)
        seen = {view.id.name: (view.condition, view.status) for view in scope.charts}
    assert seen == {
        "one": (ChartStatus.FINISHED, "finished"),
        "two": (ChartStatus.STOPPED, "stopped"),
        "three": (ChartStatus.FAILED, "failed"),
    }
