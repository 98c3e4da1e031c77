"""The rows of the timeline in a real browser: regions, values, and how charts ended."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from farscope import broadcast
from farscope.records.facts import Fact, FactKind
from farscope.records.structure import ChartStatus
from farscope.testing.waiting import eventually
from support.charger import Charger

pytestmark = pytest.mark.browser

LOG = Fact(FactKind.LOG, "relay", "WARNING")
GUTTER = 60
"""Pixels from the left edge to a point on the names."""
ROWS = {"charger": 35, "power": 55, "lock": 73, "amps": 95, "mode": 121}
"""Pixels from the top of the timeline to each row of a chart with regions and values."""


def state(page: Page):
    return page.locator(".rows .row:not([hidden]) .state").first


def point(page: Page, x: float, y: float) -> None:
    lanes = page.locator("#lanes").bounding_box()
    page.mouse.move(lanes["x"] + x, lanes["y"] + y)


def shows(page: Page, x: float, y: float, text: str) -> None:
    """Wait until a text, or nothing if it is empty, is shown for a point: lanes follow steps later."""

    def told() -> bool:
        # A pointer that stands still is not asked about again.
        point(page, x - 1, y)
        point(page, x, y)
        tip = page.locator("#tip")
        return text in tip.inner_text() if text else tip.is_hidden()

    eventually(told)


def right_edge(page: Page) -> float:
    return page.locator("#lanes").bounding_box()["width"] - 3


def test_a_chart_has_a_row_for_each_region_and_value_until_it_is_folded(page, url):
    with broadcast(chart := Charger(), url=url):
        chart.go("start_at", "off")
        chart.go("PLUG", "charging", "locked", amps=16.5, mode="eco")
        expect(state(page)).to_have_text("charging|locked")
        for name, y in ROWS.items():
            shows(page, GUTTER, y, name)
        edge = right_edge(page)
        for name, shown in {
            "charger": "in charging | locked",
            "power": "in charging",
            "lock": "in locked",
            "amps": "= 16.5",
            "mode": "= eco",
        }.items():
            shows(page, edge, ROWS[name], shown)
        point(page, 8, ROWS["charger"])
        page.mouse.down()
        page.mouse.up()
        # Below the only row that is left there is nothing to point at.
        shows(page, edge, ROWS["mode"], "")
        shows(page, edge, ROWS["charger"], "in charging | locked")
        page.keyboard.press("f")
        shows(page, edge, ROWS["mode"], "= eco")


def test_a_final_state_and_the_end_of_a_chart_can_be_seen(page, url):
    with broadcast(chart := Charger(), url=url):
        chart.go("start_at", "off")
        chart.go("FILL", "full", "locked", facts=(Fact(FactKind.DONE, "power"),))
        expect(state(page)).to_have_text("full|locked")
        shows(page, right_edge(page), ROWS["power"], "in full, a final state")
        chart.go("BREAK", facts=(Fact(FactKind.DONE, "top"),))
        chart.end(ChartStatus.FINISHED)
        expect(page.locator(".rows .row[data-status='finished']")).to_be_visible()
        expect(state(page)).to_have_text("top")


def test_steps_show_the_values_they_changed_and_their_log_records(page, url):
    with broadcast(chart := Charger(), url=url, service="garage", logs="INFO"):
        chart.go("start_at", "off")
        page.locator(".rows .row:not([hidden])").first.click()
        page.keyboard.press("2")
        row = page.locator("#view-steps tbody tr").first
        expect(row.locator(".shown")).to_be_hidden()
        tran = Fact(FactKind.TRAN, "off", "power again")
        chart.go("PLUG", "idle", "open", facts=(tran, LOG), texts=("<b>hot</b>",), amps=16.5, ready=True)
        expect(row.locator(".shown")).to_have_text("amps=16.5, ready=true, WARNING <b>hot</b>")
        row.click()
        facts = page.locator(".facts")
        expect(facts).to_contain_text("transitions off → power again")
        expect(facts).to_contain_text("values amps=16.5, ready=true")
        expect(facts).to_contain_text("LOG:(WARNING, LOGGER:relay):<b>hot</b>")
        expect(page.locator("#chart-place")).to_contain_text("garage on")
        expect(page.locator("#chart-place")).to_contain_text("by hand 1.0")
