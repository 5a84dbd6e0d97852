from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import SpecError
from salt_gluster.gluster.arguments import TYPES
from salt_gluster.gluster.commands import COMMANDS, command

GOOD: dict[str, Any] = {
    "volume": "v1",
    "host": "gfn1.example.org",
    "brick": "gfn1:/b/1",
    "bricks": ["gfn1:/b/1", "gfn2:/b/1"],
    "new_brick": "gfn3:/b/1",
    "option": "cluster.quorum-type",
    "options": {"cluster.quorum-type": "auto", "user.note": "two words"},
    "file": "/dir/a file",
    "directory": "/run/gluster",
    "file_name": "state.1",
    "replica": 3,
    "arbiter": 1,
    "disperse": 6,
    "redundancy": 2,
    "list_cnt": 5,
    "op_version": 100000,
    "size": "10GB",
    "transport": "tcp",
    "counter": "read",
    "dump": "inode",
    "state": "all",
    "lock": "inode",
    "detail": "detail",
    "force": True,
}


def placeholders(name: str) -> list[tuple[str, bool]]:
    """Return the arguments of a row and whether each is optional."""
    found = []
    for piece in COMMANDS[name].line.split():
        if piece[0] in "[{":
            bare = piece.strip("[]{}").split(":")[0].replace("-", "_")
            found.append((bare, piece.startswith("[")))
    return found + ([("host", False)] if COMMANDS[name].remote else [])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row_can_be_built_with_all_and_with_only_mandatory_arguments(name: str) -> None:
    row = COMMANDS[name]
    everything = {argument: GOOD[argument] for argument, _ in placeholders(name)}
    least = {argument: GOOD[argument] for argument, optional in placeholders(name) if not optional}
    fixed = [w for w in row.line.split() if w[0] not in "[{"]
    for arguments in (everything, least):
        words = row.words(**arguments)
        assert [w for w in words if w in fixed] != [] or not fixed
        assert not any(word.startswith("--") for word in words)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_or_a_foreign_argument_is_refused(name: str) -> None:
    needed = [argument for argument, optional in placeholders(name) if not optional]
    good = {argument: GOOD[argument] for argument in needed}
    for argument in needed:
        with pytest.raises(SpecError, match=argument):
            command(name).words(**{k: v for k, v in good.items() if k != argument})
    with pytest.raises(SpecError, match="no such argument"):
        command(name).words(**good, surprise="x")


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("volume_create",
         {"volume": "v", "replica": 3, "arbiter": 1, "bricks": ["a:/1", "b:/1", "c:/1"]},
         "volume create v replica 3 arbiter 1 a:/1 b:/1 c:/1"),
        ("volume_create",
         {"volume": "v", "disperse": 3, "redundancy": 1, "transport": "tcp",
          "bricks": ["a:/1", "b:/1", "c:/1"], "force": True},
         "volume create v disperse 3 redundancy 1 transport tcp a:/1 b:/1 c:/1 force"),
        ("volume_set", {"volume": "v", "options": {"user.a": "1", "user.b": -5}},
         "volume set v user.a 1 user.b -5"),
        ("volume_add_brick", {"volume": "v", "replica": 3, "bricks": ["c:/1"], "force": False},
         "volume add-brick v replica 3 c:/1"),
        ("volume_remove_brick_force", {"volume": "v", "replica": 2, "bricks": ["c:/1"]},
         "volume remove-brick v replica 2 c:/1 force"),
        ("volume_replace_brick", {"volume": "v", "brick": "a:/1", "new_brick": "a:/2"},
         "volume replace-brick v a:/1 a:/2 commit force"),
        ("volume_reset_brick_commit", {"volume": "v", "brick": "a:/1", "new_brick": "a:/1"},
         "volume reset-brick v a:/1 a:/1 commit force"),
        ("top", {"volume": "v", "counter": "read", "list_cnt": 3},
         "volume top v read list-cnt 3"),
        ("log_rotate", {"volume": "v"}, "volume log v rotate"),
        ("remote_volume_info", {"host": "gfn9"}, "volume info"),
    ],
)  # fmt: skip
def test_a_line_is_what_gluster_expects(name: str, arguments: dict[str, Any], line: str) -> None:
    assert " ".join(command(name).words(**arguments)) == line


def test_the_words_are_those_that_were_recorded() -> None:
    recorded = {
        " ".join(w for w in shlex.split(s.command) if not w.startswith("--"))
        for s in samples.all_samples()
        if s.command.startswith("gluster ")
    }
    for name, arguments in (
        ("pool_list", {}),
        ("volume_status_detail", {"volume": "rep3"}),
        ("heal_summary", {"volume": "rep3"}),
        ("rebalance_fix_layout", {"volume": "ex"}),
        ("volume_remove_brick_status", {"volume": "ex", "bricks": ["gfn6:/bricks/e/b1"]}),
        ("split_brain_source_brick",
         {"volume": "sb", "brick": "gfn1:/bricks/sb/bX", "file": "/dd"}),
        ("volume_reset_brick_start", {"volume": "t1", "brick": "gfn5:/bricks/t/b2"}),
        ("peer_detach", {"host": "gfn6", "force": True}),
        ("op_version_set", {"op_version": 110000}),
        ("uuid_get", {}),
        ("profile_start", {"volume": "rep3"}),
    ):  # fmt: skip
        assert "gluster " + " ".join(command(name).words(**arguments)) in recorded


def test_what_must_not_happen_is_not_in_the_table() -> None:
    lines = [row.line for row in COMMANDS.values()]
    assert not any(
        re.fullmatch(r"volume status( all)?.*", x) and "{volume}" not in x for x in lines
    )
    forced = [x for x in lines if "remove-brick" in x and x.endswith("force")]
    assert all("replica {replica}" in x for x in forced)
    assert not any(re.search(r"volume reset \S+( \[force\])?$", x) for x in lines)


def test_reads_of_other_nodes_change_nothing_and_take_no_lock() -> None:
    remote = [row for row in COMMANDS.values() if row.remote]
    assert len(remote) == 3
    assert not any(row.changes or row.locks for row in remote)


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("volume_start", {"volume": "all"}, "volume"),
        ("volume_start", {"volume": "-x"}, "volume"),
        ("volume_start", {"volume": "a b"}, "volume"),
        ("volume_start", {"volume": "v\n"}, "volume"),
        ("volume_start", {"volume": "x" * 256}, "volume"),
        ("volume_start", {"volume": "v", "force": "yes"}, "force"),
        ("peer_probe", {"host": "2001:db8::1"}, "host"),
        ("peer_probe", {"host": "--remote-host=x"}, "host"),
        ("peer_probe", {"host": "a b"}, "host"),
        ("volume_create", {"volume": "v", "bricks": "a:/1"}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": []}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["a:/b c"]}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["a:/b/../c"]}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["a:/b/"]}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["a:/b", "a:/b"]}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["fe80::1:/b"]}, "bricks"),
        ("volume_create", {"volume": "v", "bricks": ["a:/1"], "replica": True},
         "replica"),
        ("volume_create", {"volume": "v", "bricks": ["a:/1"], "replica": "3 force"},
         "replica"),
        ("volume_set", {"volume": "v", "options": {}}, "options"),
        ("volume_set", {"volume": "v", "options": {"group": "virt"}}, "options"),
        ("volume_set", {"volume": "v", "options": {"user.a": "--xml"}},
         "options.user.a"),
        ("volume_set", {"volume": "v", "options": {"user.a": "x\ny"}},
         "options.user.a"),
        ("volume_set", {"volume": "v", "options": {"user.a": ""}}, "options.user.a"),
        ("volume_set", {"volume": "v", "options": {"user.a": True}}, "options.user.a"),
        ("volume_reset", {"volume": "v", "option": "force"}, "option"),
        ("volume_get", {"volume": "v", "option": "all"}, "option"),
        ("quota_limit_usage", {"volume": "v", "file": "/", "size": "10 GB"},
         "size"),
        ("quota_limit_usage", {"volume": "v", "file": "/", "size": "--xml"},
         "size"),
        ("remote_pool_list", {"host": "a --mode=interactive"}, "host"),
        ("split_brain_bigger_file", {"volume": "v", "file": "relative"},
         "file"),
    ],
)  # fmt: skip
def test_a_bad_argument_is_named(name: str, arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(SpecError) as caught:
        command(name).words(**arguments)
    assert caught.value.key == key


#: Text that tries to break out: options, blanks, line ends, quotes, whatever hypothesis thinks of.
nasty = st.one_of(
    st.text(max_size=40),
    st.builds(
        lambda start, middle, end: start + middle + end,
        st.sampled_from(["v1", "gfn1", "gfn1:/b", "/f", "user.a", "--", "-", ""]),
        st.sampled_from([" ", "\n", "\r", "\t", "\0", "\u2028", "\x85", "\xa0", "'", '"', ";", ""]),
        st.sampled_from(["--remote-host=x", "--xml", "force", "volume stop v", "#", "\\", ""]),
    ),
)


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
def test_no_argument_can_add_a_line_or_an_option_of_the_program(
    kind: str, data: st.DataObject
) -> None:
    value: Any = data.draw(nasty)
    if kind in ("bricks", "new_bricks"):
        value = data.draw(st.lists(nasty, max_size=3))
    elif kind == "options":
        value = data.draw(st.dictionaries(nasty, nasty, max_size=2))
    count = {"bricks": len(value), "new_bricks": len(value), "options": 2 * len(value)}
    try:
        words = TYPES[kind]("argument", value)
    except SpecError:
        return
    assert len(words) == count.get(kind, 1)
    for word in words:
        assert word
        assert not word.startswith("--")
        assert len(word.splitlines()) == 1
        assert "\0" not in word
        if kind not in ("file", "options"):
            assert word.split() == [word]


@given(volume=nasty, option=nasty)
def test_a_stream_line_has_exactly_the_words_of_the_table(volume: str, option: str) -> None:
    try:
        line = command("volume_get").stream_line(volume=volume, option=option)
    except SpecError:
        return
    assert line.split() == ["volume", "get", volume, option]


def test_changes_and_text_commands_cannot_be_asked_in_a_stream() -> None:
    for name in ("volume_start", "set_help"):
        arguments = {"volume": "v"} if name == "volume_start" else {}
        with pytest.raises(SpecError, match="in a stream"):
            command(name).stream_line(**arguments)


def test_no_word_longer_than_gluster_bears_is_sent() -> None:
    long = "a" * 4_001
    for name, arguments in (
        ("split_brain_bigger_file", {"volume": "v", "file": f"/{long}"}),
        ("heal_launch", {"volume": long}),
        ("volume_create", {"volume": "v", "bricks": [f"g1:/{long}"]}),
        ("volume_set", {"volume": "v", "options": {"user.a": long}}),
        # Name and value are counted together: 3,990 and 20 characters end glusterd, too.
        ("volume_set", {"volume": "v", "options": {"user." + "a" * 15: "a" * 3_990}}),
    ):
        with pytest.raises(SpecError, match=r"at most|cannot be"):
            command(name).words(**arguments)
    assert command("split_brain_bigger_file").words(volume="v", file="/" + "a" * 3_000)


def test_a_command_is_called_by_glusters_words_and_never_by_ours() -> None:
    assert command("volume_info_one").title == "volume info"
    assert command("split_brain_bigger_file").title == "volume heal split-brain bigger-file"
    assert not [name for name, row in COMMANDS.items() if "_" in row.title]
