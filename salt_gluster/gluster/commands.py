"""Every gluster command line we can ever run. What is not in this table cannot happen.

``volume status`` of all volumes is not in it on purpose: it locks, hangs in a cut, and left volumes
out in 39 of 80 concurrent answers with exit code 0 (facts.md#C-C.1). Neither is a ``remove-brick
force`` without ``replica``: it drops files and answers like a clean commit (facts.md#G-0.3).

A line is written as gluster prints it: ``{x}`` is a mandatory argument, ``[x]`` an optional one
with its word before it (``replica 3``; a flag is only the word), ``[{x}]`` an optional one without,
``{x:t}`` one whose type is not that of its name. Types of arguments live in ``arguments.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from salt_gluster.errors import SpecError
from salt_gluster.gluster.arguments import TYPES, Words

#: Optional words that stand alone: given as True or left out.
FLAGS = frozenset({"force"})

#: One word as stdin mode may carry it: gluster splits its input at blanks, and knows no quoting
#: that we would trust (facts.md#C-K.1).
_STREAM_WORD = re.compile(r"[A-Za-z0-9_.:/@%+=,-]+")


@dataclass(frozen=True)
class Command:
    """One row of the table.

    line        the words, see the module's docstring
    changes     it can change the pool, a volume or files; never asked in a stream
    locks       it takes the lock of the volume or the pool: it can be refused by another caller,
                and hang for as long as an unreachable peer is still shown Connected
    deadline_s  after so long the gluster program gives up; the lock it took stays for 180-200 s
    output      ``xml``, or ``text`` where gluster ignores ``--xml`` or lies (facts.md#G-1.3)
    remote      it is asked of another node's glusterd: argument ``host``, not part of the line
    """

    name: str
    line: str
    changes: bool
    locks: bool
    deadline_s: int
    output: Literal["xml", "text"] = "xml"
    remote: bool = False

    @property
    def title(self) -> str:
        """Gluster's own name for it: its words without arguments, such as ``volume heal info``."""
        return " ".join(word for word in self.line.split() if word[0] not in "[{")

    def words(self, **arguments: Any) -> Words:
        """Return the checked words of this command. ``SpecError`` names a bad argument."""
        left = dict(arguments)
        if self.remote and "host" not in left:
            raise SpecError("host", "the node to be asked is missing")
        if self.remote:
            TYPES["host"]("host", left.pop("host"))
        words: list[str] = []
        for piece in self.line.split():
            words += self._piece(piece, left)
        if left:
            raise SpecError(sorted(left)[0], f"`{self.title}` has no such argument")
        return tuple(words)

    def stream_line(self, **arguments: Any) -> str:
        """Return the line for stdin mode; ``SpecError`` where that would not be safe."""
        words = self.words(**arguments)
        if self.changes or self.output != "xml":
            raise SpecError(self.title, "only reads that answer in XML can be asked in a stream")
        for word in words:
            if not _STREAM_WORD.fullmatch(word):
                raise SpecError(self.title, f"{word!r} cannot be sent in a stream")
        return " ".join(words)

    def _piece(self, piece: str, left: dict[str, Any]) -> Words:
        optional = piece.startswith("[")
        bare = piece.strip("[]")
        positional = bare.startswith("{")
        if not (optional or positional):
            return (piece,)
        name, _, kind = bare.strip("{}").replace("-", "_").partition(":")
        key, value = name, left.pop(name, None)
        if value is None and not optional:
            raise SpecError(key, "the argument is missing")
        if value is None or (name in FLAGS and value is False):
            return ()
        if name in FLAGS:
            if value is not True:
                raise SpecError(key, f"expected true or false, not {value!r}")
            return (bare,)
        checked = TYPES[kind or name](key, value)
        return checked if positional else (bare, *checked)


def _read(name: str, line: str, deadline_s: int = 30, **more: Any) -> Command:
    return Command(name, line, changes=False, deadline_s=deadline_s, **{"locks": False, **more})


def _change(name: str, line: str, deadline_s: int = 60, **more: Any) -> Command:
    return Command(name, line, changes=True, locks=True, deadline_s=deadline_s, **more)


_TABLE = (
    # --- reads that no lock can hold up (facts.md#G-1.5, #C-C.1) --------------------------------
    _read("pool_list", "pool list"),
    _read("peer_status", "peer status"),
    _read("uuid_get", "system:: uuid get"),
    _read("volume_list", "volume list"),
    _read("volume_info", "volume info"),
    _read("volume_info_one", "volume info {volume}"),
    _read("volume_get", "volume get {volume} {option}"),
    _read("volume_get_all", "volume get {volume} all"),
    # Of the options of the pool only cluster.max-op-version asks all members, and hangs with one.
    _read("pool_option", "volume get all {option}"),
    _read("set_help", "volume set help", output="text"),
    _read("get_state", "get-state glusterd odir {directory} file {file_name} [{detail}]",
          output="text"),
    # glfsheal asks the bricks itself; disperse needs > 60 s while it heals (facts.md#C-M.2).
    _read("heal_info", "volume heal {volume} info", 120),
    _read("heal_info_text", "volume heal {volume} info", 120, output="text"),
    _read("heal_split_brain_text", "volume heal {volume} info split-brain", 120, output="text"),
    _read("heal_summary", "volume heal {volume} info summary", 120),
    _read("heal_split_brain", "volume heal {volume} info split-brain", 120),
    # --- reads of another node's glusterd: 0.1 s, no lock, member or not (facts.md#C-M.5) --------
    _read("remote_pool_list", "pool list", 10, remote=True),
    _read("remote_uuid", "system:: uuid get", 10, remote=True),
    _read("remote_volume_info", "volume info", 10, remote=True),
    # --- reads that take the volume's lock ------------------------------------------------------
    _read("volume_status", "volume status {volume}", locks=True),
    _read("pool_options", "volume get all all", locks=True),
    _read("volume_status_detail", "volume status {volume} detail", locks=True),
    _read("volume_status_clients", "volume status {volume} clients", locks=True),
    _read("volume_status_tasks", "volume status {volume} tasks", locks=True),
    _read("rebalance_status", "volume rebalance {volume} status", locks=True),
    _read("volume_remove_brick_status", "volume remove-brick {volume} [replica] {bricks} status",
          locks=True),
    _read("profile_info", "volume profile {volume} info peek", locks=True),
    _read("top", "volume top {volume} {counter} [brick] [list-cnt]", locks=True),
    # --- the pool ---------------------------------------------------------------------------------
    _change("peer_probe", "peer probe {host}"),
    _change("peer_detach", "peer detach {host} [force]"),
    _change("op_version_set", "volume set all cluster.op-version {op_version}"),
    _change("pool_option_set", "volume set all {options}"),
    _change("pool_option_reset", "volume reset all {option}"),
    # --- volumes ----------------------------------------------------------------------------------
    _change("volume_create", "volume create {volume} [replica] [arbiter] [disperse] [redundancy] "
            "[transport] {bricks:new_bricks} [force]"),
    _change("volume_start", "volume start {volume} [force]"),
    _change("volume_stop", "volume stop {volume} [force]"),
    _change("volume_delete", "volume delete {volume}"),
    _change("volume_set", "volume set {volume} {options}"),
    _change("volume_reset", "volume reset {volume} {option}"),
    # --- bricks (facts.md#G-7.1) ------------------------------------------------------------------
    _change("volume_add_brick", "volume add-brick {volume} [replica] [arbiter] {bricks:new_bricks} "
            "[force]"),
    _change("volume_remove_brick_start", "volume remove-brick {volume} [replica] {bricks} start",
            120),
    _change("volume_remove_brick_stop", "volume remove-brick {volume} [replica] {bricks} stop"),
    _change("volume_remove_brick_commit", "volume remove-brick {volume} [replica] {bricks} commit",
            120),
    _change("volume_remove_brick_force", "volume remove-brick {volume} replica {replica} {bricks} "
            "force", 120),
    _change("volume_replace_brick", "volume replace-brick {volume} {brick} {new_brick} commit "
            "force", 120),
    _change("volume_reset_brick_start", "volume reset-brick {volume} {brick} start"),
    _change("volume_reset_brick_commit", "volume reset-brick {volume} {brick} {new_brick:brick} "
            "commit force", 120),
    # --- quota: enable takes 2.2 s (facts.md#G-1.4) -----------------------------------------------
    _read("quota_list", "volume quota {volume} list", locks=True),
    _change("quota_enable", "volume quota {volume} enable"),
    _change("quota_disable", "volume quota {volume} disable"),
    _change("quota_limit_usage", "volume quota {volume} limit-usage {file} {size}"),
    _change("quota_remove", "volume quota {volume} remove {file}"),
    # --- healing ----------------------------------------------------------------------------------
    _change("heal_launch", "volume heal {volume}", output="text"),
    _change("heal_full", "volume heal {volume} full", output="text"),
    _change("split_brain_bigger_file", "volume heal {volume} split-brain bigger-file {file}",
            output="text"),
    _change("split_brain_latest_mtime", "volume heal {volume} split-brain latest-mtime {file}",
            output="text"),
    _change("split_brain_source_brick", "volume heal {volume} split-brain source-brick {brick} "
            "{file}", output="text"),
    # Answers 0 although lines say "failed" (facts.md#G-8.2): read the text.
    _change("split_brain_source_brick_all", "volume heal {volume} split-brain source-brick {brick}",
            120, output="text"),
    # --- rebalance: the start alone takes 10-38 s (facts.md#G-1.4) --------------------------------
    _change("rebalance_start", "volume rebalance {volume} start [force]", 120),
    _change("rebalance_fix_layout", "volume rebalance {volume} fix-layout start", 120),
    _change("rebalance_stop", "volume rebalance {volume} stop", 120),
    # --- upkeep -----------------------------------------------------------------------------------
    _change("log_rotate", "volume log {volume} rotate [{brick}]"),
    _change("statedump", "volume statedump {volume} [{dump}]"),
    _change("clear_locks", "volume clear-locks {volume} {file} kind {state} {lock}", output="text"),
    _change("profile_start", "volume profile {volume} start"),
    _change("profile_stop", "volume profile {volume} stop"),
)  # fmt: skip

#: Name -> command.
COMMANDS: Mapping[str, Command] = {command.name: command for command in _TABLE}


def command(name: str) -> Command:
    """Return a row of the table; ``SpecError`` for a name that is not in it."""
    try:
        return COMMANDS[name]
    except KeyError:
        raise SpecError(name, "there is no such gluster command in the table") from None
