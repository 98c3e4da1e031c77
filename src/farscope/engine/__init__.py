"""Statecharts: events, hierarchical state machines, active objects, factories. Knows records only."""
