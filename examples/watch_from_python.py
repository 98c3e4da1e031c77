"""Watch a chart from Python, in the way ``farscope watch`` does it.

A real watcher runs elsewhere; here chart and scope share a program and a log in its memory, so that
there is one thing to run. A door that is locked ignores the knock, and the scope tells::

    front door made 3 steps, rests in locked, lost 0
    start_at: top -> unlocked (start)
    LOCK: unlocked -> locked (transition)
    KNOCK: locked -> locked (ignored)
"""

from farscope import Event, Factory, Scope, broadcast

LOG = "memory:doors"

door = Factory("front door", threaded=False)
unlocked = door.create("unlocked").catch("LOCK", lambda chart, e: chart.trans(locked)).to_method()
locked = door.create("locked").catch("UNLOCK", lambda chart, e: chart.trans(unlocked)).to_method()
door.nest(unlocked, parent=None).nest(locked, parent=None)

with broadcast(door, url=LOG):
    door.start_at(unlocked)
    door.dispatch(Event(signal="LOCK"))
    door.dispatch(Event(signal="KNOCK"))

with Scope(url=LOG, since="start") as scope:
    scope.catch_up(timeout_s=10)
    steps = scope.take(timeout_s=5)
    for chart in scope.charts:
        print(f"{chart.name} made {chart.steps} steps, rests in {chart.state}, lost {chart.lost}")

for step in steps:
    print(f"{step.signal}: {step.start} -> {step.end} ({step.kind.name.lower()})")
