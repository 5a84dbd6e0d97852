"""The names of the keys below ``gluster/<cluster>/``, and nothing else."""

from __future__ import annotations

import re

from salt_gluster.errors import SpecError

#: What may stand in a key without changing its meaning: a slash would leave its place.
_NAME = re.compile(r"[A-Za-z0-9._:@+-]*")


def is_name(name: str) -> bool:
    """Whether this can be part of a key."""
    return bool(name) and len(name) <= 255 and _NAME.fullmatch(name) is not None


#: The parts of a node's report that stand apart from it (``report_parts.py``).
REPORT_PARTS = ("volumes", "members")


class Keys:
    """The keys of one cluster; an empty argument gives the prefix."""

    def __init__(self, cluster: str) -> None:
        if not cluster or not _NAME.fullmatch(cluster):
            raise SpecError("gluster:cluster", f"{cluster!r} cannot be part of a key in Consul.",
                            hint="Letters, digits, dot, dash and underscore.")  # fmt: skip
        self.cluster = cluster
        self.root = f"gluster/{cluster}/"
        self.canary = self.root + "canary"
        self.rev = self.root + "rev"
        self.leader = self.root + "leader"
        self.epoch = self.root + "epoch"
        self.alive = self.root + "alive"
        self.hint = self.root + "hint"
        self.hold = self.root + "hold"
        self.went_back = self.root + "went_back"
        self.restart_lock = self.root + "turn"
        self.current = self.root + "config/current"
        self.versions = self.root + "config/v/"
        self.members = self.root + "members"
        self.outcomes = self.root + "outcomes/"
        self.pillar = self.root + "pillar"
        self.status = self.root + "status"
        self.heartbeat = self.root + "pulse"
        self.changed = self.root + "changed"
        self.led = self.root + "led"

    def _below(self, *names: str) -> str:
        for name in names:
            if not _NAME.fullmatch(name):
                raise SpecError("key", f"{name!r} cannot be part of a key in Consul.")
        return self.root + "/".join(names)

    def maintenance(self, uuid: str) -> str:
        """An operator's stop for one node."""
        return self._below("maintenance", uuid)

    def version(self, number: int) -> str:
        """One version of the configuration."""
        return self._below("config", "v", str(number))

    def identity(self, uuid: str) -> str:
        """What a replaced node needs back."""
        return self._below("identity", uuid)

    def node(self, uuid: str) -> str:
        """A node's own report."""
        return self._below("nodes", uuid)

    def answer(self, uuid: str) -> str:
        """What a node answered the leader last; below its report, where only it can write."""
        return self._below("nodes", uuid, "answer")

    def report_part(self, uuid: str, part: str) -> str:
        """A long part of a node's report, one of ``REPORT_PARTS``."""
        return self._below("nodes", uuid, part)

    def change_of(self, uuid: str) -> str:
        """When a node last changed the pool; ``changed`` itself is an operator's."""
        return self._below("changed", uuid)

    def proposal(self, name: str) -> str:
        """Something planned, waiting or approved."""
        return self._below("proposals", name)

    def operation(self, name: str) -> str:
        """An operation; its first write is the intent."""
        return self._below("operations", name)

    def outcome(self, uuid: str, name: str) -> str:
        """What an executor did, in its own words."""
        return self._below("outcomes", uuid, name)

    def submitted(self, uuid: str) -> str:
        """Spec and policy as a node's highstate saw them."""
        return self._below("submitted", uuid)

    def acknowledged(self, what: str) -> str:
        """When an operator last acknowledged a cluster, a node or an operation."""
        return self._below("acknowledged", what)

    def admitted(self, minion: str) -> str:
        """With which gluster uuid the master let a node into Consul; no node may write there."""
        return self._below("admitted", minion)

    def accepted(self, minion: str) -> str:
        """A node that a glob of ``nodes`` means, and that may be in: who said so."""
        return self._below("accepted", minion)

    def rejected(self, minion: str) -> str:
        """A node that an operator rejected."""
        return self._below("rejected", minion)

    def moved(self, volume_id: str) -> str:
        """Bricks that an operation moved and the pillar does not know yet."""
        return self._below("moved", volume_id)

    def audit(self, name: str) -> str:
        """Who did what, when."""
        return self._below("audit", name)
