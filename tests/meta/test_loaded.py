"""What a process loads that needs only a part of the library: each import is paid on every node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = "import sys, importlib; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def loaded(module: str) -> set[str]:
    """Return the modules of a new Python that has imported this one."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, module], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def below(names: set[str], *prefixes: str) -> list[str]:
    return sorted(n for n in names if any(n == p or n.startswith(f"{p}.") for p in prefixes))


@pytest.mark.parametrize(
    ("module", "never"),
    [
        # Certificates are the master's.
        ("salt_gluster.minion.automation.sensor", ("cryptography", "salt_gluster.master", "salt")),
        ("salt_gluster.minion.automation.remediate", ("cryptography", "salt_gluster.master")),
        # A screen from Consul needs no tools of a disk, nor anything of a node's role.
        ("salt_gluster.master.status", ("salt_gluster.node.disks", "salt_gluster.minion", "salt")),
        # A decision in a test, or in a notebook, needs no edge.
        ("salt_gluster.remediation", ("salt_gluster.node", "salt_gluster.consul", "consul",
                                      "urllib3", "salt_gluster.gluster")),
        ("salt_gluster.plan", ("salt_gluster.node", "salt_gluster.consul", "salt_gluster.gluster")),
    ],
)  # fmt: skip
def test_a_part_does_not_load_what_it_has_no_use_for(module: str, never: tuple[str, ...]) -> None:
    names = loaded(module)
    assert module in names
    assert below(names, *never) == []
