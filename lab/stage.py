"""Common parts of the demo: its lab, the minions' pillar, files with checksums."""

from __future__ import annotations

from typing import Any

from lab import witness
from lab.command import wait_for
from lab.pool import Lab
from lab.record import CHECKOUT
from lab.story import Story, expect
from lab.writer import Writer

PILLAR = "pillar-examples/small.sls"
MOUNT = "/srv/data"
#: Where the files are written.
WRITES = "g4"


class Demo:
    """The lab of the demo, and what it has written so far."""

    def __init__(self, lab: Lab, story: Story) -> None:
        self.lab = lab
        self.story = story
        self.sls = (CHECKOUT / PILLAR).read_text()
        self.sums: dict[str, str] = {}
        self.writer: Writer | None = None

    def pillar(self, sls: str) -> None:
        """Make this the pillar of all minions."""
        self.sls = sls
        self.lab.write_pillar(sls)

    def apply(
        self, target: str = "*", *, sls: str = "gluster", last: str = "gluster-pool",
        test: bool = False,
    ) -> dict[str, dict[str, Any]]:  # fmt: skip
        """Run `state.apply`; give the answer of its last state, the pool, by minion."""
        told = self.lab.salt(target, "state.apply", sls, **({"test": True} if test else {}))
        pool = {}
        for minion in sorted(told):
            expect(isinstance(told[minion], dict), f"{minion}: {told[minion]}")
            states = {state["__id__"]: state for state in told[minion].values()}
            for name, state in states.items():
                good = name == last or state["result"] is not False
                expect(good, f"{minion}: {name}: {state['comment']}")
            pool[minion] = states[last]
        wanted = {n.name for n in self.lab} if target == "*" else {target}
        expect(set(pool) == wanted, f"answers came from {sorted(pool)} only")
        return pool

    def screen(self, *argv: str) -> str:
        """Run a command on the master as a person would, and give what the person sees."""
        done = self.lab.master.run([*argv], timeout=120)
        expect(done.stdout.strip(), f"{' '.join(argv)}: {done.stderr}")
        return done.stdout

    def write(self, count: int) -> None:
        """Write files of random bytes through the mount, and keep their checksums."""
        first = len(self.sums)
        names = [f"{n:04d}.bin" for n in range(first, first + count)]
        script = 'for f; do head -c 20000 /dev/urandom | tee "$f" | sha256sum; done'
        node = self.lab.node(WRITES)
        out = node.ok(["sh", "-c", f"cd {MOUNT} && {script}", "-", *names], timeout=120)
        self.sums |= {n: row.split()[0] for n, row in zip(names, out.splitlines(), strict=True)}

    def verify(self, node: str) -> None:
        """Read every file through the mount of a node and compare its checksum."""
        seen = witness.checksums(self.lab.node(node), MOUNT)
        wrong = [name for name, digest in self.sums.items() if seen.get(name) != digest]
        expect(not wrong, f"on {node} {len(wrong)} files are lost or changed: {wrong[:5]}")

    def heal(self, name: str) -> None:
        """Wait until nothing is pending, four times in a row: it starts low, rises and falls."""
        zeros = 0

        def calm() -> bool:
            nonlocal zeros
            zeros = zeros + 1 if witness.to_heal(self.lab.node("g1"), name) == 0 else 0
            return zeros >= 4

        wait_for(f"nothing to heal on {name}", calm, timeout=180, step=0.5)

    def written(self) -> dict[str, Any]:
        """Give the writer's counters; a write that failed ends the story."""
        assert self.writer
        count = self.writer.counters()
        expect(not count["failed"], f"{count['failed']} writes failed: {count['error']}")
        return count
