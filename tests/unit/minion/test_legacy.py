"""Salt's old module ``glusterfs``: what is asked, and what comes back, from recorded answers."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, fromstring

import pytest
import samples

from salt_gluster.errors import CommandFailed, GlusterError, OutcomeUnknown, SpecError, Unreadable
from salt_gluster.gluster.cli import TRIES
from salt_gluster.minion import legacy
from salt_gluster.minion.legacy import Legacy

DOWN = "Connection failed. Please check if gluster daemon is operational."
LOCKED = (
    "<?xml version='1.0'?><cliOutput><opRet>-1</opRet><opErrno>30800</opErrno>"
    "<opErrstr>Another transaction is in progress for data. Please try again after some time."
    "</opErrstr></cliOutput>"
)


class Gluster:
    """Answers in turn; the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked, self.slept = list(answers), list[Sequence[str]](), 0

    def run(self, words: Sequence[str], seconds: int) -> str:
        self.asked.append(words)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def sleep(self, seconds: float) -> None:
        self.slept += 1

    def module(self) -> Legacy:
        return Legacy(self.run, self.sleep)


def root(file: str) -> Element:
    return fromstring(samples.text(file))


# --- asking --------------------------------------------------------------------------------------


def test_words_are_words_and_no_command_of_their_own() -> None:
    gluster = Gluster(samples.text("volume-info-rep3.xml"))
    assert gluster.module().ask("volume_info_one", volume="rep3") is not None
    assert list(gluster.asked[0][-3:]) == ["volume", "info", "rep3"]
    with pytest.raises(SpecError):
        gluster.module().ask("volume_info_one", volume="vol1\nvolume set vol1 user.injected yes")
    assert len(gluster.asked) == 1


def test_a_lock_is_waited_for_and_not_for_ever() -> None:
    gluster = Gluster(LOCKED, LOCKED, samples.text("volume-start-rep3.xml"))
    asked = gluster.module()
    assert asked.ask("volume_start", volume="rep3") is not None
    assert (len(gluster.asked), gluster.slept, asked.why) == (3, 2, "")
    gluster = Gluster(LOCKED)
    asked = gluster.module()
    assert asked.ask("volume_start", volume="rep3") is None
    assert len(gluster.asked) == TRIES and "Another transaction is in progress" in asked.why


def test_a_refusal_is_none_with_its_reason_and_is_asked_once() -> None:
    gluster = Gluster(samples.text("volume-start-already.xml"))
    asked = gluster.module()
    assert asked.ask("volume_start", volume="rep3") is None
    assert "already started" in asked.why and len(gluster.asked) == 1


@pytest.mark.parametrize(
    ("name", "printed", "error"),
    [
        ("volume_list", DOWN, CommandFailed),
        ("volume_list", "Welcome to gluster prompt, type 'help' to see the available", Unreadable),
        ("volume_list", "", Unreadable),
        ("volume_start", "Timed out after 65 seconds", OutcomeUnknown),
        ("volume_start", '<?xml version="1.0"?><cliOutput><opRet>0', OutcomeUnknown),
    ],
)
def test_what_is_no_answer_is_an_error_that_says_what_was_printed(
    name: str, printed: str, error: type[GlusterError]
) -> None:
    arguments = {"volume": "rep3"} if name == "volume_start" else {}
    with pytest.raises(error) as caught:
        Gluster(printed).module().ask(name, **arguments)
    assert printed in str(caught.value)


def test_text_before_and_after_an_answer_is_no_part_of_it() -> None:
    answer = samples.text("volume-list.xml")
    asked = Gluster(f"a warning\n{answer}\nd No such file or directory").module()
    assert asked.ask("volume_list") is not None


@pytest.mark.parametrize(
    "brick", ["g1", "g1:srv/b", "g1/srv/b", ":/srv/b", "fe80::1:/srv/b", "[::1]:/srv/b"]
)
def test_what_is_no_brick_is_refused(brick: str) -> None:
    with pytest.raises(SpecError, match="HOST:/absolute/path"):
        legacy.brick_list(["g1:/srv/a", brick])


def test_a_brick_is_written_in_its_plain_form() -> None:
    assert legacy.brick_list("g1:/srv//b/") == ["g1:/srv/b"]


def test_shapes_that_gluster_has_lost_are_told() -> None:
    assert "stripe" in legacy.shape(2, False, False, "tcp", False)
    assert "device_vg" in legacy.shape(False, False, True, "tcp", False)
    with pytest.raises(SpecError):
        legacy.shape(False, 2, False, "tcp", True)
    wanted = {"replica": 3, "arbiter": 1, "transport": None}
    assert legacy.shape(False, 3, False, "tcp", True) == wanted


# --- answers -------------------------------------------------------------------------------------


def test_peers_have_each_name_once() -> None:
    found = legacy.peers(root("peer-status-multiple-hostnames.xml"))
    several = [p["hostnames"] for p in found.values() if len(p["hostnames"]) > 1]
    assert several and all(len(set(names)) == len(names) for names in several)
    assert all({"connected", "state", "stateStr"} <= set(p) for p in found.values())


def test_a_definition_has_bricks_and_options_as_dicts() -> None:
    (volume,) = legacy.infos(root("volume-info-r2-arbiter.xml")).values()
    assert list(volume["bricks"]) == ["brick1", "brick2", "brick3"]
    assert {"path", "hostUuid", "uuid", "isArbiter"} == set(volume["bricks"]["brick3"])
    assert volume["options"]["transport.address-family"] == "inet"
    assert (volume["arbiterCount"], volume["type"]) == ("1", "2")


@pytest.mark.parametrize(
    "file", ["status-rep3-quota.xml", "status-rep3-bitrot.xml", "volume-status-rep3.xml"]
)
def test_only_bricks_are_bricks(file: str) -> None:
    rows = legacy.rows(root(file))
    assert len(rows["bricks"]) == 3
    assert all(name.partition(":")[2].startswith("/") for name in rows["bricks"])
    assert len(rows["healers"]) == 3 and all(r["online"] for r in rows["bricks"].values())


def test_a_healer_of_a_node_without_a_brick_is_no_error() -> None:
    """Salt's module raised KeyError (facts.md#S-6.1)."""
    answer = root("volume-status-rep3.xml")
    (volume,) = answer.iter("volume")
    (healer, *_) = [n for n in volume.findall("node") if n.findtext("path") == "localhost"]
    (uuid,) = healer.findall("peerid")
    uuid.text = "00000000-0000-4000-8000-00000000000f"
    assert "localhost" in legacy.rows(answer)["healers"]


def test_limits_and_values_are_read() -> None:
    limits = legacy.limits(root("quota-rep3-list-limits.xml"))
    assert limits["/"]["hard_limit"] == "1073741824" and list(limits) == ["/", "/d"]
    assert legacy.option_value(root("volume-get-all-cluster.op-version.xml")) == "100000"
    assert legacy.option_value(fromstring("<cliOutput/>")) == {}
