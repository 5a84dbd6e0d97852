from __future__ import annotations

import pytest
import samples

from salt_gluster import errors
from salt_gluster.gluster.error_texts import KINDS, TEXTS, classify, read_text
from salt_gluster.gluster.parse.answer import is_document, parse_answer, text_answer

# Every text that was seen (facts.md#G-4.1), with names put in. Kind -> texts.
QUOTED = {
    "locked": [
        "Another transaction is in progress for t1. Please try again after some time.",
        "Another transaction is in progress. Please try again after some time.",
        "Locking failed on gfn3. Please check log file for details.",
        "Launching heal operation to perform index self heal on volume t has been unsuccessful:\n"
        "Another transaction is in progress for t. Please try again after some time.",
    ],
    "timeout": ["Error : Request timed out"],
    "daemon_down": ["Connection failed. Please check if gluster daemon is operational."],
    "partial": [
        "Commit failed on gfn5. Please check log file for details.",
        "Unlocking failed on gfn3. Please check log file for details.",
    ],
    "quorum_lost": [
        "Quorum not met. Volume operation not allowed.",
        "Cluster quorum is not met. Changing peers is not allowed in this state",
    ],
    "peer_unreachable": [
        "One of the peers is probably down. Check with 'peer status'",
        "Some of the peers are down",
        "Host gfn3 not connected",
        "Probe returned with Transport endpoint is not connected",
        "gfn5 not reachable.",
    ],
    "not_a_peer": [
        "Host gfn4 is not in 'Peer in Cluster' state",
        "gfn9, is not a friend",
        "Staging failed on gfn5. Error: Host gfn4 is not in 'Peer in Cluster' state",
    ],
    "node_not_clean": [
        "gfn6 is either already part of another cluster or having volumes configured"
    ],
    "uuid_clash": ["Peer uuid (host gfn6) is same as local uuid", "peer status: failed"],
    "peer_has_bricks": [
        "Peer gfn5 hosts one or more bricks. If the peer is in not recoverable state then use ..."
    ],
    "not_found": [
        "Volume nosuch does not exist",
        "Volume does not exist",
        "gfn6 is not part of cluster",
        "brick: gfn3:/b/x does not exist in volume: rep3",
        "Incorrect brick gfn6:/b/x for volume ex",
        "No brick gfn2:/b/x in volume rep3",
        '"gfn1:/b/x"- No such brick available in the volume.',
        "Lookup failed on /nosuch:No such file or directory.",
        "Failed to get trusted.gfid attribute on path /nosuch. Reason : No such file or directory",
        "/nosuch                                  No such file or directory",
        "removexattr failed on /run/gluster/rep3_quota_limit/d. Reason : No data available",
        "Snapshot (s1) does not exist",
        "Snapshot (s1) does not exist.",
        "Failed to find :s1 snap",
        "Geo-replication session between rep3 and gfn5::x does not exist.",
        "Unable to open file '/var/lib/glusterd/groups/nosuch'. Error: No such file or directory",
    ],
    "brick_missing": [
        "Failed to find brick directory /b/1 for volume a. Reason : No such file or directory",
        "Pre Validation failed on gfn3. Failed to find brick directory /b/1 for volume a. Reason : "
        "No such file or directory",
        "Pre Validation failed on gfn3. Failed to get extended attribute trusted.glusterfs."
        "volume-id for brick dir /b/1. Reason : No data available",
    ],
    "half_made": ["Staging failed on gfn3. Error: Volume rep3 does not exist"],
    "import_window": [
        "Staging failed on gfn3. Error: Volume a is not started",
        "Pre Validation failed on gfn3. volume: a is not started",
        "Launching heal operation to perform index self heal on volume a has been unsuccessful:\n"
        "Staging failed on gfn3. Error: Volume a is not started.",
    ],
    "empty": [
        "No volumes present in cluster",
        "No quota configured on volume rep3",
        "No active geo-replication sessions",
        "No active geo-replication sessions for rep3",
        "geo-replication command failed",
        "volume get option: failed",
    ],
    "already_exists": ["Volume dist already exists"],
    "already_done": [
        "Volume dist already started",
        "Rebalance on ex is already started",
        "Quota is already enabled",
        "Quota is disabled, please enable quota",
        "Profile on Volume rep3 is already started",
        "Profile on Volume rep3 is not started",
        "Bitrot command failed : Bitrot is already enabled",
        "Scrub is already paused for volume rep3",
        "Failed to reconfigure barrier.",
        "nfs-ganesha is already disabled.",
        "geo-replication command failed\nSession between mv and gfn3::sv is already created.",
        "geo-replication command failed\nGeo-replication session between mv and gfn3::sv already "
        "Paused.",
        "Healing /data failed: File not in split-brain.\nVolume heal failed.",
        "Required op-version (100000) should not be equal or lower than current cluster op-version "
        "(100000).",
    ],
    "not_started": [
        "Volume t1 is not in the started state",
        "Volume v1 is not started",
        "Volume ex needs to be started to perform rebalance",
        "Volume is stopped, start volume before executing quota command.",
        "Rebalance not started for volume ex.",
        "remove-brick not started for volume ex.",
        "Brick gfn6:/b/e is not decommissioned. Use start or force option",
    ],
    "already_started": ["Volume dist has been started.Volume needs to be stopped before deletion."],
    "volfile": ["disp: Not able to fetch volfile from glusterd"],
    "in_progress": [
        "Rebalance is in progress. Please retry after completion",
        "Volume name ex rebalance is in progress. Please retry after completion",
        "rebalance session is in progress for the volume 'ex'",
        "A remove-brick task on volume ex is not yet committed. Either commit or stop it.",
        "An earlier remove-brick task exists for volume ex. Either commit it or stop it.",
        "Pre Validation failed on gfn6. use 'force' option as migration is in progress",
        "Scrubber is in Pause/Inactive/Running state",
    ],
    "brick_in_use": [
        "Brick: gfn1:/b/x not available. Brick may be containing or be contained by an existing "
        "brick.",
        "/bricks/rep3/b1 is already part of a volume",
        "volume add-brick: failed: Pre Validation failed on gfn6. /b/e is already part of a volume",
        "Volume id mismatch for brick gfn1:/b/x. Expected volume id U, volume id V found",
    ],
    "needs_force": [
        "The brick gfn1:/srv/rep3 is being created in the root partition. It is recommended ...",
        "Multiple bricks of a replicate volume are present on the same server. This setup is not",
        "Multiple bricks of a disperse volume are present on the same server. This setup is not",
        "Migration of data is not needed when reducing replica count. Use the 'force' option",
        "Brick not available.It may be containing or be contained by an existing brick."
        "Use 'force' option to override this.",
    ],
    "brick_running": [
        "Pre Validation failed on gfn3. Source brick must be stopped. Please use gluster volume "
        "reset-brick <volname> <dst-brick> start."
    ],
    "not_same_brick": [
        "Pre Validation failed on gfn3. When destination brick is new, please use gluster volume "
        "replace-brick <volname> <src-brick> <dst-brick> commit force"
    ],
    "brick_parent_missing": [
        "Failed to create brick directory for brick gfn1:/b/x. Reason : No such file or directory"
    ],
    "brick_down": [
        "Launching heal operation to perform index self heal on volume V has been unsuccessful:\n"
        "Glusterd Syncop Mgmt brick op 'Heal' failed. Please check glustershd log file.",
        "Launching heal operation to perform full self heal on volume V has been unsuccessful:\n"
        "Commit failed on gfn6. Please check log file for details.",
    ],
    "shd_down": [
        "Launching heal operation to perform index self heal on volume V has been unsuccessful:\n"
        "Self-heal daemon is not running. Check self-heal daemon log file.",
    ],
    "disabled": [
        "Self-heal-daemon is disabled. Heal will not be triggered on volume dist",
        "Volume rep3 does not have quota enabled",
        "Volume rep3 does not have bitrot enabled",
        "Bitrot is not enabled on volume rep3",
    ],
    "unknown_option": [
        "volume set: failed: option : no.such does not exist\nDid you mean nfs.acl or ...drc?",
        "Option user.foo does not exist\nDid you mean cluster.nufa?",
        "Did you mean acl?",
        "Not a valid option for all volumes",
        "volume set: failed: Not a valid option for single volume",
        'Option "cluster.op-version" is not valid for a single volume',
    ],
    "invalid_value": [
        'invalid number format "abc" in option "ping-timeout"',
        "'9999' in 'option ping-timeout 9999' is out of range [0 - 1013]",
        "200 in cluster.quorum-count 200 is out of range [1 - 2147483647]",
        "'-5' in 'option brick-uid -5' is smaller than minimum value '-1'",
        "option quorum-type X: 'X' is not valid (possible options are none, auto, fixed.)",
        "option log-level info: 'info' is not valid (possible options are DEBUG, WARNING)",
        "Error, Validation Failed",
        "Failed to create volume files",
        "Incorrect number of bricks supplied 1 with count 2",
        "Operation failed",
        "gfn4 is localhost",
        "sync from localhost not allowed",
        "For arbiter configuration, replica count must be 3 and arbiter count must be 1. The 3rd",
        "Please enter an integer value in the range of (1 - 9223372036854775807)",
        "Invalid scrub-throttle option for bitrot",
        "Healing /f failed: No difference in mtime.",
        "Healing /f failed: Use source-brick option to heal metadata split-brain.",
    ],
    "not_supported": [
        "replace-brick is not permitted on distribute only volumes. Please use add-brick and ...",
        "Cannot convert replica 3 volume to arbiter volume.",
        "This command is supported for only volumes of replicate/disperse type. Volume dist is not",
        "This command is supported for only volume of replicated type. Volume disp is not of type",
        "Enable heal on volume dist has been unsuccessful:\noperation failed",
        "'gluster volume set <VOLNAME> features.quota on' is deprecated. Use ...",
        "'gluster volume set <VOLNAME> features.bitrot' is invalid command. Use ...",
        "Required op_version (110000) is not supported. Max supported op version is 100000",
        "Snapshot is supported only for thin provisioned LV. Ensure that all bricks of rep3 are",
        "volume sync: failed: Staging failed on gfn2. Please check log file for details.",
        "volumes are already present in the cluster. Resetting uuid is not allowed",
    ],
    "syntax": [
        "Wrong brick type: gfn1:bricks/b2, use <HOSTNAME>:<export-dir-abs-path>",
        "Found duplicate exports gfn1:/bricks/rep3/b2",
        '"all" cannot be the name of a volume.',
        '"volume" cannot be the name of a volume.',
        'Volume name should not contain "." character.',
        "Volume name exceeds 256 characters.",
        "number of bricks is not a multiple of disperse count",
        "redundancy must be greater than or equal to 1 and less than 2 for a disperse 4 volume",
        "replica count should be greater than 1",
        "Please provide a valid hostname/ip other than localhost, 127.0.0.1 or loopback address",
        "unrecognized word: nosuch (position 0)",
        "\nUsage:\nvolume get <VOLNAME|all> <key|all>\n",
    ],
}
FAMILY = {
    "locked": errors.Conflict,
    "timeout": errors.OutcomeUnknown,
    "daemon_down": errors.OutcomeUnknown,
    "partial": errors.OutcomeUnknown,
    "quorum_lost": errors.QuorumLost,
    "not_found": errors.NotFound,
    "already_exists": errors.AlreadyExists,
    "already_done": errors.AlreadyExists,
    "half_made": errors.CommandFailed,
    "in_progress": errors.CommandFailed,
}


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in QUOTED.items() for text in texts]
)
def test_every_text_of_the_facts_has_its_kind(kind: str, text: str) -> None:
    assert read_text(text).kind == kind


def test_every_kind_is_reached_and_says_what_to_do_next() -> None:
    assert {row.kind for row in TEXTS} == set(QUOTED)
    assert set(QUOTED) | {"other", "not_installed"} == set(KINDS)
    assert all(kind.hint.endswith(".") and len(kind.hint) > 20 for kind in KINDS.values())


@pytest.mark.parametrize(("kind", "family"), FAMILY.items())
def test_a_kind_is_raised_as_its_class(kind: str, family: type[errors.GlusterError]) -> None:
    error = classify(QUOTED[kind][0], 30800, "volume_set")
    assert type(error) is family
    assert error.kind == kind
    assert KINDS[kind].hint in str(error)


FAILED = [s for s in samples.all_samples() if s.expected in KINDS]


@pytest.mark.parametrize("sample", FAILED, ids=lambda s: s.file)
def test_every_recorded_failure_has_its_kind(sample: samples.Sample) -> None:
    text = sample.stdout + sample.stderr
    if is_document(sample.stdout):
        answer = parse_answer(sample.stdout)
        assert not answer.ok
        text = answer.text
    assert read_text(text).kind == sample.expected


@pytest.mark.parametrize(
    "sample", [s for s in samples.all_samples() if s.expected == "ok"], ids=lambda s: s.file
)
def test_no_recorded_success_is_taken_for_a_failure(sample: samples.Sample) -> None:
    answer = parse_answer(sample.stdout, sample.stderr, sample.rc)
    assert answer.ok
    assert read_text(answer.text).kind == "other"


TEXTS_SEEN = [s for s in samples.all_samples() if s.expected == "text"]


@pytest.mark.parametrize("sample", TEXTS_SEEN, ids=lambda s: s.file)
def test_a_recorded_text_is_a_success_by_its_exit_code_and_never_taken_for_xml(
    sample: samples.Sample,
) -> None:
    with pytest.raises(errors.Unreadable):
        parse_answer(sample.stdout, sample.stderr, sample.rc)
    assert text_answer(sample.stdout, sample.stderr, sample.rc).ok


def test_every_recorded_answer_is_expected_to_be_something() -> None:
    known = {"ok", "text", "stream", "nothing", *KINDS}
    rows = samples.all_samples()
    assert {row.expected for row in rows} <= known
    files = {p.name for p in samples.FOLDER.iterdir() if p.suffix in (".xml", ".txt")}
    assert {row.file for row in rows} == files


def test_wrappers_are_stripped_and_the_hosts_kept() -> None:
    reading = read_text(
        "volume create: cc: failed: Pre Validation failed on gfn2.example.org. /b is already part "
        "of a volume\nPre Validation failed on gfn3. /b is already part of a volume"
    )
    assert reading.text == "/b is already part of a volume"
    assert reading.hosts == ("gfn2.example.org", "gfn3")
    error = classify("Commit failed on gfn5. Please check log file for details.", 107)
    assert error.hosts == ("gfn5",)


def test_a_word_that_is_new_is_other_and_keeps_gluster_s_text() -> None:
    error = classify("Something nobody has seen", 22, "volume_start")
    assert error.kind == "other"
    assert "volume start: Something nobody has seen." in str(error)


def test_a_read_without_a_glusterd_has_no_unknown_outcome() -> None:
    text = QUOTED["daemon_down"][0]
    assert isinstance(classify(text, changes=False), errors.CommandFailed)
    remote = classify(text, changes=False, remote=True)
    assert remote.kind == "peer_unreachable"


def test_an_empty_answer_of_an_unset_user_option_is_empty_and_no_other_is() -> None:
    assert read_text("", "volume_get").kind == "empty"
    assert read_text("", "volume_set").kind == "other"


def test_a_brick_that_is_missing_on_another_node_is_no_wrong_name() -> None:
    """The node is named, and what is wrong there; nobody is sent to look for a name."""
    text = "Pre Validation failed on gfn3. Failed to find brick directory /b/1 for volume a. Reason"
    error = classify(f"{text} : No such file or directory", command="volume_start")
    assert error.kind == "brick_missing" and error.hosts == ("gfn3",)
    assert "mount its disk" in error.hint and "name" not in error.hint.split()
    parent = (
        "Failed to create brick directory for brick gfn3:/b/1. Reason : No such file or directory"
    )
    for wrapped in (
        f"Staging failed on gfn3. Error: {parent}",
        f"Pre Validation failed on gfn3. {parent}",
    ):
        assert read_text(wrapped, "volume_create").kind == "brick_parent_missing"


def test_the_screen_shows_no_name_of_ours_and_every_sentence_has_its_end() -> None:
    error = classify("Volume x does not exist", command="volume_info_one")
    assert str(error).startswith("volume info: Volume x does not exist. ")
    told = errors.GlusterError("it failed", text="no luck", hint="Look at g1.")
    assert str(told) == "it failed. gluster said: no luck. Look at g1."
