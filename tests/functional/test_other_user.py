"""``gluster.setup`` of a master that runs as another user than root, in a process of that user.

The folders belong to whom Salt's packages give them: the configuration to root, what the master
writes while it runs to its user.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import needs

import salt_gluster
from salt_gluster.master.deploy import secret_store

POOL = {"gluster": {"nodes": "g[1-3]"}}
#: Anybody who is not root and owns nothing.
USER = pwd.getpwnam("nobody")
CALLS = """
import json, sys
import salt.config, salt.loader
for arguments in json.loads(sys.argv[2]):
    runners = salt.loader.runner(salt.config.master_config(sys.argv[1]))
    print("SAID " + json.dumps(runners["gluster.setup"](**arguments)))
"""


def readable() -> str:
    """Return commands by which Python and this checkout can be read by all, in a mount namespace.

    They may lie below root's home, which nobody else may enter: it becomes an empty folder there
    that has them alone.
    """
    tops = {Path(sys.base_prefix), Path(sys.prefix), Path(salt_gluster.__file__).parents[1]}
    hidden = {
        top: closed[-1]
        for top in tops
        if (closed := [above for above in top.parents if not above.stat().st_mode & 0o001])
    }
    kept = {top: f"$STAGE/{number}" for number, top in enumerate(sorted(hidden))}
    return "\n".join([
        "set -e",
        *(f"mkdir -p {at}; mount --bind {top} {at}" for top, at in kept.items()),
        *(f"mount -t tmpfs -o mode=0755 tmpfs {above}" for above in sorted({*hidden.values()})),
        *(f"mkdir -p {top}; mount --bind {at} {top}" for top, at in kept.items()),
    ])  # fmt: skip


class Master:
    """Its folders, and what its runner says to it."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder, own = root, root / "etc", root / "var"
        for folder in (self.folder / "master.d", own / "pki/minions", root / "pillar"):
            folder.mkdir(parents=True)
        for name in ("g1", "g2", "g3"):
            (own / "pki/minions" / name).write_text("key")
        (root / "pillar/top.sls").write_text("base: {'*': [all]}")
        (root / "pillar/all.sls").write_text("#!json\n" + json.dumps(POOL))
        self.conf = self.folder / "master"
        self.conf.write_text(
            f"user: {USER.pw_name}\nroot_dir: {own}\npki_dir: {own}/pki\nid: m\n"
            f"pillar_roots: {{base: [{root}/pillar]}}\n"
        )
        subprocess.run(["chown", "-R", f"{USER.pw_uid}:{USER.pw_gid}", own], check=True)

    def setup(self, *calls: dict[str, Any]) -> list[dict[str, Any]]:
        user = f"setpriv --reuid {USER.pw_uid} --regid {USER.pw_gid} --clear-groups"
        script = f'{readable()}\ncd /\nexec {user} "$@"'
        words = [sys.executable, "-c", CALLS, self.conf, json.dumps(calls)]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *words],
            env={"PATH": os.environ["PATH"], "STAGE": str(self.root / "stage")},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        said = [row[5:] for row in done.stdout.splitlines() if row.startswith("SAID ")]
        assert len(said) == len(calls), done.stderr[-2000:]
        return [json.loads(row) for row in said]

    def files(self) -> dict[str, tuple[int, int, str]]:
        """Return what lies in the configuration: owner, mode, text."""
        there = {path: path.stat() for path in sorted(self.folder.rglob("*"))}
        return {
            str(path.relative_to(self.folder)): (
                status.st_uid, status.st_mode & 0o777, path.read_text() if path.is_file() else ""
            )
            for path, status in there.items()
        }  # fmt: skip


@pytest.fixture
def master() -> Iterator[Master]:
    """A master in a folder that everybody may enter, which pytest's own is not."""
    needs("" if os.geteuid() == 0 else "root, to become another user")
    root = Path(tempfile.mkdtemp(prefix="sg-user-"))
    root.chmod(0o755)
    yield Master(root)
    shutil.rmtree(root)


def test_as_that_user_all_is_checked_first_and_after_one_command_of_root_all_is_done(
    master: Master,
) -> None:
    before = master.files()
    refused = master.setup({"test": True}, {}, {"restart": True}, {"remove": True})
    assert [said["retcode"] for said in refused] == [1] * 4
    assert {said["error"] for said in refused} == {refused[0]["error"]}
    error = " ".join(refused[0]["error"].split())
    assert f"runs as the user {USER.pw_name}, who may not write in {master.folder}" in error
    assert master.files() == before
    command = error.partition("As root: ")[2].partition("; then run this again")[0]
    subprocess.run(["sh", "-c", command], check=True)

    would, done, again = master.setup({"test": True}, {"restart": True}, {})
    assert "error" not in would and "error" not in done, (would, done)
    assert set(would["changes"]) - set(done["changes"]) == {"consul"}  # root's part
    left = f"salt-call --local gluster_consul.master_agent {master.conf}"
    assert left in would["comment"] and left in done["comment"]
    assert done["then"] == "systemctl restart salt-master", "no restart is claimed"
    assert again["changes"] == {}
    new = {name: row for name, row in master.files().items() if name not in before}
    assert {"master.d/salt-gluster.conf", "gluster/main/secrets.json"} <= set(new)
    assert {owner for owner, _, _ in new.values()} == {USER.pw_uid}
    assert {mode for _, mode, text in new.values() if text} == {0o600}
    kept = secret_store.place(master.conf, "main")
    said = json.dumps([refused, would, done, again])
    shared = kept.secrets()
    assert [s for s in (shared.management, shared.engine, shared.encrypt) if s in said] == []
