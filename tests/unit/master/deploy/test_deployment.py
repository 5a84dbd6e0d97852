"""Which nodes are let into Consul; the rights: tests/integration/test_consul_acl_and_tls.py."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.acl import Grant, Registrar
from salt_gluster.consul.admission_proof import proof
from salt_gluster.consul.admitted import read
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy import deployment, secret_store
from salt_gluster.master.deploy.pillar_environment import CompiledPillar
from salt_gluster.master.deploy.secret_store import SecretStore

ONE, TWO = (f"0000000{n}-0000-4000-8000-000000000000" for n in (1, 2))
PILLAR = {"gluster": {"nodes": "g[1-4]"}}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    """A vault whose Consul is away: whoever is admitted comes as far as that."""
    made = secret_store.place(tmp_path / "master", "main")
    made.make()
    monkeypatch.setattr(deployment, "Access", lambda token: _Nowhere("http://127.0.0.1:9", token))
    return made


_Nowhere = deployment.Access


def admit(
    kept: SecretStore, minion: str, uuid: str, *, says: Any = "", pillar: dict[str, Any] = PILLAR
) -> dict[str, Any]:
    conf = str(kept.folder.parent.parent / "master")
    given = CompiledPillar(pillar)
    return deployment.admit(
        conf, minion, uuid, given, proving(kept, minion, uuid if says == "" else says)
    )


def proving(kept: SecretStore, minion: str, says: Any) -> Any:
    """Return a minion that answers with what it is given and its own proof of it."""

    def answer(nonce: str, believes: Any) -> Any:
        mine = kept.known(minion)
        assert mine is not None
        shown = proof(mine.node, minion, says, nonce) if isinstance(says, str) else ""
        return {"uuid": says, "proof": shown}

    return answer


def test_a_node_that_says_the_same_itself_is_admitted(kept: SecretStore) -> None:
    with pytest.raises(ConsulError, match="own Consul agent does not answer"):
        admit(kept, "g1", ONE)
    mine = kept.known("g1")
    assert mine is not None and (mine.uuid, mine.server) == (ONE, True)


@pytest.mark.parametrize(
    ("minion", "pillar"),
    [
        ("web", PILLAR),
        ("g1", {}),
        ("g1", {"gluster": {"nodes": "g[2-4]"}}),
        ("g1", {"gluster": {"nodes": "g1", "cluster": "other"}}),
        ("../g1", PILLAR),
    ],
    ids=str,
)
def test_who_is_no_node_by_the_pillar_is_not(
    kept: SecretStore, minion: str, pillar: dict[str, Any]
) -> None:
    with pytest.raises(GlusterError, match="is no node of a pool"):
        admit(kept, minion, ONE, pillar=pillar)
    assert kept.nodes() == []


@pytest.mark.parametrize("says", [TWO, False, {"unknown": "no identity"}, "ERROR"], ids=str)
def test_a_request_that_the_minion_does_not_confirm_binds_nothing(
    kept: SecretStore, says: Any
) -> None:
    """An event with its name in it may come from any minion."""
    with pytest.raises(GlusterError, match="itself says"):
        admit(kept, "g1", ONE, says=says)
    assert [n for n in kept.nodes() if n.uuid] == []


def test_whose_pillar_is_not_known_is_neither_admitted_nor_called_no_node(
    kept: SecretStore,
) -> None:
    conf = str(kept.folder.parent.parent / "master")
    unknown = CompiledPillar(why="its pillar environment is not known: the minion did not answer")
    with pytest.raises(GlusterError, match="is not known: its pillar environment") as refused:
        deployment.admit(conf, "g1", ONE, unknown, lambda nonce, believes: ONE)
    assert (refused.value.kind, kept.nodes()) == ("unknown", [])


def test_who_is_known_already_is_not_asked_again(kept: SecretStore) -> None:
    with pytest.raises(ConsulError):
        admit(kept, "g1", ONE)
    with pytest.raises(ConsulError):
        admit(kept, "g1", ONE, says="busy")
    with pytest.raises(GlusterError, match="itself says"):
        admit(kept, "g1", TWO, says="busy")


def test_a_request_without_a_uuid_gets_the_one_that_the_minion_says(kept: SecretStore) -> None:
    """A request has none: any minion could put a wrong one there, in the name of this one."""
    conf, pillar = str(kept.folder.parents[1] / "master"), CompiledPillar(PILLAR)
    for says in (None, "", "not a uuid", 7, {"x": 1}):
        with pytest.raises(GlusterError, match="does not say its gluster uuid"):
            deployment.admit(conf, "g1", "", pillar, proving(kept, "g1", says))
        mine = kept.known("g1")
        assert mine is not None and mine.uuid == ""
    for says in (ONE, TWO, None, "busy"):  # it is another node by now; it does not answer
        with pytest.raises(GlusterError, match="own Consul agent"):
            deployment.admit(conf, "g1", "", pillar, proving(kept, "g1", says))
        known = kept.known("g1")
        assert known is not None and known.uuid == (says if says == ONE else TWO)


def test_a_silent_minion_is_not_admitted(kept: SecretStore) -> None:
    with pytest.raises(GlusterError, match="itself says"):
        admit(kept, "g1", ONE, says=None)
    assert [n for n in kept.nodes() if n.uuid] == []


def test_what_another_minion_answers_in_its_name_is_no_answer(kept: SecretStore) -> None:
    """Salt authenticates which key sends, not whose answer it is."""
    conf, pillar = str(kept.folder.parents[1] / "master"), CompiledPillar(PILLAR)
    other = kept.node("g2")
    seen: list[dict[str, str]] = []

    def forged(nonce: str, believes: Any) -> Any:
        mine = kept.known("g1")
        assert mine is not None
        answers: list[Any] = [
            TWO, {"uuid": TWO}, {"uuid": TWO, "proof": ""}, {"uuid": TWO, "proof": 7},
            {"uuid": TWO, "proof": "\u00e9"},
            {"uuid": TWO, "proof": proof(other.node, "g1", TWO, nonce)},
            {"uuid": TWO, "proof": proof(mine.agent, "g1", TWO, nonce)},
            {"uuid": TWO, "proof": proof(mine.node, "g1", ONE, nonce)},
            {"uuid": TWO, "proof": proof(mine.node, "g2", TWO, nonce)},
            *seen,  # said before, to another question
        ]  # fmt: skip
        assert [believes(answer) for answer in answers] == [False] * len(answers)
        seen.append({"uuid": ONE, "proof": proof(mine.node, "g1", ONE, nonce)})
        assert believes(seen[-1])
        return answers[-1]

    for _ in range(2):
        with pytest.raises(GlusterError, match="does not say its gluster uuid"):
            deployment.admit(conf, "g1", "", pillar, forged)
    assert [n for n in kept.nodes() if n.uuid] == []


@pytest.mark.parametrize("uuid", ["x", ONE + "/..", ONE.upper().replace("0", "A"), '"' + ONE])
def test_what_is_no_uuid_is_none(kept: SecretStore, uuid: str) -> None:
    with pytest.raises(GlusterError, match="is no gluster uuid"):
        admit(kept, "g1", uuid)


def test_two_nodes_never_share_a_uuid(kept: SecretStore) -> None:
    with pytest.raises(ConsulError):
        admit(kept, "g1", ONE)
    with pytest.raises(GlusterError, match="g1 is the node with the gluster uuid"):
        admit(kept, "g2", ONE)
    with pytest.raises(ConsulError):
        admit(kept, "g1", TWO)
    with pytest.raises(ConsulError):
        admit(kept, "g2", ONE)


def test_only_the_first_node_may_make_the_canary(kept: SecretStore) -> None:
    for n in (1, 2):
        with kept.locked():
            kept.node(f"g{n}")
            kept.admit(f"g{n}", f"0000000{n}-0000-4000-8000-000000000000")
    canary = "gluster/main/canary"
    found = {
        g.whose: canary in g.rules.get("key", {})
        for g in deployment.wanted(kept, kept.nodes(), "g1")
        if g.role == "node"
    }
    assert found == {"main/g1": True, "main/g2": False}


def test_every_node_is_written_down_before_the_first_right_is_made(
    kept: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first record on a node without one is nobody: those of before are written, too."""
    for n in (1, 2, 3):
        kept.node(f"g{n}")
    with kept.locked():
        kept.admit("g1", ONE)  # before an upgrade
    consul, seen = FakeConsul(), list[dict[str, str]]()

    def ensure(self: Registrar, rights: list[Grant]) -> list[str]:
        seen.append(read(consul.client(), "main"))
        return []

    monkeypatch.setattr(
        deployment, "_management", lambda kept: contextlib.nullcontext(consul.client())
    )
    monkeypatch.setattr(Registrar, "ensure", ensure)
    monkeypatch.setattr(deployment.acl_beginning, "begin", lambda kept, client, patience_s: True)
    done = admit(kept, "g2", TWO)["done"]
    assert seen == [{"g1": ONE, "g2": TWO}]
    assert done == ["g1 is admitted", "g2 is admitted"]
    assert deployment._shared(kept) == {}, "nothing is left to do"


# --- a minion with another name ------------------------------------------------------------------


class Managed:
    """A Consul that takes everything: what it was told, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        monkeypatch.setattr(deployment, "_management", lambda kept: contextlib.nullcontext(self))
        monkeypatch.setattr(deployment, "_registered", lambda kept, rights: self.granted(rights))
        monkeypatch.setattr(
            deployment, "Registrar", lambda client: type("R", (), {"revoke": self.revoke})()
        )
        monkeypatch.setattr(
            deployment.admitted, "withdraw",
            lambda client, cluster, name: self.told.append(f"withdraw {cluster}/{name}"),
        )  # fmt: skip
        monkeypatch.setattr(
            deployment.raft, "forget_node", lambda client, name: self.told.append(f"forget {name}")
        )

    def granted(self, rights: list[Any]) -> list[str]:
        self.told += [f"grant {g.role} {g.whose}" for g in rights if g.role == "node"]
        return []

    def revoke(self, grant: Any) -> None:
        self.told.append(f"revoke {grant.role} {grant.whose}")


def renamed(
    kept: SecretStore, monkeypatch: pytest.MonkeyPatch, nodes: list[str], keys: tuple[str, ...]
) -> tuple[Managed, dict[str, Any] | GlusterError]:
    """Ask for the admission of g9, which was g3."""
    with kept.locked():
        kept.node("g3")
        kept.admit("g3", ONE)
    consul = Managed(monkeypatch)
    pillar = CompiledPillar({"gluster": {"nodes": nodes}})
    conf = str(kept.folder.parent.parent / "master")
    try:
        says = proving(kept, "g9", ONE)
        return consul, deployment.admit(conf, "g9", ONE, pillar, says, lambda: keys)
    except GlusterError as err:
        return consul, err


def test_a_renamed_minion_is_admitted_and_its_old_row_and_rights_go(
    kept: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    consul, done = renamed(kept, monkeypatch, ["g[1-2]", "g9"], ("g1", "g2", "g9"))
    assert isinstance(done, dict), done
    assert done["done"] == ["g3 is withdrawn: its minion has another name"]
    assert consul.told == [
        "withdraw main/g3", "revoke agent main/g3", "revoke node main/g3", "forget g3",
        "grant node main/g9",
    ]  # fmt: skip
    assert [(n.name, n.uuid) for n in kept.nodes()] == [("g9", ONE)]


@pytest.mark.parametrize(
    ("nodes", "keys"),
    [(["g[1-3]", "g9"], ("g9",)), (["g9"], ("g3", "g9")), (["g9"], ())],
    ids=["still a node", "its key is accepted", "no key is known"],
)
def test_a_name_that_may_still_be_another_machine_s_keeps_its_uuid(
    kept: SecretStore, monkeypatch: pytest.MonkeyPatch, nodes: list[str], keys: tuple[str, ...]
) -> None:
    consul, refused = renamed(kept, monkeypatch, nodes, keys)
    assert isinstance(refused, GlusterError) and refused.kind == "taken"
    assert "salt-key -d g3" in refused.hint
    assert consul.told == []
    known = kept.known("g3")
    assert known is not None and known.uuid == ONE
