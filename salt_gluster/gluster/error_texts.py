"""Classify error texts of gluster: the texts as one table, the kinds as another.

Measured on 10.3, complete for what was seen (facts.md#G-4.1, #C-B.3, #C-C.1, #C-M.4). The text
decides: opErrno is 30800 for nearly everything. Nothing else in the library looks at gluster's
texts. The first row that matches wins, so a special text stands above the general one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from salt_gluster.errors import (
    AlreadyExists,
    CommandFailed,
    Conflict,
    GlusterError,
    NotFound,
    OutcomeUnknown,
    QuorumLost,
)
from salt_gluster.gluster.commands import COMMANDS


@dataclass(frozen=True)
class ErrorKind:
    """What a kind of failure is raised as, whether a repeat can help, and what to do next.

    ``retry``: ``yes`` after a pause, ``when`` the cause is gone, ``no``, or ``done`` = success if
    what is there equals what was asked for.
    """

    error: type[CommandFailed] | type[OutcomeUnknown]
    retry: str
    hint: str


KINDS: dict[str, ErrorKind] = {
    "locked": ErrorKind(
        Conflict,
        "yes",
        "Another change of this volume runs, or one that timed out holds the lock for up to 200 s: "
        "wait, and check first that every peer answers.",
    ),
    "timeout": ErrorKind(
        OutcomeUnknown,
        "no",
        "It may have been carried out. Read back the result, do not repeat it blindly; look for a "
        "peer that is shown Connected and does not answer.",
    ),
    "daemon_down": ErrorKind(
        OutcomeUnknown,
        "when",
        "Start glusterd on this node (systemctl start glusterd) and read back before repeating.",
    ),
    "partial": ErrorKind(
        OutcomeUnknown,
        "no",
        "Some nodes did it, some did not. Read back from another node and look into glusterd.log "
        "of the node that is named.",
    ),
    "quorum_lost": ErrorKind(
        QuorumLost, "when", "Too few members are up: bring glusterd of the missing ones back first."
    ),
    "peer_unreachable": ErrorKind(
        CommandFailed, "when", "Bring the unreachable node, its glusterd and port 24007 back first."
    ),
    "not_a_peer": ErrorKind(
        CommandFailed,
        "when",
        "Repeat when every member shows that node as 'Peer in Cluster' and its name resolves on "
        "every node.",
    ),
    "node_not_clean": ErrorKind(
        CommandFailed,
        "no",
        "The node belongs to another pool or keeps old volumes. Empty peers/ and vols/ below "
        "/var/lib/glusterd there, if they are not needed, and restart its glusterd.",
    ),
    "uuid_clash": ErrorKind(
        CommandFailed,
        "no",
        "The node was cloned: remove /var/lib/glusterd/glusterd.info there and restart glusterd.",
    ),
    "peer_has_bricks": ErrorKind(
        CommandFailed, "when", "Move its bricks away (replace-brick, remove-brick) first."
    ),
    "not_found": ErrorKind(NotFound, "no", "Check the name; where it was to go away, it is gone."),
    "half_made": ErrorKind(
        CommandFailed,
        "no",
        "One node does not have this volume, others do: compare the definitions on every member "
        "before anything else.",
    ),
    "import_window": ErrorKind(
        CommandFailed,
        "yes",
        "The named node is still importing the volume after its return, or its definition differs. "
        "Wait up to 30 s, then compare the definitions. Change nothing meanwhile.",
    ),
    "empty": ErrorKind(NotFound, "done", "There is nothing of the kind."),
    "already_exists": ErrorKind(
        AlreadyExists, "done", "Compare it with what is declared: it is done, or the name is taken."
    ),
    "already_done": ErrorKind(AlreadyExists, "done", "Nothing to do if that is what was wanted."),
    "not_started": ErrorKind(
        CommandFailed, "no", "Start the volume, or the task, first; a stop is done already."
    ),
    "already_started": ErrorKind(CommandFailed, "no", "Stop the volume first."),
    "volfile": ErrorKind(
        CommandFailed,
        "yes",
        "The volume is stopped, too many bricks are down or server quorum is lost; counts are not "
        "known until that is mended.",
    ),
    "in_progress": ErrorKind(
        CommandFailed, "when", "Wait for the running task, or stop it; never use force here."
    ),
    "brick_in_use": ErrorKind(
        CommandFailed,
        "no",
        "The directory is, was or lies in a brick. Look whose data is in it; then use another path "
        "or clean it.",
    ),
    "brick_running": ErrorKind(
        CommandFailed, "yes", "Stop it with reset-brick start once more, then commit."
    ),
    "needs_force": ErrorKind(
        CommandFailed, "no", "Gluster thinks this layout is a mistake. Use force only if it is not."
    ),
    "not_same_brick": ErrorKind(
        CommandFailed, "when", "Restart glusterd on the brick's node once more, then repeat."
    ),
    "brick_parent_missing": ErrorKind(
        CommandFailed, "when", "Mount the brick file system and make the parent directory first."
    ),
    "brick_missing": ErrorKind(
        CommandFailed,
        "when",
        "On that node the brick's file system is not mounted, or the directory is not the brick: "
        "mount its disk. One that is lost for good is not made by hand: see gluster volume "
        "reset-brick.",
    ),
    "brick_down": ErrorKind(
        CommandFailed, "when", "Bring the bricks up first (volume start force), then heal."
    ),
    "shd_down": ErrorKind(
        CommandFailed, "when", "Start the self-heal daemon (volume start force of every volume)."
    ),
    "disabled": ErrorKind(CommandFailed, "no", "Enable the feature on this volume first."),
    "unknown_option": ErrorKind(
        CommandFailed, "no", "Look the option up with 'volume get VOLUME all'; check its scope."
    ),
    "invalid_value": ErrorKind(CommandFailed, "no", "Correct the value; gluster's words say how."),
    "not_supported": ErrorKind(
        CommandFailed, "no", "This volume or this version cannot do that; see gluster's words."
    ),
    "syntax": ErrorKind(
        CommandFailed, "no", "The gluster program itself refused the command line."
    ),
    "not_installed": ErrorKind(
        CommandFailed, "when", "Install the gluster command (glusterfs-cli or glusterfs-server)."
    ),
    "other": ErrorKind(CommandFailed, "no", "See glusterd.log on this node and on those named."),
}


@dataclass(frozen=True)
class TextPattern:
    """Texts that ``pattern`` finds mean ``kind``, for commands whose name holds ``command``."""

    pattern: re.Pattern[str]
    kind: str
    command: str = ""


def _rows(kind: str, *patterns: str, command: str = "") -> list[TextPattern]:
    return [TextPattern(re.compile(p, re.DOTALL | re.MULTILINE), kind, command) for p in patterns]


TEXTS: tuple[TextPattern, ...] = (
    *_rows("timeout", r"^Error : Request timed out"),
    *_rows("daemon_down", r"^Connection failed\. Please check if gluster daemon is operational"),
    *_rows(
        "locked",
        r"Another transaction (is|could be) in progress",
        r"^Locking failed on \S+\.",
    ),
    # A heal launch that one node did not take up: its bricks or its daemon, not half a change.
    *_rows(
        "brick_down",
        r"^Glusterd Syncop Mgmt brick op 'Heal' failed",
        r"^Launching heal operation .* unsuccessful:.*^Commit failed on \S+\.",
    ),
    *_rows("brick_down", r"^Commit failed on \S+\.", command="heal_"),
    *_rows("shd_down", r"^Self-heal daemon is not running"),
    *_rows("partial", r"^Commit failed on \S+\.", r"Unlocking failed on \S+\."),
    *_rows(
        "quorum_lost",
        r"^Quorum not met\. Volume operation not allowed",
        r"^Cluster quorum is not met\.",
    ),
    *_rows(
        "peer_unreachable",
        r"^One of the peers is probably down",
        r"^Some of the peers are down",
        r"^Host \S+ not connected",
        r"^Probe returned with Transport endpoint is not connected",
        r"^\S+ not reachable\.",
    ),
    *_rows("not_a_peer", r"^Host \S+ is not in 'Peer in Cluster' state", r"^\S+, is not a friend"),
    *_rows("node_not_clean", r"is either already part of another cluster or having volumes"),
    *_rows("uuid_clash", r"^Peer uuid \(host \S+\) is same as local uuid", r"^peer status: failed"),
    *_rows("peer_has_bricks", r"^Peer \S+ hosts one or more bricks"),
    *_rows(
        "import_window",
        r"^(Staging|Pre Validation) failed on \S+\. (Error: )?[Vv]olume:? \S+ is not started",
    ),
    *_rows(
        "half_made",
        r"^(Staging|Pre Validation) failed on \S+\. (Error: )?[Vv]olume:? \S+ does not exist",
    ),
    *_rows(
        "not_found",
        r"^[Vv]olume( \S+)? does not exist",
        r"^\S+ is not part of cluster",
        r"^brick: \S+ does not exist in volume: ",
        r"^Incorrect brick \S+ for volume ",
        r"^No brick \S+ in volume ",
        r"- ?No such brick available in the volume",
        r"^Lookup failed on .*:No such file or directory",
        r"^Failed to get trusted\.gfid attribute on path ",
        r"^/.* +No such file or directory$",
        r"^removexattr failed on ",
        r"^Snapshot \(\S+\) does not exist",
        r"^Failed to find :\S+ snap",
        r"^Geo-replication session between .* does not exist",
        r"^Unable to open file '/var/lib/glusterd/groups/",
    ),
    *_rows(
        "empty",
        r"^No volumes present in cluster",
        r"^No quota configured on volume ",
        r"^No active geo-replication sessions",
        r"\A\s*geo-replication command failed\s*\Z",
        r"^volume get option: failed\s*\Z",
    ),
    *_rows("empty", r"\A\s*\Z", command="volume_get"),
    *_rows("already_exists", r"^Volume \S+ already exists"),
    *_rows(
        "already_done",
        r"^Volume \S+ already started",
        r"^Rebalance on \S+ is already started",
        r"^Quota is already enabled",
        r"^Quota is disabled, please enable quota",
        r"^Profile on Volume \S+ is (already|not) started",
        r"^Bitrot is already enabled",
        r"^Scrub is already (paused|resumed) for volume ",
        r"^Failed to reconfigure barrier",
        r"^nfs-ganesha is already disabled",
        r"^Session between \S+ and \S+ is already created",
        r"^[Gg]eo-replication session between .* (already (started|Paused)|is not Paused)",
        r"failed: ?File not in split-brain",
        r"^Required op-version \(\d+\) should not be equal or lower",
    ),
    *_rows(
        "not_started",
        r"^Volume \S+ is not in the started state",
        r"^[Vv]olume:? \S+ is not started",
        r"^Volume \S+ needs to be started to perform rebalance",
        r"^Volume is stopped, start volume before",
        r"^Rebalance not started for volume ",
        r"^remove-brick not started for volume ",
        r"^Brick \S+ is not decommissioned",
    ),
    *_rows("already_started", r"^Volume \S+ has been started\.\s*Volume needs to be stopped"),
    *_rows("volfile", r"Not able to fetch volfile from glusterd"),
    *_rows(
        "in_progress",
        r"^Rebalance is in progress\.",
        r"rebalance is in progress\. Please retry after completion",
        r"^rebalance session is in progress for the volume",
        r"^A remove-brick task on volume \S+ is not yet committed",
        r"^An earlier remove-brick task exists for volume ",
        r"use 'force' option as migration is in progress",
        r"^Scrubber is in Pause/Inactive/Running state",
        r"^geo-replication sessions are active for the volume ",
        r"^geo-replication session between .* is still active\.",
    ),
    # Above "not available": the same words with an offer of force are another case.
    *_rows(
        "needs_force",
        r"is being created in the root partition",
        r"^Multiple bricks of a (replicate|disperse) volume are present on the same server",
        r"^Migration of data is not needed when reducing replica count",
        r"^Brick not available\.\s*It may be containing",
    ),
    *_rows(
        "brick_in_use",
        r"^Brick: \S+ not available\.",
        r"is already part of a volume",
        r"^Volume id mismatch for brick ",
    ),
    *_rows("brick_running", r"^Source brick must be stopped"),
    *_rows("not_same_brick", r"^When destination brick is new, please use gluster volume replace-"),
    *_rows("brick_parent_missing", r"^Failed to create brick directory for brick "),
    *_rows(
        "brick_missing",
        r"^Failed to find brick directory \S+ for volume ",
        r"^Failed to get extended attribute trusted\.glusterfs\.volume-id for brick dir ",
    ),
    *_rows(
        "disabled",
        r"^Self-heal-daemon is disabled",
        r"^Volume \S+ does not have (quota|bitrot) enabled",
        r"^Bitrot is not enabled on volume ",
    ),
    *_rows(
        "unknown_option",
        r"^option : \S+ does not exist",
        r"^Option \S+ does not exist",
        r"^Did you mean ",
        r"^Not a valid option for (all volumes|single volume)",
        r"^Option \S+ is not valid for a single volume",
    ),
    *_rows(
        "invalid_value",
        r"^invalid number format ",
        r" is out of range \[",
        r" is smaller than minimum value ",
        r"^option .*: .* is not valid",
        r"^Error, Validation Failed",
        r"^Failed to create volume files",
        r"^Incorrect number of bricks supplied",
        r"^\S+ is localhost$",
        r"^sync from localhost not allowed",
        r"^For arbiter configuration, replica count must be 3",
        r"^Please enter an integer value in the range of ",
        r"^Invalid scrub-throttle option",
        r"failed: ?No difference in mtime",
        r"Use source-brick option to heal metadata split-brain",
    ),
    *_rows("invalid_value", r"^Operation failed$"),
    *_rows(
        "not_supported",
        r"^replace-brick is not permitted on distribute only volumes",
        r"^Cannot convert replica \d+ volume to arbiter volume",
        r"This command is supported for only volumes? of ",
        r"^operation failed$",
        r" is deprecated\.",
        r"' is invalid command\.",
        r"^Required op_version \(\d+\) is not supported",
        r"^Snapshot is supported only for thin provisioned LV",
        r"^Staging failed on \S+\. Please check log file",
        r"^volumes are already present in the cluster\. Resetting uuid",
    ),
    *_rows(
        "syntax",
        r"^Wrong brick type: ",
        r"^Found duplicate exports ",
        r"^\"(all|volume)\" cannot be the name of a volume",
        r"^Volume names? (should not contain|exceeds|can only)",
        r"^number of bricks is not a multiple of disperse count",
        r"^redundancy must be greater than or equal to 1",
        r"^replica count should be greater than 1",
        r"^Please provide a valid hostname/ip other than localhost",
        r"^unrecognized (word|option)",
        r"^Invalid option",
        r"timeout value should be a positive integer",
        r"\A\s*Usage:",
    ),
)

# "volume set: failed: ", "volume start: V: failed: ", "quota command failed : " ... (text mode)
_MODE_PREFIX = re.compile(
    r"^(?:(?:volume|snapshot|peer|nfs-ganesha)[\w -]*: (?:[\w.-]+: )?"
    r"(?:failed: |command unsuccessful : )|nfs-ganesha: failed: "
    r"|(?:quota|Bitrot) command failed : )"
)
# One line per peer that refused; "Commit failed on H." alone is itself the text.
_PEER_PREFIX = re.compile(
    r"^(?:Pre Validation|Staging) failed on (?P<host>\S+)\. (?:Error: )?"
    r"(?!Please check log file)(?P<rest>.+)$"
)
_NAMES_PEER = re.compile(r"\b[Ff]ailed on (?P<host>[A-Za-z0-9][\w.-]*)\.(?:\s|$)")


@dataclass(frozen=True)
class Reading:
    """What a text means: its kind, the text without wrappers, and the peers it names."""

    kind: str
    text: str
    hosts: tuple[str, ...]


def read_text(text: str, command: str = "") -> Reading:
    """Return the kind of a failure text of ``command`` (a name of the command table)."""
    lines = [_MODE_PREFIX.sub("", line.strip()) for line in text.strip().splitlines()]
    wrapped = "\n".join(lines)
    hosts = tuple(dict.fromkeys(m["host"] for m in _NAMES_PEER.finditer(wrapped)))
    plain = "\n".join(dict.fromkeys(_without_peer(line) for line in lines if line))
    for row in TEXTS:
        if row.command in command and (row.pattern.search(wrapped) or row.pattern.search(plain)):
            return Reading(row.kind, plain, hosts)
    return Reading("other", plain, hosts)


def classify(
    text: str,
    op_errno: int = 0,
    command: str = "",
    *,
    op_ret: int = -1,
    argv: tuple[str, ...] = (),
    changes: bool = True,
    remote: bool = False,
) -> GlusterError:
    """Return (not raise) the error for a refused or broken-off command, its hint included.

    ``changes`` is whether the command can change anything: a read that finds no glusterd has no
    unknown outcome. ``remote`` is whether another node's glusterd was asked.
    """
    reading = read_text(text, command)
    if remote and reading.kind == "daemon_down":
        reading = replace(reading, kind="peer_unreachable")
    kind = KINDS[reading.kind]
    first = reading.text.split("\n")[0] or "no reason given"
    row = COMMANDS.get(command)
    title = row.title if row else command
    message = f"{title}: {first}" if title else first
    message = message if message.endswith((".", "?", "!")) else message + "."
    rest = "" if reading.text == first else reading.text
    error: GlusterError
    if issubclass(kind.error, OutcomeUnknown) and (changes or reading.kind == "timeout"):
        error = kind.error(message, kind=reading.kind, text=rest or text.strip(), hint=kind.hint)
    else:
        refused = kind.error if issubclass(kind.error, CommandFailed) else CommandFailed
        error = refused(
            message,
            kind=reading.kind,
            text=rest or text.strip(),
            hint=kind.hint,
            op_ret=op_ret,
            op_errno=op_errno,
            argv=argv,
        )
    error.hosts = reading.hosts
    return error


def _without_peer(line: str) -> str:
    match = _PEER_PREFIX.match(line)
    return match["rest"].strip() if match else line
