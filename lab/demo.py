"""Run `make demo`: from bare nodes to a pool, a node lost and back.

Salt does the work, as a user would have it done; whether it was done is asked from gluster itself
and from the files (lab/witness.py). A step that did not happen ends the story with exit code 1.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import demo_loop, record, witness
from lab.command import at_once, wait_for
from lab.errors import LabError
from lab.pool import Lab
from lab.stage import MOUNT, PILLAR, WRITES, Demo
from lab.story import DidNotHappen, Step, Story, expect
from lab.writer import Writer

NAME = "demo"
SCRATCH = "    scratch: {replica: 3}\n"
LOST = "g2"
#: Where the files are read again.
READS = "g3"
FILES = 200


# --- what is shown -------------------------------------------------------------------------------


def steps_of(comment: str) -> str:
    """Give the steps of a state's comment, one line each."""
    lines: list[str] = []
    for row in comment.splitlines():
        text = row.strip()
        if not text or text.startswith(("waiting:", "next run")) or "(plan " in text:
            continue
        deep = len(row) - len(row.lstrip())
        if deep >= 8 and lines:
            lines[-1] += f" {text}"
        elif not text.endswith(":"):
            lines.append(text.lstrip("0123456789 "))
    return "\n".join(lines)


def diff(changes: Any, path: str = "") -> Iterator[str]:
    """Yield the changes of a state as lines: what, old and new."""
    if isinstance(changes, dict) and set(changes) == {"old", "new"}:
        yield f"{path}: {changes['old']} -> {changes['new']}"
    elif isinstance(changes, dict):
        for key, value in changes.items():
            yield from diff(value, f"{path} / {key}" if path else str(key))


# --- the chapters --------------------------------------------------------------------------------


def bare(lab: Lab, step: Step) -> None:
    """Show that there is nothing yet."""
    for node in lab:
        disks = [f"/dev/disk/by-id/lab-disk{n}" for n in (1, 2)]
        expect(not node.programs("glusterd"), f"{node.name}: glusterd runs already")
        used = node.ok(["wipefs", "-n", *disks])
        expect(not used, f"{node.name}: the disks are not blank: {used}")
        step.show(f"{node.name}  {node.address:<14} glusterd: not started   disks: 2, blank")


def create(demo: Demo) -> None:
    """From bare nodes to a mounted volume, and a second run that has nothing to do."""
    lab, story = demo.lab, demo.story
    with story.step(f"what is wanted: {PILLAR}, the pillar of all four") as step:
        demo.pillar(demo.sls)
        rows = [r for r in demo.sls.splitlines() if r.strip() and r.strip()[0] != "#"]
        step.show("\n".join(rows))
    with story.step("salt '*' state.apply gluster test=True   (as g1 tells it)") as step:
        told = demo.apply(test=True)
        expect(all(t["result"] is None for t in told.values()), told)
        expect(not any(n.programs("glusterd") for n in lab), "test mode started something")
        step.show(steps_of(told["g1"]["comment"]))
    with story.step("salt '*' state.apply gluster   (on all four at once)") as step:
        ran = demo.apply()
        for name, state in ran.items():
            expect(state["result"] is True and state["changes"], f"{name}: {state['comment']}")
            did = [subject.replace("/dev/disk/by-id/", "") for subject in state["changes"]]
            step.show(f"{name} did: {', '.join(did)}")
        info = serving(demo, "data")
        step.show(f"gluster: 4 peers connected; data is {info.type}, {info.status}, with")
        for number, members in enumerate(info.sets, 1):
            step.show(f"  set {number}: " + "  ".join(f"{h}:{p}" for h, p in members))
    with story.step("the same again: no changes, on no node") as step:
        before = witness.definition(lab.node("g1"), "data")
        again = demo.apply()
        changed = {m: s for m, s in again.items() if s["changes"] or s["result"] is not True}
        expect(not changed, changed)
        expect(witness.definition(lab.node("g1"), "data") == before, "glusterd has written")
        step.show("\n".join(f"{m}: {s['comment']}" for m, s in again.items()))
    with story.step("salt-run gluster.status") as step:
        step.show(demo.screen("salt-run", "gluster.status"), limit=20)


def serving(demo: Demo, name: str) -> witness.VolumeInfo:
    """Ask gluster whether the pool is whole and the volume as declared; wait for its ports."""
    for node in demo.lab:
        expect(witness.connected(node) == 4, f"{node.name} does not see four members")
    first = demo.lab.node("g1")
    info = witness.volume(first, name)
    expect(info.status == "Started" and info.replica == 3, info)
    for members in info.sets:
        expect(len({host for host, _ in members}) == 3, f"two copies on one node: {members}")
    wait_for(f"ports of {name}", lambda: not witness.brickless(first, name), timeout=60, step=0.5)
    return info


def fill(demo: Demo) -> None:
    """Write files, begin to write all the time, and grow the pillar by a volume."""
    lab, story = demo.lab, demo.story
    with story.step(f"{FILES} files written through the mount on {WRITES}, read again on {READS}"):
        for node in lab:
            kind = node.ok(["stat", "-f", "-c", "%T", MOUNT]).strip()
            expect(kind == "fuseblk" or "fuse" in kind, f"{node.name}: {MOUNT} is {kind}")
        demo.write(FILES)
        demo.verify(READS)
    with story.step(f"from here on a program on {WRITES} appends to files, each line with fsync"):
        demo.writer = Writer(lab.node(WRITES), f"{MOUNT}/log")
        wait_for("writes", lambda: demo.written()["writes"] > 5, timeout=20, step=0.2)
    with story.step(f"a line more in the pillar, '{SCRATCH.strip()}', and state.apply") as step:
        before = witness.definition(lab.node("g1"), "data")
        demo.pillar(demo.sls + SCRATCH)
        ran = demo.apply()
        bad = {m: s["comment"] for m, s in ran.items() if s["result"] is not True}
        expect(not bad, bad)
        info = serving(demo, "scratch")
        expect(witness.definition(lab.node("g1"), "data") == before, "data was touched")
        step.show(f"gluster: scratch is {info.type}, {info.status}; nothing was written to data")


def drift(demo: Demo) -> None:
    """Change the pool behind our back; see it in test mode, put it right in the run."""
    story, node = demo.story, demo.lab.node("g3")
    before = {name: witness.volume(node, name) for name in ("data", "scratch")}
    with story.step("behind our back, by hand on g3:") as step:
        for words in ("set data network.ping-timeout 42", "reset data performance.cache-size",
                      "stop scratch"):  # fmt: skip
            node.ok(["gluster", "--mode=script", "volume", *words.split()])
            step.show(f"g3# gluster volume {words}")
        off = {name: witness.volume(node, name) for name in before}
        expect(off["data"].options["network.ping-timeout"] == "42", off["data"])
        expect(off["scratch"].status == "Stopped", off["scratch"])
    with story.step("state.apply test=True names the drift, and touches nothing") as step:
        told = demo.apply(test=True)
        step.show("\n".join(diff(told["g1"]["changes"])))
        same = [m for m in told if told[m]["changes"] == told["g1"]["changes"]]
        expect(len(same) == 4, f"only {same} say the same")
        now = {name: witness.volume(node, name) for name in before}
        expect(now == off and told["g1"]["changes"], "test mode changed the pool, or saw nothing")
    with story.step("state.apply puts it right: the changes are those of test mode") as step:
        ran = demo.apply()
        bad = {m: s["comment"] for m, s in ran.items() if s["result"] is not True}
        expect(not bad, bad)
        did: dict[str, Any] = {}
        for name, state in ran.items():
            did |= state["changes"]
            if state["changes"]:
                step.show(f"{name}:\n{steps_of(state['comment'])}")
        expect(did == told["g1"]["changes"], f"{did} is not {told['g1']['changes']}")
        expect({n: witness.volume(node, n) for n in before} == before, "not as it was before")
        count = demo.written()
        step.show(f"gluster: both volumes as before. Writer: {count['writes']} writes, 0 failed")


def loss(demo: Demo) -> None:
    """Kill a node; ask what that means; be refused; go on working."""
    lab, story, first = demo.lab, demo.story, demo.lab.node("g1")
    with story.step(f"{LOST} dies: kill -9 of every process on it") as step:
        writes = demo.written()["writes"]
        lab.fault("node-kill", LOST)
        wait_for(f"{LOST} away", lambda: witness.connected(first) == 3, timeout=60, step=0.5)
        step.show(f"gluster pool list on g1: {LOST} Disconnected, 3 connected")
    asked = (["salt-run", "gluster.status"], ["salt-run", "gluster.impact", "node=g1"])
    with story.step("salt-run gluster.status") as step:
        status, impact = at_once(lambda argv: demo.screen(*argv), asked)
        step.show(status, limit=20)
        expect("AWAY" in status and LOST in status, "the status does not say so")
    with story.step("and if g1 went too?   salt-run gluster.impact node=g1") as step:
        step.show(impact)
        expect("down" in impact.lower(), "two copies of three lost, and the impact does not say so")
    with story.step(
        "an option changed in the pillar now, 20 -> 25: state.apply on g1 refuses"
    ) as step:
        before = witness.volume(first, "data")
        demo.pillar(demo.sls.replace("network.ping-timeout: 20", "network.ping-timeout: 25"))
        state = demo.apply("g1")["g1"]
        step.show(state["comment"], limit=24)
        expect(state["result"] is False and "REFUSED" in state["comment"], state)
        expect(not state["changes"] and witness.volume(first, "data") == before, "it was changed")
    with story.step("the volume still serves: all files read, 50 more written") as step:
        demo.verify(READS)
        demo.write(50)
        count = demo.written()
        expect(count["writes"] > writes, "the writer stands still")
        step.show(f"Writer: {count['writes'] - writes} writes since {LOST} died, 0 failed")


def recovery(demo: Demo) -> None:
    """Bring the node back; wait until it has what it missed; compare every byte."""
    lab, story, first = demo.lab, demo.story, demo.lab.node("g1")
    with story.step(f"{LOST} is switched on again: its minion answers, its bricks have ports"):
        lab.heal("node-kill", LOST)
        lab.wait()
        for name in ("data", "scratch"):
            serving(demo, name)
    with story.step("healed: nothing pending, several times in a row") as step:
        demo.heal("data")
        assert demo.writer
        demo.written()
        count = demo.writer.stop()
        demo.writer = None
        demo.sums |= {f"log/{name}": digest for name, digest in count["files"].items()}
        demo.heal("data")
        step.show(f"Writer, ended: {count['writes']} writes, {count['failed']} failed, the longest"
                  f" took {count['longest_s']:.1f} s")  # fmt: skip
        expect(not count["failed"], count["error"])
    with story.step("the bricks of each set hold the same files, byte for byte") as step:
        for number, members in enumerate(witness.volume(first, "data").sets, 1):
            held = at_once(lambda b: witness.checksums(lab.node(b[0]), b[1]), members)
            expect(held[0] and held[0] == held[1] == held[2], f"set {number} differs: {members}")
            step.show(f"set {number}: {len(held[0])} files on {', '.join(h for h, _ in members)}")
    with story.step(f"{len(demo.sums)} checksums, read through the mount of {LOST}: nothing lost"):
        demo.verify(LOST)
    with story.step("the pool is whole: the change that was refused is made now") as step:
        ran = demo.apply()
        bad = {m: s["comment"] for m, s in ran.items() if s["result"] is not True}
        expect(not bad, bad)
        now = witness.volume(first, "data").options["network.ping-timeout"]
        expect(now == "25", f"network.ping-timeout is {now}")
        step.show(f"gluster volume info data: network.ping-timeout: {now}")


# --- beginning and end ---------------------------------------------------------------------------


def clear() -> None:
    """Take down what a demo left that was killed; LabError while one is being told."""
    if not (record.where(NAME) / "lab.json").exists():
        return
    left = Lab.attach(NAME)
    with contextlib.suppress(OSError):
        if b"lab.demo" in Path(f"/proc/{left.record.builder}/cmdline").read_bytes():
            raise LabError(f"a demo is running already (pid {left.record.builder})")
    left.down()


def tear_down(demo: Demo) -> None:
    """Take the lab down, whatever happens to the screen or to the keyboard."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    began = time.monotonic()
    demo.lab.down()
    demo.story.say(
        f"      torn down: no process, mount, namespace or loop device is left"
        f" ({time.monotonic() - began:.1f} s)"
    )


def tell(story: Story) -> None:
    """Tell the whole story."""
    with story.step(
        "four nodes with two blank disks each, Salt on them, and no Gluster pool"
    ) as step:
        clear()
        lab = Lab.up(NAME, nodes=4, disks=2, bare=True, consul=True, sensor=True)
        demo = Demo(lab, story)
        try:
            bare(lab, step)
        except BaseException:
            tear_down(demo)
            raise
    try:
        for chapter in (create, fill, drift, loss, recovery):
            chapter(demo)
        demo_loop.tell(demo)
    finally:
        tear_down(demo)


def stop(number: int, frame: object) -> None:
    """End as Ctrl-C does: what is up is taken down."""
    raise KeyboardInterrupt


def main() -> int:
    """Tell the story; 1 if a step did not happen, 130 if it was interrupted."""
    signal.signal(signal.SIGTERM, stop)
    story = Story()
    try:
        tell(story)
    except (DidNotHappen, LabError) as err:
        story.say(f"\nThis did not happen:\n{err}", bad=True)
        return 1
    except KeyboardInterrupt:
        story.say("\nInterrupted.", bad=True)
        return 130
    story.say(f"\nAll {story.steps} steps happened, in {time.monotonic() - story.began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
