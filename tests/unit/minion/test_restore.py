"""Giving a node its identity back: only where there is nothing to lose, and read back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.minion import restore
from salt_gluster.model import Node, Observation, Peer, Unknown, Volume
from salt_gluster.plan import restore as plan_restore
from salt_gluster.plan.restore import GlusterdIdentity

OWN = "12d26f61-6202-414a-9e1d-2d170627fd77"
GFN1 = "0a81d5d5-d308-470b-b30e-27b2766ba553"
GFN2 = "f0ff44f6-b150-4c00-9118-e176c7b90bbf"
NEW = "99999999-0000-4000-8000-000000000000"
IDENTITY = GlusterdIdentity(OWN, "gfn3", 100000, {GFN1: "gfn1", GFN2: "gfn2"})
VOLUMES = frozenset({"data"})


class Place:
    """A node that was installed again: its files, its glusterd, and what it may become."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = 1000.0
        self.running = True
        self.uuid: Any = NEW
        self.hold: Any = None
        self.bricks: list[Any] = []
        self.nameless: set[str] = set()
        self.called: list[str] = []
        self.copies = 0
        self.stops = True
        #: For how long glusterd goes on after it was told to end; what the minion's Salt can do.
        self.ends_after_s = 0.0
        self.functions = {"service.masked", "service.unmask"}
        self._ended: float | None = None
        #: What ``pool list`` shows once it was started with the files, and after how long.
        self.back_after_s = 4.0
        self.peers: Any = {GFN1: True, GFN2: True}
        self.volumes: Any = ("data",)
        self.importing: Any = ()
        self._started: float | None = None
        for name in ("glusterd.info", "options", "vols/", "peers/", "groups/virt", "hooks/1/x"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(exist_ok=True) if name.endswith("/") else path.write_text("old")

    # --- as the minion -----------------------------------------------------------------------

    name, test = "gfn3", False

    def driver(self) -> Place:
        return self

    def can(self, function: str) -> bool:
        return function in self.functions

    def call(self, function: str, *arguments: str) -> Any:
        self.called.append(function)
        if function == "service.stop":
            self._ended = self.clock + self.ends_after_s if self.stops else None
        if function == "service.start":
            self.running, self._ended, self._started = True, None, self.clock
        return True

    # --- as the site -------------------------------------------------------------------------

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def observe(self, needs: frozenset[str] = frozenset(), *, fresh: bool = False) -> Observation:
        own = self.observe_node()
        later = self._started is not None and self.clock - self._started >= self.back_after_s
        if not (later or self.uuid == OWN):
            return Observation(self.clock, own, peers=Unknown("starting"), volumes=Unknown("s"))
        peers = self.peers
        if not isinstance(peers, Unknown):
            others = tuple(Peer(u, (u[:4],), up, 3) for u, up in peers.items())
            peers = (Peer(OWN, ("gfn3",), True, 3, is_self=True), *others)
        volumes = self.volumes
        if not isinstance(volumes, Unknown):
            volumes = {v: Volume(v, f"id-{v}", "Started", "replicate", (), 1, 3) for v in volumes}
        return Observation(self.clock, own, peers, volumes)

    def observe_node(self) -> Node:
        if self._ended is not None and self.clock >= self._ended:
            self.running = False
        return Node(
            "gfn3", uuid=self.uuid, glusterd_started=1.0 if self.running else None,
            volumes_without_info=self.importing, volumes_at_start=(), hold=self.hold,
        )  # fmt: skip

    def files(self) -> dict[str, str]:
        return {
            str(p.relative_to(self.folder)): p.read_text()
            for p in sorted(self.folder.rglob("*")) if p.is_file()
        }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path / "glusterd")

    def copied(at: float) -> Path:
        place.copies += 1
        return tmp_path / "copy"

    for module in (restore, plan_restore):
        monkeypatch.setattr(module, "DIRECTORY", str(place.folder))
    monkeypatch.setattr(node, "one_job", lambda wait_s: contextlib.nullcontext())
    monkeypatch.setattr(node, "observe_node", lambda name: place.observe_node())
    monkeypatch.setattr(node, "read_hold", lambda path: place.hold)
    monkeypatch.setattr(node, "glusterfsd_processes", lambda: iter(place.bricks))
    monkeypatch.setattr(node, "copy_glusterd_dir", copied)
    nobody = Unknown("no such name")
    monkeypatch.setattr(
        node, "resolve", lambda name, limit: nobody if name in place.nameless else ("10.0.0.1",)
    )
    return place


def give(place: Place) -> dict[str, Any]:
    return restore.restore_identity(place, IDENTITY, VOLUMES)  # type: ignore[arg-type]


def kind(place: Place) -> str:
    with pytest.raises(GlusterError) as refused:
        give(place)
    return refused.value.kind


def test_a_node_that_lost_everything_gets_uuid_and_peers_instead_of_those_of_before(
    place: Place,
) -> None:
    done = give(place)
    assert done["changes"] == {
        "uuid": {"old": NEW, "new": OWN}, "peers": {"old": [], "new": ["gfn1", "gfn2"]},
    }  # fmt: skip
    assert place.files() == {
        "glusterd.info": f"UUID={OWN}\noperating-version=100000\n",
        f"peers/{GFN1}": f"uuid={GFN1}\nstate=3\nhostname1=gfn1\n",
        f"peers/{GFN2}": f"uuid={GFN2}\nstate=3\nhostname1=gfn2\n",
        "groups/virt": "old", "hooks/1/x": "old",
    }  # fmt: skip
    assert place.called == ["service.stop", "service.masked", "service.unmask", "service.start"]
    assert place.copies == 1
    assert {p.stat().st_mode & 0o777 for p in place.folder.glob("peers/*")} == {0o600}
    assert (place.folder / "glusterd.info").stat().st_mode & 0o777 == 0o600


def test_in_test_mode_the_same_is_said_and_nothing_is_done(place: Place) -> None:
    before, place.test = place.files(), True
    assert give(place)["changes"]["uuid"] == {"old": NEW, "new": OWN}
    assert (place.files(), place.called, place.copies) == (before, [], 0)


def test_a_node_that_is_back_is_left_alone(place: Place) -> None:
    before, place.uuid = place.files(), OWN
    assert give(place)["changes"] == {}
    assert (place.files(), place.called) == (before, [])


def volume(place: Place) -> None:
    (place.folder / "vols" / "data").mkdir()


def peer(place: Place) -> None:
    (place.folder / "peers" / GFN1).write_text("uuid=…")


TO_LOSE: dict[str, Callable[[Place], object]] = {
    "a hold": lambda p: setattr(p, "hold", "held"),
    "a hold that cannot be read": lambda p: setattr(p, "hold", Unknown("no right")),
    "it is not known who it is": lambda p: setattr(p, "uuid", Unknown("damaged")),
    "it has a volume": volume,
    "it has the volume and the uuid": lambda p: (volume(p), vars(p).update(uuid=OWN, peers={})),
    "it has a snapshot": lambda p: (p.folder / "snaps" / "s1").mkdir(parents=True),
    "its peers lie elsewhere": lambda p: (
        (p.folder / "peers").rmdir(),
        (p.folder / "peers").symlink_to(p.folder / "vols"),
    ),
    "it is in a pool by another uuid": peer,
    "it is in a pool and never had a uuid": lambda p: (peer(p), setattr(p, "uuid", None)),
    "bricks run": lambda p: p.bricks.append(object()),
    "a name has no address": lambda p: p.nameless.add("gfn2"),
}


@pytest.mark.parametrize("name", TO_LOSE)
@pytest.mark.parametrize("test", [True, False])
def test_where_there_is_something_to_lose_nothing_is_touched(
    place: Place, name: str, test: bool
) -> None:
    place.test = test
    TO_LOSE[name](place)
    before = place.files()
    assert kind(place) == "not_lost"
    assert (place.files(), place.called, place.copies) == (before, [], 0)


def test_its_own_peers_by_its_own_uuid_are_what_a_run_left_that_was_cut_off(place: Place) -> None:
    peer(place)
    place.uuid, place.peers = OWN, {GFN1: False, GFN2: True}
    place.call_before = place.call  # type: ignore[attr-defined]

    def call(function: str, *arguments: str) -> Any:
        place.peers = {GFN1: True, GFN2: True}
        return place.call_before(function, *arguments)  # type: ignore[attr-defined]

    place.call = call  # type: ignore[method-assign]
    assert "uuid" not in give(place)["changes"]


def test_an_identity_that_is_none_is_refused_before_anything_is_looked_at(place: Place) -> None:
    with pytest.raises(GlusterError):
        restore.restore_identity(place, GlusterdIdentity("../x", "g", 1, {}), VOLUMES)  # type: ignore[arg-type]
    assert place.called == []


def test_a_glusterd_that_does_not_end_keeps_its_files(place: Place) -> None:
    """It would write its own over ours."""
    before, place.stops = place.files(), False
    assert kind(place) == "daemon_up"
    assert (place.files(), place.copies) == (before, 0)
    assert "service.start" not in place.called


def test_a_glusterd_that_takes_its_time_to_end_is_waited_for(place: Place) -> None:
    place.ends_after_s = 15.0
    give(place)
    assert place.called[-1] == "service.start"
    assert place.clock >= 1015


def test_what_glusterd_does_not_need_to_forget_is_not_touched(place: Place, tmp_path: Path) -> None:
    """Bricks of the shared storage, keys, webhooks, what an operator has put or linked there."""
    others = {
        "ss_brick/user": "data", "ss_brick/.glusterfs/x": "", "events/webhooks.json": "{}",
        "geo-replication/secret.pem": "key", "of-an-operator": "text",
        "snaps/missed_snaps_list": "",
    }  # fmt: skip
    for name, text in others.items():
        (place.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / name).write_text(text)
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("data of another")
    (place.folder / "nfs").symlink_to(other)
    give(place)
    assert others.items() <= place.files().items()
    assert "options" not in place.files(), "those of a pool that was left may have a higher version"
    assert (place.folder / "nfs").is_symlink()
    assert (other / "kept").read_text() == "data of another"


def test_a_node_whose_directories_are_gone_and_whose_init_masks_nothing(place: Place) -> None:
    for name in ("vols", "peers"):
        (place.folder / name).rmdir()
    place.functions.clear()
    give(place)
    assert place.called == ["service.stop", "service.start"]


def test_a_glusterd_that_is_down_is_not_stopped(place: Place) -> None:
    place.running = False
    give(place)
    assert "service.stop" not in place.called


NOT_BACK: dict[str, Callable[[Place], object]] = {
    "a peer is not connected": lambda p: p.peers.update({GFN2: False}),
    "a peer is missing": lambda p: p.peers.pop(GFN2),
    "the peers are not known": lambda p: setattr(p, "peers", Unknown("hung")),
    "there is a stranger": lambda p: p.peers.update({NEW: True}),
    "the volume has not come": lambda p: setattr(p, "volumes", ()),
    "the volumes are not known": lambda p: setattr(p, "volumes", Unknown("hung")),
    "it still imports": lambda p: setattr(p, "importing", ("data",)),
    "whether it imports is not known": lambda p: setattr(p, "importing", Unknown("?")),
}


@pytest.mark.parametrize("name", NOT_BACK)
def test_it_is_not_said_to_be_back_before_the_pool_has_taken_it_in(place: Place, name: str) -> None:
    NOT_BACK[name](place)
    assert kind(place) == "not_back"
    assert place.clock >= 1000 + restore.BACK_S


def test_the_pool_may_take_its_time(place: Place) -> None:
    place.back_after_s = 50.0
    assert give(place)["changes"]
