"""Values are compared by meaning and refused where gluster refuses them."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from needs import needs

from salt_gluster.errors import SpecError
from salt_gluster.model import Hazard
from salt_gluster.spec.option import (
    catalogue,
    check,
    checked,
    equal,
    find,
    full_name,
    hazard,
    normalise,
    to_reset,
)
from salt_gluster.spec.option_hazards import HAZARDS, ONE_WAY

# --- the table of facts.md#C-I.1, tried again on GlusterFS 10.3 -----------------------------------

TAKEN = {
    "cluster.lookup-optimize": "true on yes enable 1 false off no disable 0 TRUE Yes oFF",
    "performance.cache-size": "64MB 67108864 64mb 65536KB 0.5GB 3MB 40GB",
    "cluster.min-free-disk": "10% 10 5GB 10.5%",
    "network.ping-timeout": "30 30s 1m 0 1000 10m",
    "performance.io-thread-count": "8 0x10 64",
    "cluster.quorum-type": "auto none fixed",
    "diagnostics.brick-log-level": "INFO",
    "auth.allow": "1.2.3 * 198.18.0.1,198.18.0.2",
    "server.ssl": "maybe on",
    "transport.address-family": "inet inet6",
    "storage.reserve": "101 1% 0x10",
    "locks.mandatory-locking": "optimal",
}
REFUSED = {
    "cluster.lookup-optimize": "enabled bogus 2",
    "performance.cache-size": "64M 64MiB -1 abc 10%",
    "cluster.min-free-disk": "101% -1%",
    # 10:00 is no time to 10.3 (facts.md#C-I.1): it answers "invalid time format".
    "network.ping-timeout": "-1 30.5 abc 1h 1014 10:00",
    "performance.io-thread-count": "0 65 008",
    "cluster.quorum-type": "AUTO",
    "diagnostics.brick-log-level": "info",
    "features.quota": "on",
    "features.bitrot": "on",
    "features.scrub-throttle": "lazy",
    "storage.reserve": "101%",
    "performance.write-behind": "zz",
    "locks.mandatory-locking": "on",
    "cluster.op-version": "100000",
    "cluster.server-quorum-ratio": "60%",
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, w in TAKEN.items() for v in w.split()])
def test_values_that_gluster_takes_are_taken(name: str, value: str) -> None:
    assert check(name, value) == value


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, w in REFUSED.items() for v in w.split()])
def test_values_that_gluster_refuses_are_refused_with_the_key(name: str, value: str) -> None:
    with pytest.raises(SpecError) as caught:
        check(name, value, "gluster:volumes:v:options:x")
    assert caught.value.key == "gluster:volumes:v:options:x" and caught.value.hint


def test_refusals_say_what_to_write() -> None:
    for name, value, fix in (
        ("no.such", "1", "Did you mean|volume set help"),
        ("cluster.lookup-optimise", "on", "cluster.lookup-optimize"),
        ("cluster.quorum-type", "AUTO", "Write auto"),
        ("performance.io-thread-count", "65", "1 to 64"),
        ("performance.cache-size", "64M", "not M or MiB"),
        ("features.quota", "on", "gluster volume quota"),
        ("cluster.brick-multiplex", "on", "volume set all"),
        ("user.x", "--xml", "default"),
    ):
        with pytest.raises(SpecError, match=fix):
            check(name, value)


def test_a_pool_option_is_taken_for_the_pool_only() -> None:
    assert check("cluster.server-quorum-ratio", "60%", scope="pool") == "60%"
    with pytest.raises(SpecError, match="option of a volume"):
        check("cluster.lookup-optimize", "on", scope="pool")


def test_short_names_become_the_names_that_gluster_stores() -> None:
    assert full_name("lookup-optimize") == "cluster.lookup-optimize"
    assert full_name("user.anything-at-all") == "user.anything-at-all"
    assert checked({"cache-size": "64 MB", "user.a": "b c"}) == {
        "performance.cache-size": "64MB",
        "user.a": "b c",
    }
    with pytest.raises(SpecError, match="written twice"):
        checked({"ping-timeout": "1", "network.ping-timeout": "2"})


@pytest.mark.parametrize(
    ("name", "spellings", "other"),
    [
        ("performance.cache-size", ["64MB", "67108864", "64mb", "65536KB", "64 MB"], "32MB"),
        ("cluster.lookup-optimize", ["on", "TRUE", "yes", "1", "enable"], "off"),
        ("cluster.lookup-unhashed", ["on", "yes", "1"], "auto"),
        ("network.ping-timeout", ["60", "60s", "1m", "0x3c"], "42"),
        ("cluster.min-free-disk", ["10%", "10.0%"], "10"),
        ("cluster.min-free-inodes", ["5%", "5", "5.0"], "6%"),
        ("auth.allow", ["198.18.0.1,198.18.0.2", "198.18.0.2, 198.18.0.1"], "198.18.0.1"),
        ("user.note", ["a b"], "ab"),
    ],
)
def test_spellings_of_one_value_are_equal(name: str, spellings: list[str], other: str) -> None:
    assert all(equal(name, spellings[0], s) for s in spellings)
    assert not any(equal(name, s, other) for s in spellings)


# --- properties -----------------------------------------------------------------------------------

OPTION_NAMES = st.sampled_from([*catalogue(), "user.x"])
VALUES = st.one_of(
    st.sampled_from(" ".join([*TAKEN.values(), *REFUSED.values()]).split()),
    st.from_regex(r"\A[+-]?[0-9.]{1,6}(KB|MB|GB|%|s|m|h|d|w|days)?\Z"),
    st.text(max_size=10),
)


@given(OPTION_NAMES, VALUES)
def test_a_normal_form_is_its_own_normal_form(name: str, value: str) -> None:
    assert normalise(name, normalise(name, value)) == normalise(name, value)


@given(OPTION_NAMES, VALUES)
def test_what_is_sent_means_what_was_written(name: str, value: str) -> None:
    try:
        sent = check(name, value, "k")
    except SpecError as error:
        assert error.key == "k"
        return
    assert equal(name, sent, value) and check(name, sent, "k") == sent


def test_every_default_is_read_as_its_type() -> None:
    # 'auto', '{{ … }}' and the like are defaults that nobody may type.
    odd = {
        o.name
        for o in catalogue().values()
        if o.type in ("bool", "int", "size", "time", "percent")
        and o.checked
        and o.default
        and normalise(o.name, o.default) == o.default
        and not o.default.rstrip("%").lstrip("-").isdigit()
        and o.default not in ("on", "off")
    }
    assert odd == ODD_DEFAULTS


ODD_DEFAULTS: set[str] = set()


@pytest.fixture(scope="module")
def lib() -> Any:
    """The real parser of the installed GlusterFS."""
    try:
        return ctypes.CDLL("libglusterfs.so.0")
    except OSError:
        needs("libglusterfs (`.ci/setup system` installs it)")


@given(st.one_of(VALUES, st.from_regex(r"\A0[xX]?[0-9a-f]{1,4}(s|d|days|KB)?\Z")))
def test_values_are_read_as_libglusterfs_reads_them(lib: Any, value: str) -> None:
    if not value.isascii() or not value.isprintable() or " " in value or not value:
        return
    for function, kind, name in (
        ("gf_string2boolean", ctypes.c_int, "cluster.lookup-optimize"),
        ("gf_string2bytesize_uint64", ctypes.c_uint64, "performance.cache-size"),
        ("gf_string2time", ctypes.c_uint32, "network.ping-timeout"),
    ):
        out = kind()
        taken = getattr(lib, function)(value.encode(), ctypes.byref(out)) == 0
        ours = normalise(name, value)
        wraps = re.fullmatch(r"\+?[0-9a-fxX]{4,}(d|days|w|wk)", value)  # at 2**32 seconds
        if taken and kind is ctypes.c_uint32 and wraps:
            continue
        if taken:
            theirs = {0: "off", 1: "on"}[out.value] if kind is ctypes.c_int else str(out.value)
            assert ours == theirs, name
        else:
            with pytest.raises(SpecError):
                check(name, value)


# --- hazards and exclusive options ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "kind"),
    [
        ("features.shard", None, "on", Hazard.DATA_AT_RISK),
        ("features.shard", "on", None, Hazard.DATA_AT_RISK),
        ("features.shard", "on", "enable", Hazard.NONE),
        ("cluster.quorum-type", "auto", "none", Hazard.DATA_AT_RISK),
        ("cluster.quorum-type", None, "none", Hazard.DATA_AT_RISK),
        ("cluster.quorum-type", None, "fixed", Hazard.DATA_AT_RISK),
        ("cluster.quorum-type", "none", "auto", Hazard.NONE),
        ("cluster.quorum-type", "none", None, Hazard.NONE),
        ("cluster.quorum-type", "auto", None, Hazard.NONE),
        ("cluster.quorum-count", "2", "1", Hazard.DATA_AT_RISK),
        ("cluster.quorum-count", "2", None, Hazard.DATA_AT_RISK),
        ("cluster.quorum-count", "1", "2", Hazard.NONE),
        ("disperse.quorum-count", "5", "0", Hazard.DATA_AT_RISK),
        ("disperse.quorum-count", None, "5", Hazard.NONE),
        ("cluster.quorum-reads", "on", "off", Hazard.DATA_AT_RISK),
        ("cluster.quorum-reads", None, "on", Hazard.NONE),
        ("cluster.server-quorum-type", "server", "none", Hazard.DATA_AT_RISK),
        ("cluster.server-quorum-type", "server", None, Hazard.DATA_AT_RISK),
        ("cluster.server-quorum-type", None, "server", Hazard.NONE),
        ("cluster.server-quorum-type", None, "none", Hazard.NONE),
        ("cluster.favorite-child-policy", None, "mtime", Hazard.DATA_AT_RISK),
        ("cluster.favorite-child-policy", "mtime", None, Hazard.NONE),
        ("cluster.ensure-durability", None, "off", Hazard.DATA_AT_RISK),
        ("cluster.ensure-durability", "off", "on", Hazard.NONE),
        ("cluster.self-heal-daemon", None, "off", Hazard.DATA_AT_RISK),
        ("cluster.self-heal-daemon", "off", "on", Hazard.NONE),
        ("auth.allow", None, "198.18.0.1", Hazard.CLIENT_CUT),
        ("auth.allow", "198.18.0.1", "198.18.0.2,198.18.0.1", Hazard.NONE),
        ("auth.allow", "198.18.0.1,198.18.0.2", "198.18.0.1", Hazard.CLIENT_CUT),
        ("auth.allow", "198.18.0.1", None, Hazard.NONE),
        ("auth.reject", "198.18.0.1", "198.18.0.2", Hazard.CLIENT_CUT),
        ("server.ssl", "off", "on", Hazard.CLIENT_CUT),
        ("network.ping-timeout", "42", "20", Hazard.NONE),
        ("user.x", "1", "2", Hazard.NONE),
    ],
)
def test_each_change_has_its_hazard(name: str, old: str, new: str, kind: Hazard) -> None:
    found, why = hazard(name, old, new, holds_data=True)
    assert found is kind and bool(why) == (kind is not Hazard.NONE)
    assert hazard(name, old, new, holds_data=False) == (Hazard.NONE, "")


@pytest.mark.parametrize(("replica", "kind"), [(2, Hazard.NONE), (3, Hazard.DATA_AT_RISK)])
def test_a_default_is_that_of_the_volume(replica: int, kind: Hazard) -> None:
    """Three copies have quorum by themselves, two have not."""
    name = "cluster.quorum-type"
    assert hazard(name, None, "none", holds_data=True, replica=replica)[0] is kind
    assert hazard(name, "none", None, holds_data=True, replica=replica)[0] is Hazard.NONE


# --- length ---------------------------------------------------------------------------------------


def test_no_option_is_longer_than_glusterd_bears() -> None:
    name = "auth.allow"
    clients = ",".join(f"10.100.{n // 250}.{n % 250}" for n in range(380))
    with pytest.raises(SpecError, match=r"characters, at most 4000 are possible.*networks") as told:
        check(name, clients)
    assert told.value.key == "options" and str(len(name) + len(clients)) in str(told.value)
    assert check("user.note", "x" * (4_000 - len("user.note")))
    for value in ("x" * (4_001 - len("user.note")), "é" * 2_000):
        with pytest.raises(SpecError, match="at most 4000"):
            check("user.note", value)


def test_the_name_of_a_user_option_has_a_limit() -> None:
    assert check("user." + "x" * 123, "1") == "1"
    with pytest.raises(SpecError, match="a name of 129 characters; at most 128"):
        check("user." + "x" * 124, "1")


def test_every_hazard_row_is_about_an_option_that_exists() -> None:
    for pattern in [*HAZARDS, *ONE_WAY]:
        named = [n for n in catalogue() if n == pattern or n.startswith(pattern.rstrip("*"))]
        assert named if pattern.endswith("*") else find(pattern), pattern


def test_exclusive_options_leave_what_others_set() -> None:
    observed = {
        "performance.cache-size": "1GB",
        "performance.io-cache": "on",
        "nfs.disable": "on",
        "storage.fips-mode-rchecksum": "on",
        "cluster.granular-entry-heal": "on",
        "performance.client-io-threads": "off",
        "features.quota": "on",
        "features.scrub": "Active",
        "changelog.changelog": "on",
        "geo-replication.indexing": "on",
        "cluster.brick-multiplex": "on",
        "user.x": "1",
    }
    assert to_reset(observed, {"cache-size": "1GB"}) == ("performance.io-cache",)
