"""Every duration and every budget of automation: a field with its unit, its default and its reason.

No other number of remediation stands anywhere. A site, the lab and the simulation set fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.model import digest_of
from salt_gluster.spec.remediation import RUNGS, STEPS, checked_setting


class Mode(str, Enum):
    """How far a rung may go by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    ACT = "act"


def _set(default: Any, unit: str, why: str) -> Any:
    return field(default=default, metadata={"unit": unit, "why": why})


@dataclass(frozen=True)
class Policy:
    """What is allowed and how patient to be. Times in seconds."""

    restart_brick: Mode = _set(  # noqa: RUF009  (a field, not a value)
        Mode.ACT, "mode", "starting a dead brick process is the one act that cannot make it worse"
    )
    accept_node: Mode = _set(  # noqa: RUF009  (a field, not a value)
        Mode.PROPOSE, "mode", "an operator decides which nodes belong to the pool"
    )
    accept_after_s: float = _set(
        300.0, "s well, unbroken", "a node that comes and goes is no gain for the pool"
    )
    tick_s: float = _set(10.0, "s", "only while something is not healthy or an operation is open")
    quiet_period_s: float = _set(
        45.0, "s", "gluster needs up to 26 s to see a cut; a status before that blocks for 120 s"
    )
    suspect_clear_s: float = _set(60.0, "s good", "serf's FlapTimeout; doubles with every flap")
    clear_max_s: float = _set(3600.0, "s good", "the end of that doubling")
    flapping_after: int = _set(3, "returns in flap_window_s", "then it is announced")
    flap_window_s: float = _set(3600.0, "s", "a flap is forgotten after an hour")
    down_after_s: float = _set(
        120.0, "s unbroken", "longer than ping-timeout 42 s, RestartSec 60 s, and a settling switch"
    )
    gone_after_s: float = _set(
        1800.0, "s unbroken after down", "a server may take 15 min to boot; rebuilding is dear"
    )
    returning_stable_s: float = _set(
        300.0, "s good", "grace for a returning node; doubles per flap"
    )
    glusterd_hung_s: float = _set(180.0, "s", "systemd restarts it after 60 s by itself")
    disk_failed_s: float = _set(120.0, "s", "a mount may be on its way")
    contradicted_s: float = _set(
        120.0, "s", "then an operator has to look at contradicting witnesses"
    )
    absent_s: float = _set(30.0, "s", "an agent that restarts registers again within 17 s")
    restart_after_s: tuple[float, ...] = _set(
        (60.0, 300.0, 900.0), "s down before each attempt", "systemd and glusterd go first"
    )
    restart_budget: int = _set(3, "restarts per node and day", "more is a fault to be found")
    budget_window_s: float = _set(86400.0, "s", "the day of the budgets")
    restart_cooldown_s: float = _set(600.0, "s per node", "an acknowledge ends it")
    refused_pause_s: float = _set(60.0, "s", "an executor that refused is not asked again at once")
    decide_twice_s: float = _set(30.0, "s apart", "kills one-sample glitches")
    intent_s: float = _set(120.0, "s", "the command line gives up at 120 s: the deadline")
    settle_s: float = _set(
        200.0, "s after the deadline", "the volume's lock lives 180 s: only then it is judged"
    )
    ask_again_s: float = _set(30.0, "s", "a request may be lost; asking twice does nothing twice")
    lock_left_s: float = _set(5.0, "s", "the lock must be valid for as long as a write may take")
    clock_skew_s: float = _set(5.0, "s", "a deadline means nothing between clocks that differ")
    evidence_s: float = _set(60.0, "s", "an older report is unknown")
    sight_settle_s: float = _set(
        60.0, "s of a good view", "rejoining takes up to 33 s, registering again up to 17 s"
    )
    glusterd_up_s: float = _set(60.0, "s", "its import window after a start")
    person_at_work_s: float = _set(
        1800.0,
        "s since a changing command not ours",
        "an operator at work is not helped by surprises",
    )
    unhealthy_divisor: int = _set(
        4, "nodes / this, at least 1, may be not healthy", "suspects and maintenance count too"
    )
    storm_suspects: int = _set(3, "new suspects in storm_window_s", "a crowd is not a disk")
    storm_window_s: float = _set(300.0, "s", "the window of storm_suspects")
    calm_s: float = _set(600.0, "s", "to leave a storm")
    zeros: int = _set(3, "reads of zero", "pending entries are not monotonic and start tiny")
    zeros_apart_s: float = _set(60.0, "s between them", "the same")
    stalled_s: float = _set(1800.0, "s without progress", "then an operator has to look")
    verified_s: float = _set(300.0, "s to be reached from another member", "a port takes 16 s")
    refused_page_s: float = _set(3600.0, "s", "a refusal that stands for an hour pages")
    proposal_ends_s: float = _set(86400.0, "s", "after its conditions ended")
    approval_ends_s: float = _set(
        3600.0, "s after it was given", "what an operator saw an hour ago may be another pool now"
    )
    maintenance_max_s: float = _set(259200.0, "s", "72 h: longer is a node out of the pool")

    @property
    def digest(self) -> str:
        """Return a short stable word for all of its values."""
        return digest_of({f.name: getattr(self, f.name) for f in fields(self)})

    def max_unhealthy(self, nodes: int) -> int:
        """Return how many nodes may be not healthy before nothing is done any more."""
        return max(1, nodes // self.unhealthy_divisor)


def policy_from(data: Any) -> Policy:
    """Return the policy with these fields set; raises ``SpecError`` naming the key.

    The ranges are those of the pillar. A setting that is not known is a newer version's: it is left
    out.
    """
    if not isinstance(data, Mapping):
        raise SpecError("remediation", "is a mapping of settings")
    names = {f.name for f in fields(Policy)}
    values = {k: checked_setting(k, v, f"remediation.{k}") for k, v in data.items() if k in names}
    return Policy(**{k: _typed(k, v) for k, v in values.items()})


def _typed(name: str, value: Any) -> Any:
    if name in RUNGS:
        return Mode(value)
    return tuple(value) if name in STEPS else value
