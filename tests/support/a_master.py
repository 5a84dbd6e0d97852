"""A master's configuration directory, and the Consul agent that the test's machine must not get."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import salt.client
import salt.config
import salt.loader

import salt_gluster
from salt_gluster.master.deploy import secret_store

FORMULA = str(Path(salt_gluster.__file__).parent / "formula")
ADMIT = f"{FORMULA}/reactor/admit.sls"
DEFAULT_ROOTS = salt.config.DEFAULT_MASTER_OPTS["file_roots"]["base"]


class Master:
    """A master's configuration directory, and what Salt makes of it."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "master"
        self.conf.write_text(f"root_dir: {folder}\n")
        self.drop_ins = folder / "master.d"
        self.file = self.drop_ins / "salt-gluster.conf"
        self.vault = secret_store.place(self.conf, "main")

    def says(self, text: str, name: str = "") -> None:
        """Add to the master's own file, or write one of master.d."""
        self.drop_ins.mkdir(exist_ok=True)
        file = self.drop_ins / name if name else self.conf
        with file.open("a") as out:
            out.write(text + "\n")

    def has_minions(self, *names: str, pillar: dict[str, Any]) -> None:
        """Accept keys, and let all of them have this pillar."""
        roots, keys = self.conf.parent / "pillar", Path(self.opts()["pki_dir"]) / "minions"
        for folder in (roots, keys):
            folder.mkdir(parents=True, exist_ok=True)
        if not self.conf.read_text().count("pillar_roots"):
            self.says(f"pillar_roots: {{base: [{roots}]}}")
        (roots / "top.sls").write_text("base: {'*': [all]}")
        (roots / "all.sls").write_text("#!json\n" + json.dumps(pillar))
        for name in names:
            (keys / name).write_text("key")

    def opts(self) -> dict[str, Any]:
        """Read as the master does when it starts."""
        return dict(salt.config.master_config(str(self.conf)))

    def setup(self, **arguments: Any) -> dict[str, Any]:
        """Run it as salt-run does: with the configuration as it is now, read afresh."""
        runners = salt.loader.runner(self.opts())
        return dict(runners["gluster.setup"](**arguments))


def engines(opts: dict[str, Any]) -> list[str]:
    """The names, in order, as Salt would start them."""
    return [e if isinstance(e, str) else next(iter(e)) for e in opts["engines"]]


def reacts(opts: dict[str, Any], tag: str) -> list[str]:
    """The SLS files that Salt's reactor finds for a tag."""
    from salt.utils.reactor import Reactor

    reactor = Reactor(copy.deepcopy(opts))
    try:
        return list(reactor.list_reactors(tag))
    finally:
        reactor.minion.destroy()


POOL = {"gluster": {"nodes": "g[1-4]", "addresses": {"g2": "192.0.2.2"}}}


class Agent:
    """Stands for the agent of the test's own machine, which must not get one."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, Any], str, str, bool]] = []
        self.error: Exception | None = None
        #: The nodes on which its file is; no master runs here that could ask them.
        self.on: set[str] = set()
        #: By how many seconds the nodes' clocks are behind this one.
        self.behind_s = 0.0

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(
        self, client: object, target: list[str], function: str, arguments: Any, *, silence_s: float
    ) -> dict[str, Any]:
        if function == "status.time":
            return {name: f"{time.time() - self.behind_s:.0f}" for name in target}
        assert (function, *arguments) == ("file.file_exists", "/etc/consul.d/gluster.json")
        return {name: name in self.on for name in target}

    def ensure(
        self, told: Any, call: Any, *, name: str, address: str = "", test: bool = False
    ) -> dict[str, Any]:
        if self.error:
            raise self.error
        assert call("test.echo", "x") == "x"
        first = not self.told
        self.told.append((told, name, address, test))
        return {"/etc/consul.d/gluster.json": {"old": "absent", "new": "written"}} if first else {}


def secrets_of(master: Master) -> list[str]:
    """Every text that must never be shown."""
    shared, found = master.vault.secrets(), []
    for one in [*master.vault.nodes(), *master.vault.masters()]:
        found += [one.agent, one.node, one.key]
    found += [shared.encrypt, shared.management, shared.engine, shared.reader, shared.webhook]
    found += ["PRIVATE KEY"]
    return [text for text in found if text]


UUID = "00000001-0000-4000-8000-000000000000"
