"""An SLS written for the ``glusterfs`` states that Salt 3008 has no more, on it and a real pool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from needs import needs
from waiting import until

from lab import Lab, Node

VENV = Path(__file__).resolve().parents[2] / ".work" / "venv-3008"
FIRST = [f"g{n}:/srv/gluster/data/1" for n in (1, 2, 3)]
MORE = [f"g{n}:/srv/gluster/data/2" for n in (2, 3, 4)]
OLD = {
    "peers": {"glusterfs.peered": [{"names": ["g1", "g2", "g3", "g4"]}]},
    "data": {"glusterfs.volume_present": [{"bricks": FIRST}, {"replica": 3}, {"start": True}]},
    "more": {"glusterfs.add_volume_bricks": [{"name": "data"}, {"bricks": MORE}]},
    "version": {"glusterfs.max_op_version": [{"name": "data"}]},
}
#: All runs of one node in one process: Salt takes seconds to start.
RUN = """
import json, sys
import salt.client, salt.config
folder, *runs = sys.argv[1:]
opts = salt.config.minion_config(folder + "/minion")
said = []
for run in runs:
    words = json.loads(run)
    said.append(salt.client.Caller(mopts=dict(opts)).cmd(*words))
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def python() -> str:
    """The Python of Salt 3008; .ci/test makes it while the first tests run."""
    python = VENV / "bin" / "python"
    if VENV.with_suffix(".lock").exists():
        until(lambda: (VENV / "bin" / "salt-call").exists(), 300, "the environment of Salt 3008")
    needs("" if python.exists() else "Salt 3008 (`.ci/setup 3008` installs it)")
    return str(python)


def runs(node: Node, python: str, *calls: Sequence[str]) -> list[Any]:
    folder = node.home / "salt-local"
    (folder / "old.sls").write_text("#!json\n" + json.dumps(OLD))
    words = [json.dumps(call) for call in calls]
    out = node.ok([python, "-c", RUN, str(folder), *words], timeout=200)
    return list(json.loads(out.splitlines()[-1]))


def test_an_sls_of_old_runs_unchanged_by_several_nodes_at_once(plain: Lab, python: str) -> None:
    for node in plain.nodes:
        node.ok(["mkdir", "-p", "/srv/gluster/data"])
    apply, first, second = ("state.sls", "old"), plain.node("g1"), plain.node("g2")
    reads = [("glusterfs.info", "data"), ("glusterfs.status", "data"), ("glusterfs.get_version",)]
    with ThreadPoolExecutor(2) as pool:
        ours = pool.submit(runs, first, python, apply, apply, *reads)
        theirs = pool.submit(runs, second, python, apply, apply)
        made, again, info, status, version = ours.result()
        also_made, also_again = theirs.result()
    rows = [*made.values(), *also_made.values()]
    assert [r["comment"] for r in rows if r["result"] is not True] == []
    assert {"old": [], "new": ["data"]} in [r["changes"] for r in rows]
    last = [*again.values(), *also_again.values()]
    assert [(r["result"], r["changes"]) for r in last] == [(True, {})] * 14
    assert sorted(b["path"] for b in info["data"]["bricks"].values()) == sorted([*FIRST, *MORE])
    assert (info["data"]["status"], info["data"]["replicaCount"]) == ("1", "3")
    assert set(status["bricks"]) == {*FIRST, *MORE} and len(status["healers"]) == 4
    assert version.startswith(("10.", "11."))
