"""Who begins the ACL of the pool's Consul, interrupted anywhere, and what stays of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul import acl
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy import acl_beginning, secret_store
from salt_gluster.master.deploy.secret_store import SecretStore


class Consul:
    """Its tokens that may do everything, as Consul 1.8 answers."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.begun = False
        self.early = 0
        self.ends_after = ""

    def client(self, where: Access) -> Any:
        return _Client(self, where)


class _Client:
    def __init__(self, consul: Consul, where: Access) -> None:
        self.consul, self.where, self.transport = consul, where, self

    def close(self) -> None:
        """As a client's."""

    def get(self, callback: Any, path: str) -> Any:
        assert path == "/v1/acl/token/self"
        return self._answer(callback, {"AccessorID": self._own()}, "self")

    def put(self, callback: Any, path: str, data: str = "") -> Any:
        if path == "/v1/acl/bootstrap":
            self._early()
            if self.consul.begun:
                raise _no("Permission denied: ACL bootstrap no longer allowed (reset index: 9)")
            self.consul.begun, self.consul.tokens["first"] = True, "a-first"
            return self._answer(callback, {"SecretID": "first"}, "bootstrap")
        self._own()
        body = json.loads(data)
        if body["SecretID"] in self.consul.tokens:
            raise _no("Invalid Token: SecretID is already in use")
        self.consul.tokens[body["SecretID"]] = "a-ours"
        return self._answer(callback, {}, "ours")

    def delete(self, callback: Any, path: str) -> Any:
        accessor = path.rpartition("/")[2]
        assert accessor != self._own(), "Consul: the request's own token is not deleted"
        self.consul.tokens = {s: a for s, a in self.consul.tokens.items() if a != accessor}
        return self._answer(callback, True, "delete")

    def _early(self) -> None:
        if self.consul.early:
            self.consul.early -= 1
            raise ConsulError("Consul cannot now.", kind="server_error",
                              text="The ACL system is currently in legacy mode.")  # fmt: skip

    def _own(self) -> str:
        self._early()
        if self.where.token not in self.consul.tokens:
            raise _no("ACL not found")
        return self.consul.tokens[self.where.token]

    def _answer(self, callback: Any, body: Any, what: str) -> Any:
        answer = callback(type("Answer", (), {"body": json.dumps(body)})())
        if self.consul.ends_after == what:
            raise KeyboardInterrupt
        return answer


def _no(text: str) -> ConsulError:
    return ConsulError("Consul refused it (403).", kind="forbidden", text=text)


@pytest.fixture
def kept(tmp_path: Path) -> SecretStore:
    made = secret_store.place(tmp_path / "master", "main")
    made.make()
    return made


@pytest.fixture
def consul(monkeypatch: pytest.MonkeyPatch) -> Consul:
    made = Consul()
    for module in (acl, acl_beginning):
        monkeypatch.setattr(module, "Client", made.client)
    monkeypatch.setattr(acl_beginning, "_PAUSE_S", 0)
    return made


def begin(kept: SecretStore, consul: Consul, patience_s: float = 5) -> bool:
    client = consul.client(Access(token=kept.secrets().management))
    return acl_beginning.begin(kept, client, patience_s=patience_s)


def is_only_ours(kept: SecretStore, consul: Consul) -> bool:
    return set(consul.tokens) == {kept.secrets().management} and not kept.first_token()


def test_a_new_consul_knows_the_vault_s_token_and_no_other(
    kept: SecretStore, consul: Consul
) -> None:
    consul.early = 3
    assert begin(kept, consul) is True
    assert is_only_ours(kept, consul)
    assert begin(kept, consul) is False
    consul.tokens, consul.begun = {}, False  # it lost all of its disks
    assert begin(kept, consul) is True
    assert is_only_ours(kept, consul)


@pytest.mark.parametrize("after", ["ours", "delete"])
def test_what_was_interrupted_goes_on(kept: SecretStore, consul: Consul, after: str) -> None:
    consul.ends_after = after
    with pytest.raises(KeyboardInterrupt):
        begin(kept, consul)
    consul.ends_after = ""
    begin(kept, consul)
    assert is_only_ours(kept, consul)


def test_a_first_token_of_a_consul_that_is_no_more_is_dropped(
    kept: SecretStore, consul: Consul
) -> None:
    kept.keep_first_token("of an earlier one")
    begin(kept, consul)
    assert is_only_ours(kept, consul)


def test_an_acl_that_somebody_else_has_begun_is_named_and_told_what_to_do(
    kept: SecretStore, consul: Consul
) -> None:
    consul.begun, consul.tokens = True, {"theirs": "a-theirs"}
    with pytest.raises(GlusterError, match="begun by somebody else") as refused:
        begin(kept, consul, patience_s=0.05)
    assert "docs/consul.md" in refused.value.hint
    assert "reset index: 9" in str(refused.value), "what the recovery needs"
    assert set(consul.tokens) == {"theirs"}
    assert kept.secrets().management not in str(refused.value)
