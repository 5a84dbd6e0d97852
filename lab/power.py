"""Start a node: at first with the lab's files, later with what its disk holds."""

from __future__ import annotations

from lab.node import Node
from lab.record import MASTER


def first_boot(node: Node) -> None:
    """Boot a node that was just prepared; enable and start what belongs on it."""
    lab = node.lab
    node.start()
    wanted = []
    if node.name == MASTER:
        wanted += ["salt-master"] if lab.salt else []
    else:
        wanted += [] if lab.bare else ["glusterd"]
        wanted += ["salt-minion"] if lab.salt else []
    if lab.consul and not lab.bare:
        wanted.append("consul")
    if wanted:
        node.ok(["systemctl", "enable", "--now", *wanted], timeout=300)


def boot_again(node: Node) -> None:
    """Boot a node as a machine would: local mounts of fstab, enabled units, network mounts.

    Nothing of before survives but the disks: mounts that are not in fstab are gone.
    """
    node.kill()
    node.start()
    node.run(["mount", "-a", "-O", "no_netdev", "-t", "noglusterfs"])
    names = node.run(["ls", "/etc/systemd/system/multi-user.target.wants"]).stdout.split()
    if names:
        # As at a real boot, a unit that is masked or fails does not keep the rest from starting.
        node.run(["systemctl", "start", *names], timeout=300)
    node.run(["mount", "-a"], timeout=180)
