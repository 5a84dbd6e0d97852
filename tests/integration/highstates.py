"""What the minions of a highstate answered: minion -> state -> what it said."""

from __future__ import annotations

from typing import Any

Returns = dict[str, dict[str, dict[str, Any]]]


def failures(answers: Returns) -> list[str]:
    """Return every state that was not true, in words."""
    return [
        f"{minion} {state['__id__']}: {state['comment']}"
        for minion, states in sorted(answers.items())
        for state in states.values()
        if state["result"] is not True
    ]


def changes(answers: Returns) -> dict[str, Any]:
    """Return what changed, by minion and state."""
    return {
        f"{minion} {state['__id__']}": state["changes"]
        for minion, states in sorted(answers.items())
        for state in states.values()
        if state["changes"]
    }
