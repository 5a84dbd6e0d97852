"""Announce dead bricks while Consul cannot be believed: by what the nodes themselves answer.

Nothing is decided then and nothing can be stored. That a brick is dead is told all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.model import NodeFacts, Ref, Unknown
from salt_gluster.remediation import health
from salt_gluster.remediation.evaluate import impact_text
from salt_gluster.remediation.health import BrickEvent, NodeEvent
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.observation import FleetObservation
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.salt_events import Notice

_DEAD = (BrickEvent.DEAD, BrickEvent.DISK)
WHY = "its node says so itself; Consul cannot be believed, nothing is done about it"


def dead_bricks(
    obs: FleetObservation, policy: Policy, told: Mapping[Ref, Condition]
) -> tuple[dict[Ref, Condition], tuple[Notice, ...]]:
    """Return the bricks that were told down by now, and what is to be told.

    ``told`` are those that were told before. Only what a node has answered just now changes it.
    """
    down, notices = dict(told), []
    volumes = obs.volumes()
    for volume in () if isinstance(volumes, Unknown) else volumes.values():
        for brick in volume.bricks:
            if not isinstance(obs.fresh_facts(brick.host_uuid, policy), NodeFacts):
                continue
            key = Ref("brick", brick.host_uuid, brick.path)
            event = health.brick_event(obs, volume, brick, NodeEvent.GOOD, policy)
            word = "down" if event in _DEAD and key not in down else ""
            word = "up" if event is BrickEvent.SERVES and key in down else word
            if not word:
                continue
            since = down.pop(key).since if word == "up" else obs.now
            if word == "down":
                down[key] = Condition("down", obs.now, brick.name)
            text = impact_text(obs.pool, []) if word == "down" else ""
            notices.append(
                Notice("brick", f"{brick.host_uuid}:{brick.path}", brick.name, word, word,
                       "down" if word == "up" else "up", since, WHY, text,
                       ("salt-run gluster.status live=True",))
            )  # fmt: skip
    return down, tuple(notices)
