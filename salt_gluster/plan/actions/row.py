"""One row of the table of actions, and the guards that several rows share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.model import Hazard, Observation

Args = Mapping[str, Any]

#: Guards of a change of the members, and of a change of a volume's definition.
WHOLE_POOL = ("not_held", "right_pool", "pool_whole", "single_version", "settled")
ON_VOLUME = (*WHOLE_POOL, "definitions_equal")
#: For what changes no definition and no file of a user: a node that is down must not forbid it.
UPKEEP = ("not_held", "right_pool", "majority")


@dataclass(frozen=True)
class Action:
    """One row. ``command`` is a row of ``gluster/commands.py``; "" = this node does it itself.

    ``hazard`` is that of the action, whatever its arguments; an option has its own
    (``spec/option_hazards.py``). ``replay`` says what happens when it is sent again.
    """

    name: str
    guards: tuple[str, ...]
    command: str
    arguments: Callable[[Args], dict[str, Any]]
    simulate: Callable[[Observation, str, Args], Observation]
    done: Callable[[Observation, str, Args], bool]
    seen: Callable[[Observation, Observation, str, Args], dict[str, Any]]
    replay: str
    hazard: Hazard = Hazard.NONE
    hazard_why: str = ""


def pass_on(*names: str) -> Callable[[Args], dict[str, Any]]:
    """Pass these arguments on, under the names of the commands table; a count of 0 is left out."""

    def arguments(args: Args) -> dict[str, Any]:
        return {n: args[n] for n in names if args.get(n)}

    return arguments


def without_trace(name: str, command: str, replay: str, *arguments: str) -> Action:
    """Return the row of an action that no observation shows; ``apply.run_once`` carries it out."""
    return Action(
        name, UPKEEP, command, pass_on(*arguments),
        lambda obs, *_: obs, lambda *_: True, lambda *_: {}, replay,
    )  # fmt: skip
