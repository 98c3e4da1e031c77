"""Charts to draw: the miros one, one that people would build, one that is too large, and random ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from farscope.records.step import Step
from farscope.records.structure import ChartStructure
from farscope.views.statechart.model import Statechart
from farscope.views.web.serialize import plain_leaves, plain_moves, plain_structure
from support.region_pictures import BOTH, BROKE, MACHINE, STARTED, steps_of

Chart = dict[str, Any]
"""What the page's ``ChartPicture`` takes: a structure and transitions."""

HOSTILE = "<script>alert(1)</script>"


def chart(
    tree: dict[str, str],
    moves: list[tuple[str, str, str, int]],
    *,
    initials: dict[str, str] | None = None,
    announced: list[tuple[str, str, str]] | None = None,
    expected: dict[str, str] | None = None,
) -> Chart:
    """Return a chart of {state: parent} and (source, signal, target, count).

    Initial transitions were taken, those ``expected`` were only announced.
    """
    taken = [{"state": state, "target": target, "seen": True} for state, target in (initials or {}).items()]
    to_come = [
        {"state": state, "target": target, "seen": False} for state, target in (expected or {}).items()
    ]
    return {
        "structure": {
            "states": [{"name": name, "parent": parent} for name, parent in tree.items()],
            "reactions": [
                {"state": state, "signal": signal, "target": target}
                for state, signal, target in announced or []
            ],
            "initials": [*taken, *to_come],
        },
        "transitions": [
            {"source": source, "signal": signal, "target": target, "count": count}
            for source, signal, target, count in moves
        ],
    }


def drawn(structure: ChartStructure, steps: Sequence[Step]) -> Chart:
    """Return what the server sends of a chart with this structure after these steps."""
    picture = Statechart()
    picture.add_structure(structure)
    for step in steps:
        picture.add(step)
    moves = [(*move, "")[:5] for move in plain_moves(picture)]
    names = "source", "target", "signal", "leaf", "count"
    return {
        "structure": plain_structure(picture, structure),
        "transitions": [
            {"source": source, "target": target, "signal": signal, "count": count, "outcome": outcome}
            for source, target, signal, count, outcome in moves
        ],
        "leaves": [dict(zip(names, taken, strict=True)) for taken in plain_leaves(picture)],
    }


def machine() -> Chart:
    """Return a chart with two regions, history and final states, and a state of a kind of a later release."""
    return drawn(MACHINE, steps_of(STARTED, BOTH, BROKE))


def miros_example() -> Chart:
    """Return the chart that the miros example draws."""
    return chart(
        {"producer_outer": "", "c1": "producer_outer", "c2": "producer_outer"},
        [
            ("c1", "A", "c2", 12),
            ("c2", "A", "c1", 11),
            ("producer_outer", "B", "producer_outer", 7),
        ],
        initials={"": "producer_outer", "producer_outer": "c1"},
    )


def charger() -> Chart:
    """Return a wall box for electric cars, with 20 states."""
    tree = {
        "wallbox": "",
        "booting": "wallbox",
        "self_test": "booting",
        "reading_config": "booting",
        "connecting": "booting",
        "operative": "wallbox",
        "available": "operative",
        "occupied": "operative",
        "preparing": "occupied",
        "authorising": "preparing",
        "locking_plug": "preparing",
        "charging": "occupied",
        "ramping_up": "charging",
        "steady": "charging",
        "derated": "charging",
        "suspended": "occupied",
        "finishing": "occupied",
        "fault": "wallbox",
        "recoverable": "fault",
        "locked_out": "fault",
    }
    moves = [
        ("self_test", "PASSED", "reading_config", 3),
        ("reading_config", "CONFIG_READ", "connecting", 3),
        ("booting", "ONLINE", "operative", 3),
        ("available", "PLUGGED_IN", "occupied", 214),
        ("authorising", "AUTHORISED", "locking_plug", 209),
        ("authorising", "REJECTED", "available", 4),
        ("locking_plug", "LOCKED", "charging", 208),
        ("locking_plug", "LOCK_FAILED", "authorising", 1),
        ("ramping_up", "TARGET_REACHED", "steady", 388),
        ("steady", "TEMPERATURE_HIGH", "derated", 61),
        ("derated", "TEMPERATURE_OK", "ramping_up", 60),
        ("steady", "SETPOINT", "ramping_up", 122),
        ("charging", "CAR_PAUSED", "suspended", 91),
        ("charging", "GRID_LIMIT", "suspended", 17),
        ("suspended", "CAR_READY", "charging", 88),
        ("suspended", "GRID_FREE", "charging", 15),
        ("charging", "STOP", "finishing", 180),
        ("suspended", "STOP", "finishing", 5),
        ("occupied", "UNPLUGGED", "available", 211),
        ("operative", "FAULT", "fault", 6),
        ("recoverable", "CLEARED", "operative", 4),
        ("recoverable", "TIMEOUT", "locked_out", 1),
        ("wallbox", "REBOOT", "wallbox", 2),
        ("wallbox", "HEARTBEAT", "", 48_211),
        ("steady", "METER", "", 30_110),
        ("steady", "TICK", "", 301_100),
        ("available", "TICK", "", 8_003),
        ("operative", "METER", "", 92),
    ]
    return chart(
        tree,
        moves,
        initials={
            "": "wallbox",
            "wallbox": "booting",
            "booting": "self_test",
            "operative": "available",
            "occupied": "authorising",
            "charging": "ramping_up",
            "fault": "recoverable",
        },
        announced=[
            ("locked_out", "SERVICE_KEY", "booting"),
            ("booting", "OFFLINE", "fault"),
            ("available", "RESERVE", ""),
            ("wallbox", "FIRMWARE", ""),
            ("finishing", "RESUME", "charging"),
        ],
    )


WORDS = [
    "idle",
    "ready",
    "armed",
    "scan",
    "track",
    "lock",
    "hold",
    "seek",
    "move",
    "grip",
    "lift",
    "turn",
    "place",
    "release",
    "home",
    "park",
    "heat",
    "cool",
    "mix",
    "pour",
    "weigh",
    "seal",
    "label",
    "stack",
    "wait",
    "retry",
    "verify",
    "commit",
    "abort",
    "drain",
    "flush",
    "purge",
    "dock",
    "charge",
    "align",
    "probe",
    "sample",
]


def monster(states: int = 60, depth: int = 6, seed: int = 7) -> Chart:
    """Return a chart with so many states, nested so deep, with arrows mostly between neighbours."""
    dice = random.Random(seed)  # noqa: S311 - a chart needs no secrets
    tree: dict[str, str] = {}
    depths = {"": 0}
    while len(tree) < states:
        word = dice.choice(WORDS)
        name = word if word not in tree else f"{word}_{len(tree)}"
        if len(tree) < depth:
            parent = next(reversed(tree), "")
        else:
            parent = dice.choice([state for state in depths if depths[state] < depth])
        tree[name] = parent
        depths[name] = depths[parent] + 1
    return wired(tree, dice, arrows=states * 3 // 2)


def wired(tree: dict[str, str], dice: random.Random, arrows: int) -> Chart:
    """Return a chart of these states with random arrows, initial transitions and remarks."""
    names = list(tree)
    families: dict[str, list[str]] = {}
    for name, parent in tree.items():
        families.setdefault(parent, []).append(name)
    moves: dict[tuple[str, str, str], int] = {}
    for number in range(arrows):
        source = dice.choice(names)
        near = families[tree[source]]
        target = dice.choice(near) if dice.random() < 0.75 else dice.choice(names)
        if dice.random() < 0.12:
            target = ""
        signal = f"{dice.choice(WORDS).upper()}_{number % 9}"
        moves[source, signal, target] = dice.choice([1, 3, 17, 250, 8_000, 1_234_567])
    announced = [
        (dice.choice(names), f"NEVER_{number}", dice.choice([*names, ""])) for number in range(arrows // 10)
    ]
    return chart(
        tree,
        [(*move, count) for move, count in moves.items()],
        initials={parent: dice.choice(children) for parent, children in families.items()},
        announced=announced,
    )


def random_chart(seed: int) -> Chart:
    """Return a chart of up to 60 states without any order in it; the same seed gives the same chart."""
    dice = random.Random(seed)  # noqa: S311 - a chart needs no secrets
    tree: dict[str, str] = {}
    for number in range(dice.randint(1, 60)):
        parent = dice.choice(["", *tree]) if dice.random() < 0.8 else ""
        tree[f"{dice.choice(WORDS)} {number}" * dice.choice([1, 1, 1, 6])] = parent
    return wired(tree, dice, arrows=dice.randint(0, 2 * len(tree)))


def random_regions(seed: int) -> Chart:
    """Return a random chart in which some states have regions, and some are history or final states."""
    dice = random.Random(seed)  # noqa: S311 - a chart needs no secrets
    found = random_chart(seed)
    for state in found["structure"]["states"]:
        state["kind"] = dice.choice(
            ["plain", "plain", "parallel", "history", "deep_history", "final", "junction"]
        )
    return found
