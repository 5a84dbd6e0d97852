"""A pool under automation, on the real thing: Gluster, Consul, Salt's master, minions and reactor.

The durations of the policy are short here, set by the pillar as a site would; `make demo` runs the
defaults. What happened is asked from gluster and from the bus, never from our own code.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import consul_http
from waiting import until

from lab import Lab, witness

PATIENCE = {
    "tick": 4, "quiet_period": 4, "suspect_clear": 5, "down_after": 12, "returning_stable": 5,
    "restart_after": [5, 5, 5], "restart_cooldown": 3, "decide_twice": 3, "sight_settle": 5,
    "zeros_apart": 2, "intent": 30, "settle": 6, "calm": 6, "refused_pause": 4,
    "restart_budget": 20, "storm_suspects": 20, "flap_window": 1, "glusterd_up": 12,
}  # fmt: skip
PILLAR: dict[str, Any] = {
    "gluster": {
        "nodes": "g[1-4]",
        "volumes": {"data": {"replica": 3, "mount": "/srv/data"}},
        "remediation": PATIENCE,
    }
}
FORCE = "volume start data force"


class Loop:
    """The pool under automation, and everything that was said on the bus."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._file = folder / "events"
        words = ["salt-run", "state.event", "salt/gluster/*", "pretty=False"]
        with self._file.open("w") as out:
            self.listener = lab.master.popen(words, stdout=out, stderr=subprocess.DEVNULL)
        self.until(self._listens, "the listener", 60)

    def _listens(self) -> int:
        self.lab.salt_call("g1", "event.send", "salt/gluster/is/anybody/there/yet")
        return self._file.stat().st_size

    def events(self, event: str = "", since: float = 0.0) -> list[dict[str, Any]]:
        """Return what was fired, each id once."""
        told: dict[str, dict[str, Any]] = {}
        for line in self._file.read_text(errors="replace").splitlines():
            tag, _, data = line.strip().partition("\t")
            if tag.startswith("salt/gluster/") and data.endswith("}"):
                said = json.loads(data)
                if event in ("", tag.rsplit("/", 1)[1]) and said["ts"] >= since:
                    told.setdefault(said["id"] + tag, said)
        return list(told.values())

    def wait(self, event: str, since: float, within_s: float, name: str = "") -> dict[str, Any]:
        """Wait for an event, of one subject if it is named, and return it."""

        def found() -> list[dict[str, Any]]:
            return [e for e in self.events(event, since) if name in ("", e.get("name"))]

        return self.until(found, event, within_s)[0]

    def until(self, check: Callable[[], Any], what: str, within_s: float) -> Any:
        def said() -> str:
            rows = [(e.get("event", "execute"), e.get("why")) for e in self.events()[-12:]]
            return f"said last: {rows}\n{self.status()}"

        return until(check, within_s, what, step_s=0.5, more=said)

    def _key(self, name: str) -> tuple[int, str]:
        return consul_http.key(self.lab.node("g1"), f"gluster/main/{name}")

    def status(self) -> str:
        """Return the leader's own view, for the message of a test that fails."""
        return self._key("status")[1]

    def ticks(self, count: int) -> None:
        """Wait until the leader has looked and decided so many times more: each beats once."""
        for _ in range(count):
            before = self._key("pulse")[0]
            self.until(lambda b=before: self._key("pulse")[0] > b, "a tick of the engine", 120)

    def calm(self) -> None:
        """Wait until nothing is wrong any more, as the leader sees it."""

        def is_calm() -> bool:
            if not (text := self.status()).startswith("{"):  # Consul has no answer just now
                return False
            said = json.loads(text)
            well = all(node["state"] == "healthy" for node in said["nodes"].values())
            return bool(said["mode"] == "open" and well and not said["operations"])

        self.until(is_calm, "calm", 150)

    def forced(self, node: str) -> int:
        """Count how often the bricks were started by force on a node, by gluster's own history."""
        history = self.lab.node(node).run(["cat", "/var/log/glusterfs/cmd_history.log"]).stdout
        return history.count(FORCE)

    def keys(self, folder: str) -> set[str]:
        """Return the keys in Consul below a folder of this pool."""
        words = ["consul", "kv", "get", "-keys", f"gluster/main/{folder}/"]
        return set(self.lab.node("g1").run(words).stdout.split())

    def declare(self, pillar: dict[str, Any]) -> None:
        """Make this the pillar, and let the highstates of all nodes submit it."""
        self.lab.write_pillar(pillar, refresh=True)
        for states in self.lab.salt("*", "state.apply", "gluster").values():
            assert [s["comment"] for s in states.values() if s["result"] is not True] == []

    def serves(self) -> bool:
        return not witness.brickless(self.lab.node("g1"), "data")

    def engine_pid(self) -> str:
        """Return the engine's pid on the master, as its last line in the log has it."""
        log = self.lab.master.ok(["grep", "salt_gluster.master.engine", "/var/log/salt/master"])
        return log.splitlines()[-1].split("]")[2].strip("[ ")

    def signal_engine(self, name: str) -> None:
        self.lab.master.ok(["kill", f"-{name}", self.engine_pid()])

    def ack(self, what: str = "") -> None:
        words = {"what": what} if what else {}
        self.lab.salt_run("gluster_remediation.acknowledge", **words)


@contextlib.contextmanager
def automated(name: str, folder: Path) -> Iterator[Loop]:
    """Hold four nodes in one pool, a master with its engine, and all calm."""
    with Lab.up(name, nodes=4, sensor=True, watched=True, pillar=PILLAR) as lab:
        for minion, states in lab.salt("*", "state.apply", "gluster,gluster.consul").items():
            assert isinstance(states, dict), (minion, states)
            bad = [s["comment"] for s in states.values() if s["result"] is not True]
            assert not bad, (minion, bad)
        here = Loop(lab, folder)
        here.calm()
        yield here
        here.listener.kill()
        here.listener.wait(10)
