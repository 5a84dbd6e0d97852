"""The master's folder of secrets: made once by whoever is first, readable by its owner alone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.master.deploy import secret_store as vaults
from salt_gluster.master.deploy.ca import Authority
from salt_gluster.master.deploy.secret_store import SecretStore
from salt_gluster.spec import parse_pool

POOL = parse_pool({"nodes": "g[1-4]", "addresses": {"g2": "g2-storage"}})
NOW, DAY_S = time.time(), 86400
ONE, TWO = (f"0000000{n}-0000-4000-8000-000000000000" for n in (1, 2))


@pytest.fixture
def vault(tmp_path: Path) -> SecretStore:
    made = vaults.place(tmp_path / "master", "main")
    assert made.make()
    return made


def files(vault: SecretStore) -> dict[str, str]:
    return {str(f): f.read_text() for f in sorted(vault.folder.rglob("*")) if f.is_file()}


def test_nobody_but_the_owner_may_look(vault: SecretStore) -> None:
    vault.node("g1", server=True)
    vault.master("m1")
    with vault.locked():
        vault.admit("g1", ONE)
    vault.servers(POOL)
    there = [vault.folder.parent, vault.folder, *vault.folder.rglob("*")]
    assert {oct(p.stat().st_mode & 0o777) for p in there if p.is_dir()} == {"0o700"}
    modes = {p.name: oct(p.stat().st_mode & 0o777) for p in there if p.is_file()}
    assert set(modes.values()) == {"0o600"}
    assert len(modes) == 7


def test_where_events_are_taken_is_kept_and_may_change(vault: SecretStore) -> None:
    assert vault.events() is None
    vault.take_events("10.0.0.5", 24017)
    vault.take_events("10.0.0.6", 24017)
    assert vault.events() == ("10.0.0.6", 24017)
    (vault.folder / "events.json").write_text('{"address": "10.0.0.6"}')
    with pytest.raises(GlusterError):
        vault.events()


def test_it_is_made_once(vault: SecretStore) -> None:
    vault.node("g1")
    before = files(vault)
    assert not vault.make()
    vault.node("g1")
    assert files(vault) == before
    assert [p.name for p in vault.folder.parent.iterdir()] == ["main"]


def test_the_secrets_are_of_the_form_that_consul_takes(vault: SecretStore) -> None:
    shared = vault.secrets()
    assert len(base64.b64decode(shared.encrypt)) == 32
    one = vault.node("g1")
    tokens = [shared.management, shared.engine, shared.reader, one.agent, one.node]
    assert len({uuid.UUID(token) for token in tokens}) == 5


def test_no_secret_shows_in_a_repr(vault: SecretStore) -> None:
    one, shared, authority = vault.node("g1"), vault.secrets(), vault.authority()
    said = repr([vault, one, shared, authority])
    secret = [shared.encrypt, shared.management, shared.engine, shared.reader]
    secret += [one.agent, one.node, one.key, authority.key, "PRIVATE"]
    assert [s for s in secret if s in said] == []


def test_two_writers_at_once_make_one_set(tmp_path: Path) -> None:
    """Of processes and threads, each on its own, all get the same secrets and identities."""
    code = (
        "import sys; from salt_gluster.master.deploy.secret_store import place;"
        "v = place(sys.argv[1], 'main');"
        "v.make(); n = v.node('g1', server=True); print(v.secrets().engine, n.agent, n.node)"
    )
    conf = tmp_path / "master"

    def run(_: int) -> str:
        words = [sys.executable, "-c", code, str(conf)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(6) as workers:
        said = set(workers.map(run, range(6)))
    assert len(said) == 1
    made = SecretStore(tmp_path / "gluster" / "main")
    with ThreadPoolExecutor(8) as workers:
        ids = set(workers.map(lambda n: made.node(f"g{n % 2}").agent, range(32)))
    assert len(ids) == 2
    assert sorted(p.name for p in (made.folder / "nodes").iterdir()) == ["g0.json", "g1.json"]
    assert [p.name for p in made.folder.parent.iterdir()] == ["main"]


def test_a_certificate_names_a_server_only_where_it_is_one(vault: SecretStore) -> None:
    authority = x509.load_pem_x509_certificate(vault.authority().certificate.encode())
    store = Store([authority])

    def names(pem: str) -> set[str]:
        cert = x509.load_pem_x509_certificate(pem.encode())
        verifier = PolicyBuilder().store(store).build_client_verifier()
        assert verifier.verify(cert, []) is not None
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(found.get_values_for_type(x509.DNSName))

    client = vault.node("g1")
    assert names(client.cert) == {"client.gluster.consul", "localhost"}
    server = vault.node("g1", server=True)
    assert names(server.cert) == {"server.gluster.consul", "client.gluster.consul", "localhost"}
    assert (server.agent, server.node) == (client.agent, client.node)
    assert names(vault.node("g1").cert) == names(client.cert)
    stranger = Authority.new("other", NOW).sign("g1", "gluster", NOW, server=True)[0]
    with pytest.raises(Exception, match=r"candidates exhausted|validation failed"):
        names(stranger)


def test_a_certificate_is_made_anew_in_the_last_third_of_its_life(vault: SecretStore) -> None:
    def later(years: float) -> SecretStore:
        return SecretStore(vault.folder, lambda: NOW + years * 365 * DAY_S)

    vault.node("g1", server=True)
    with vault.locked():
        mine = vault.admit("g1", ONE)
    assert later(6.6).node("g1", server=True) == mine
    with ThreadPoolExecutor(6) as workers:
        said = {workers.submit(later(6.8).node, "g1", server=True) for _ in range(12)}
    (renewed,) = {one.result() for one in said}  # the same for all who asked at once
    assert renewed.cert != mine.cert
    assert replace(renewed, cert=mine.cert, key=mine.key) == mine
    assert later(6.8 + 6.5).node("g1", server=True) == renewed
    assert later(13.5).node("g1", server=True) != renewed
    # Nothing renews that of a master beside the pool by itself: it lives as long as the authority.
    master = vault.master("m1")
    assert later(19.9).master("m1") == master


def test_servers_are_chosen_once_and_a_changed_pool_moves_one(vault: SecretStore) -> None:
    assert vault.servers() == ()
    assert vault.servers(POOL) == ("g1", "g2", "g3")
    assert vault.servers(parse_pool({"nodes": "h[1-9]"})) == ("g1", "g2", "g3")
    other = parse_pool({"nodes": "g[2-5]"})
    assert vault.fit_servers(other) == (("g1", "g2", "g3"), ("g2", "g3", "g4"))
    assert vault.fit_servers(other) == (("g2", "g3", "g4"), ("g2", "g3", "g4"))


def test_a_uuid_is_admitted_for_one_node_only(vault: SecretStore) -> None:
    vault.node("g1")
    vault.node("g2")
    assert vault.admit("g1", ONE).uuid == ONE
    assert vault.admit("g1", ONE).uuid == ONE
    with pytest.raises(GlusterError, match="g1 is the node with the gluster uuid"):
        vault.admit("g2", ONE)
    assert vault.node("g2").uuid == ""
    assert vault.admit("g1", TWO).uuid == TWO
    assert vault.admit("g2", ONE).uuid == ONE
    with pytest.raises(GlusterError, match="g9 is no node"):
        vault.admit("g9", ONE)
    assert vault.node("g1", server=True).uuid == TWO


@pytest.mark.parametrize("name", ["../g1", "g1/..", "", ".g1", "g 1", "/etc/passwd"])
def test_a_name_is_never_a_path(vault: SecretStore, name: str) -> None:
    for ask in (vault.node, vault.known, vault.master, lambda n: vaults.of("/etc/x", n or "a/b")):
        with pytest.raises(SpecError):
            ask(name)


def test_what_is_damaged_is_said_without_its_content(vault: SecretStore) -> None:
    vault.node("g1")
    for name, text in (("secrets.json", "{secret"), ("nodes/g1.json", '{"agent": "secret"}')):
        (vault.folder / name).write_text(text)
    for ask in (vault.secrets, lambda: vault.node("g1")):
        with pytest.raises(GlusterError, match="is damaged") as caught:
            ask()
        assert "secret" not in str(caught.value).replace("secrets.json", "")
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_it_is_found_by_its_name_or_when_it_is_the_only_one(tmp_path: Path) -> None:
    conf = tmp_path / "master"
    assert vaults.of(conf) is None and vaults.of(conf, "main") is None
    vaults.place(conf, "prod").make()
    assert vaults.of(conf).cluster == "prod"  # type: ignore[union-attr]
    assert vaults.of(conf, "main") is None
    vaults.place(conf, "dev").make()
    assert vaults.of(conf) is None
    vaults.place(conf, "main").make()
    assert vaults.of(conf).cluster == "main"  # type: ignore[union-attr]


@pytest.mark.usefixtures("root")
def test_what_root_writes_belongs_to_the_user_of_the_master(tmp_path: Path) -> None:
    made = vaults.place(tmp_path / "master", "main")
    made.make((12345, 12346))
    made.node("g1")
    with made.locked():
        made.servers(POOL)
        made.admit("g1", ONE)
    there = [made.folder.parent, made.folder, *made.folder.rglob("*")]
    assert {(p.stat().st_uid, p.stat().st_gid) for p in there} == {(12345, 12346)}


def test_the_files_say_their_version(vault: SecretStore) -> None:
    vault.node("g1")
    vault.servers(POOL)
    said = [json.loads(t) for name, t in files(vault).items() if name.endswith(".json")]
    assert [s["schema"] for s in said] == [1, 1, 1]
