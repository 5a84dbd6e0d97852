"""The pillar is read into a spec, or refused with the key and the way out."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import SpecError
from salt_gluster.spec import (
    BrickSpec,
    PoolSpec,
    check_brick_path,
    check_volume_name,
    expand,
    parse_pool,
    parse_volume,
)

EXAMPLES = Path(__file__).parents[3] / "pillar-examples"


def pool(volume: Any = None, **more: Any) -> PoolSpec:
    """Parse four nodes with one volume."""
    data = {"nodes": "g[1-4]", **more}
    return parse_pool({**data, "volumes": {"data": volume}} if volume is not None else data)


# --- what is accepted -----------------------------------------------------------------------------


def test_the_small_example_says_what_its_comments_say() -> None:
    spec = parse_pool(yaml.safe_load((EXAMPLES / "small.sls").read_text())["gluster"])
    volume = spec.volumes["data"]
    assert spec.nodes == ("g1", "g2", "g3", "g4")
    assert (volume.kind, volume.set_size, volume.started) == ("replicate", 3, True)
    assert volume.options["network.ping-timeout"] == "20"
    assert volume.options["cluster.lookup-optimize"] == "on"
    assert volume.mount is not None and volume.mount.at == "/srv/data" and not volume.mount.nodes
    assert spec.device_mounts() == (
        ("/dev/disk/by-id/lab-disk1", "/srv/gluster/disk1"),
        ("/dev/disk/by-id/lab-disk2", "/srv/gluster/disk2"),
    )
    assert [(p.node, p.path) for p in spec.places(volume)][:3] == [
        ("g1", "/srv/gluster/disk1/data"),
        ("g1", "/srv/gluster/disk2/data"),
        ("g2", "/srv/gluster/disk1/data"),
    ]


def test_without_disks_a_node_has_one_place_below_the_brick_root() -> None:
    spec = pool({}, brick_root="/bricks/")
    paths = {p.path for p in spec.places(spec.volumes["data"])}
    assert paths == {"/bricks/data/1"}


def test_the_smallest_pillar_of_the_interface_is_enough() -> None:
    volumes = {"data": {"replica": 3, "mount": "/srv/data"}}
    assert parse_pool({"nodes": "g[1-3]", "volumes": volumes}).volumes["data"].replica == 3


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("g[1-3]", ["g1", "g2", "g3"]),
        ("g[08-11]", ["g08", "g09", "g10", "g11"]),
        ("g[1,3-4]", ["g1", "g3", "g4"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        (["g10", "g[1-2]"], ["g10", "g1", "g2"]),
    ],
)
def test_ranges_keep_order_and_leading_zeros(written: Any, names: list[str]) -> None:
    assert list(expand(written, "k")) == names


def test_zones_addresses_and_arbiters_are_told_per_node() -> None:
    spec = parse_pool(
        {
            "nodes": ["g[1-4]", "arb1"],
            "zones": {"r1": "g[1-2]", "r2": ["g3", "g4"]},
            "addresses": {"g1": "g1-storage"},
            "arbiters": "arb1",
            "volumes": {
                "vm": {"replica": 3, "arbiter": True, "except": "g4"},
                "plain": {"only": "r2"},
            },
        }
    )
    assert (spec.zone("g3"), spec.zone("arb1")) == ("r2", "arb1")
    assert (spec.address("g1"), spec.node_of("G1-Storage"), spec.node_of("g1")) == (
        "g1-storage",
        "g1",
        "g1",
    )
    assert spec.node_of("g9") is None
    vm = [(p.node, p.arbiter_only) for p in spec.places(spec.volumes["vm"])]
    assert vm == [("g1", False), ("g2", False), ("g3", False), ("arb1", True)]
    assert [p.node for p in spec.places(spec.volumes["plain"])] == ["g3", "g4"]


def test_bricks_may_name_the_address_and_are_stored_under_the_node() -> None:
    volume = {"replica": 3, "bricks": ["g1-s:/b//x/", "g2:/b/x", "g3:/b/x"]}
    spec = pool(volume, addresses={"g1": "g1-s"})
    assert spec.volumes["data"].bricks[0] == BrickSpec("g1", "/b/x")


def test_a_state_without_a_pool_keeps_hosts_as_written() -> None:
    volume = parse_volume("v", {"disperse": "4+2", "bricks": ["s[1-6]:/b"]}, key="v")
    assert (volume.kind, volume.disperse, volume.redundancy, volume.set_size) == (
        "disperse",
        6,
        2,
        6,
    )
    assert [b.node for b in volume.bricks] == ["s1", "s2", "s3", "s4", "s5", "s6"]
    assert not volume.notes and "power of two" in parse_volume("v", {"disperse": "5+2"}).notes[0]


def test_values_that_yaml_made_are_turned_into_what_gluster_reads() -> None:
    text = """
    network.ping-timeout: 20
    features.cache-invalidation: off
    cluster.min-free-disk: 10%
    auth.allow: [198.18.0.1, 198.18.0.2]
    user.note: 0.5
    """
    options = parse_volume("v", {"options": yaml.safe_load(text)}).options
    assert dict(options) == {
        "network.ping-timeout": "20",
        "features.cache-invalidation": "off",
        "cluster.min-free-disk": "10%",
        "auth.allow": "198.18.0.1,198.18.0.2",
        "user.note": "0.5",
    }


class Masked(Mapping[str, Any]):
    """A mapping that is no dict, as Salt hands pillars out."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Any:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


def test_any_mapping_is_read_and_the_digest_does_not_depend_on_its_order() -> None:
    one = {"nodes": ["g1", "g2"], "volumes": {"a": {"options": {"user.a": "1", "user.b": "2"}}}}
    two = OrderedDict(
        volumes=Masked({"a": Masked({"options": OrderedDict([("user.b", "2"), ("user.a", "1")])})}),
        nodes=("g1", "g2"),
    )
    assert parse_pool(one).digest() == parse_pool(Masked(two)).digest()
    assert parse_pool(one).digest() != parse_pool({**one, "nodes": ["g2", "g1"]}).digest()


def test_a_mount_by_consuls_name_is_another_declaration_and_others_keep_their_digest() -> None:
    plain = pool({"mount": {"at": "/srv/v", "options": "ro"}}).volumes["data"]
    by_name = pool({"mount": {"at": "/srv/v", "options": "ro", "servers": "consul"}})
    assert by_name.volumes["data"].as_data()["mount"] == ["/srv/v", "ro", [], "consul"]
    assert plain.as_data()["mount"] == ["/srv/v", "ro", []]


# --- what is refused ------------------------------------------------------------------------------

B3 = ["g1:/b/x", "g2:/b/x", "g3:/b/x"]
BAD: list[tuple[dict[str, Any], str, str]] = [
    # pillar, key, a word of the message that tells the fix
    ({}, "gluster:nodes", r"g\[1-3\]"),
    ({"nodes": []}, "gluster:nodes", "no node"),
    ({"nodes": "g[3-1]"}, "gluster:nodes", r"\[1-3\]"),
    ({"nodes": "g[1-"}, "gluster:nodes", "partner"),
    ({"nodes": "g[1-999999999]"}, "gluster:nodes", "too many"),
    ({"nodes": ["g1", "G1"]}, "gluster:nodes:1", "twice"),
    ({"nodes": "g*"}, "gluster:nodes", "accepted yet.*first nodes.*gluster_remediation.proposals"),
    ({"nodes": ["g1", "g+*"]}, "gluster:nodes:1", "matches no name"),
    ({"nodes": "g1", "devices": "/dev/disk/by-id/*"}, "gluster:devices", "no place"),
    ({"nodes": ["g1", 2]}, "gluster:nodes:1", "quotes"),
    ({"nodes": "g 1"}, "gluster:nodes", "cannot be the name"),
    ({"nodes": "g_1"}, "gluster:nodes", "addresses"),
    ({"nodes": "localhost"}, "gluster:nodes", "addresses"),
    ({"nodes": "g1", "node": 1}, "gluster:node", "Did you mean nodes"),
    ({"nodes": "g1", "tls": True}, "gluster:tls", "not built yet"),
    ({"nodes": "g1", "remediation": {"heal": {}}}, "gluster:remediation:heal", "not built yet"),
    ({"nodes": "g1", "version": 11.1}, "gluster:version", "not built yet"),
    ({"nodes": "g1", "clusters": {}}, "gluster:clusters", "not built yet"),
    ({"nodes": "g1", "devices": "auto"}, "gluster:devices", "not built yet"),
    ({"nodes": "g1", "devices": {"data": "x", "layout": "thin"}}, "gluster:devices:layout", "plai"),
    ({"nodes": "g1", "devices": ["/dev/sdb"]}, "gluster:devices", "by-id"),
    ({"nodes": "g1", "devices": "nvme0n1"}, "gluster:devices", "by-id"),
    ({"nodes": "g1", "devices": "/dev/disk/by-id/x-part1"}, "gluster:devices", "whole disk"),
    ({"nodes": "g1", "brick_root": "/srv/a b"}, "gluster:brick_root", "/srv/a-b"),
    ({"nodes": "g1", "addresses": {"g1": "127.0.0.1"}}, "gluster:addresses:g1", "every node"),
    ({"nodes": "g1", "addresses": {"g1": "g1."}}, "gluster:addresses:g1", "host name"),
    ({"nodes": "g1", "addresses": {"g2": "x"}}, "gluster:addresses", "not one of"),
    ({"nodes": "g[1-2]", "addresses": {"g1": "G2"}}, "gluster:addresses:g1", "g2 already"),
    ({"nodes": "g1", "zones": {"a": "g1", "b": "g1"}}, "gluster:zones:b", "zone a already"),
    ({"nodes": "g1", "accept_risk": ["replica_2"]}, "gluster:accept_risk:0", "replica2"),
    ({"nodes": "g1", "volumes": ["data"]}, "gluster:volumes", "a list"),
]
BAD_VOLUMES: list[tuple[Any, str, str]] = [
    (3, "", "a mapping"),
    ({"replca": 3}, ":replca", "Did you mean replica"),
    ({True: "g*"}, ":True", "truth value"),
    ({"quota": {}}, ":quota", "not built yet"),
    ({"replica": "three"}, ":replica", "whole number"),
    ({"replica": True}, ":replica", "whole number"),
    ({"replica": 2}, ":replica", "replica2"),
    ({"replica": 5}, ":replica", "Add nodes"),
    ({"replica": 2, "arbiter": True}, ":replica", "replica: 3"),
    ({"replica": 3, "only": "g[1-2]"}, ":replica", "Add nodes"),
    ({"only": "g5"}, ":only", "no node"),
    ({"disperse": 6}, ":disperse", r"4\+2"),
    ({"disperse": "2+2"}, ":disperse", r"3\+2"),
    ({"disperse": "4+0"}, ":disperse", "1 or more"),
    ({"disperse": "17+3"}, ":disperse", "At most 16"),
    ({"disperse": "2+1", "replica": 3}, ":replica", "Choose one"),
    ({"replica": 3, "bricks": [*B3, "g4:/b/x"]}, ":bricks", "Add 2 or take 1"),
    ({"replica": 3, "bricks": ["g1:/b/x", "g1:/b/y", "g3:/b/x"]}, ":bricks:1", "set 1"),
    ({"bricks": ["/b/x"]}, ":bricks:0", "g1:/b/x"),
    ({"bricks": ["g1"]}, ":bricks:0", "no absolute path"),
    ({"bricks": ["g1:b/x"]}, ":bricks:0", "no absolute path"),
    ({"bricks": ["g1:/b/x y"]}, ":bricks:0", "Write /b/x-y"),
    ({"bricks": ["g1:/b/../y"]}, ":bricks:0", "Write /y"),
    ({"bricks": ["g1:/b:y"]}, ":bricks:0", "Write /b-y"),
    ({"bricks": ["g1:/b;reboot"]}, ":bricks:0", "';'"),
    ({"bricks": ["g9:/b"]}, ":bricks:0", "not one of"),
    ({"bricks": ["g1:/b/x", "g1:/b/x/"]}, ":bricks:1", "twice"),
    ({"bricks": ["g1:/b/x", "g1-s:/b/x"]}, ":bricks:1", "twice"),
    ({"bricks": ["g1:/b/x/y", "g1:/b/x"]}, ":bricks:0", "inside the brick"),
    ({"bricks": ["g1:/b/" + "x" * 250]}, ":bricks", "too long"),
    ({"options": {"user.x": ""}}, ":options:user.x", "empty|value is expected"),
    ({"options": {"user.x": {"a": "secret"}}}, ":options:user.x", "a mapping"),
    ({"options": {"user.x": "a\nb"}}, ":options:user.x", "control"),
    (
        {"options": {"cluster.lookup-optimise": True}},
        ":options:cluster.lookup-optimise",
        "optimize",
    ),
    ({"options": {"network.ping-timeout": 5000}}, ":options:network.ping-timeout", "0 to 1013"),
    ({"transport": "rdma"}, ":transport", "only transport"),
    ({"started": "yes"}, ":started", "Without quotes"),
    ({"mount": "srv"}, ":mount", "/srv"),
    ({"mount": {"at": "/x", "options": "a b"}}, ":mount:options", "fstab"),
    ({"mount": {"at": "/x", "options": "a" * 1_001}}, ":mount:options", "at most 1000"),
    ({"mount": {"at": "/x", "clients": "*"}}, ":mount:clients", "not built yet"),
    ({"mount": {"at": "/x", "servers": "g1"}}, ":mount:servers", "consul"),
    ({"mount": "/srv/gluster/data"}, ":mount", "mixed up"),
]


@pytest.mark.parametrize(
    ("data", "key", "fix"), BAD, ids=[f"{k}-{i}" for i, (_, k, _f) in enumerate(BAD)]
)
def test_bad_pool_names_the_key_and_the_fix(data: dict[str, Any], key: str, fix: str) -> None:
    with pytest.raises(SpecError, match=fix) as caught:
        parse_pool(data)
    assert caught.value.key == key


@pytest.mark.parametrize(("volume", "key", "fix"), BAD_VOLUMES)
def test_bad_volume_names_the_key_and_the_fix(volume: Any, key: str, fix: str) -> None:
    with pytest.raises(SpecError, match=fix) as caught:
        pool(volume, addresses={"g1": "g1-s"})
    assert caught.value.key == f"gluster:volumes:data{key}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a;b", "$(x)", "my.vol", "all", "volume", "-v", "ü", "a" * 256]
)
def test_names_that_gluster_or_a_shell_would_trip_over_are_refused(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pool({"nodes": "g1", "volumes": {name: {}}})
    assert caught.value.key.startswith("gluster:volumes") and "\n" not in caught.value.key


def test_two_volumes_may_not_share_a_brick_or_a_mount_point() -> None:
    with pytest.raises(SpecError, match="lies inside the brick /b of g1"):
        parse_pool(
            {"nodes": "g1", "volumes": {"a": {"bricks": "g1:/b"}, "b": {"bricks": "g1:/b/c"}}}
        )
    with pytest.raises(SpecError, match="gets in the way of volume b"):
        parse_pool({"nodes": "g1", "volumes": {"a": {"bricks": "g1:/srv/gluster/b"}, "b": {}}})
    with pytest.raises(SpecError, match="mounted at /m of g1 already"):
        parse_pool({"nodes": "g1", "volumes": {"a": {"mount": "/m"}, "b": {"mount": "/m"}}})


def test_two_copies_are_possible_once_accepted() -> None:
    for where in ({"accept_risk": ["replica2"]}, {}):
        volume = {"replica": 2, **({} if where else {"accept_risk": "replica2"})}
        assert pool(volume, **where).volumes["data"].accept_risk == {"replica2"}


# --- anything at all ------------------------------------------------------------------------------

KEYS = ["nodes", "devices", "volumes", "zones", "addresses", "arbiters", "brick_root", "cluster"]
VOLUME_KEYS = ["replica", "arbiter", "disperse", "bricks", "only", "except", "options", "mount"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(),
    st.sampled_from(["g1", "g[1-3]", "g1:/b", "/b", "4+2", "on", "auth.allow", "::1", "g[1-2]:/b"]),
    st.text(max_size=12),
    st.binary(max_size=3),
)
NAMES = st.one_of(st.sampled_from(KEYS + VOLUME_KEYS + ["g1"]), st.text(max_size=6), st.booleans())
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
VOLUME = st.one_of(ANYTHING, st.dictionaries(st.sampled_from(VOLUME_KEYS), ANYTHING, max_size=4))


@given(
    st.one_of(
        ANYTHING,
        st.fixed_dictionaries(
            {"nodes": st.just("g[1-3]")},
            optional={
                **{k: ANYTHING for k in KEYS[1:] if k != "volumes"},
                "volumes": st.dictionaries(st.text("ab-_ .;", max_size=4), VOLUME, max_size=2),
            },
        ),
    )
)
def test_anything_is_a_pool_or_a_spec_error_with_a_key(data: Any) -> None:
    try:
        spec = parse_pool(data)
    except SpecError as error:
        assert error.key.startswith("gluster")
        return
    assert spec.digest() == parse_pool(data).digest()
    for volume in spec.volumes.values():
        assert len(volume.bricks) % volume.set_size == 0
        for place in spec.places(volume):
            assert re.fullmatch(r"/[^\s:'\"\\;&|$<>*?#]+", place.path)


@given(st.text(max_size=20))
def test_accepted_names_hold_nothing_that_gluster_cuts_or_changes(text: str) -> None:
    for check, pattern in (
        (check_volume_name, r"[A-Za-z0-9_][A-Za-z0-9_-]*"),
        (check_brick_path, r"(/[^\s:/'\"\\;&|$<>*?#()\[\]{}]+)+"),
    ):
        for written in (text, "/" + text, "/b/" + text):
            try:
                name = check(written, "k")
            except SpecError:
                continue
            assert re.fullmatch(pattern, name) and "/../" not in name + "/"
            assert check(name, "k") == name


@pytest.mark.parametrize(("name", "written"), [(123, "123"), (True, "on"), (False, "off")])
def test_a_name_that_yaml_took_for_something_else_says_how_it_is_written(
    name: Any, written: str
) -> None:
    """017 has become 15 by then: no other volume is guessed at."""
    with pytest.raises(SpecError) as caught:
        check_volume_name(name, "name")
    assert f"""'"{written}"'""" in str(caught.value)
    assert check_volume_name(written, "name") == written


@pytest.mark.parametrize(
    "more", [{"brick_root": "/srv/" + "x" * 250}, {"addresses": {"g1": ".".join(["a" * 60] * 4)}}]
)
def test_bricks_that_are_chosen_fit_in_a_file_name_too(more: dict[str, Any]) -> None:
    """The address counts, not the minion id: it is what gluster writes."""
    with pytest.raises(SpecError, match="too long together"):
        parse_pool({"nodes": "g[1-3]", "volumes": {"data": {"replica": 3}}, **more})
