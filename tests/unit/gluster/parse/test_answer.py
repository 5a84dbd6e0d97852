from __future__ import annotations

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import parse_answer, split_documents, text_answer

GOOD = samples.text("pool-list-3.xml")
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr>&b;</opErrstr></cliOutput>"
)


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "Connection failed. Please check if gluster daemon is operational.\n",
        GOOD[: len(GOOD) // 2],
        "warning: something\n" + GOOD,
        GOOD + "\nsomething more",
        GOOD + GOOD,
        GOOD.replace("cliOutput", "html"),
        GOOD.replace("<opRet>0</opRet>", ""),
        GOOD.replace("<opErrno>0<", "<opErrno>N/A<"),
        BOMB,
    ],
    ids=[
        "empty", "plain", "truncated", "text-before", "text-after", "two", "other-root",
        "no-opRet", "opErrno-no-number", "entities",
    ],
)  # fmt: skip
def test_anything_but_one_whole_answer_is_unreadable(stdout: str) -> None:
    with pytest.raises(Unreadable):
        parse_answer(stdout, "", 0)


@given(st.integers(min_value=0, max_value=len(GOOD.strip()) - 1))
def test_an_answer_cut_anywhere_is_never_half_believed(at: int) -> None:
    with pytest.raises(Unreadable):
        parse_answer(GOOD.strip()[:at])


def test_exit_code_and_success_text_do_not_make_an_error() -> None:
    started = parse_answer(samples.text("remove-brick-start.xml"), "", 1)
    assert started.ok
    assert started.text == "Remove Brick start successful"


def test_a_refusal_keeps_number_and_text() -> None:
    refused = samples.answer("err-detach-has-bricks.xml")
    assert (refused.op_ret, refused.op_errno, refused.ok) == (1, 3, False)
    assert refused.text.startswith("Peer gfn5 hosts one or more bricks")


def test_a_missing_element_is_named() -> None:
    with pytest.raises(Unreadable, match="<volInfo>"):
        samples.answer("pool-list-3.xml").element("volInfo")


def test_a_stream_is_split_at_its_documents_and_keeps_the_text_that_stopped_it() -> None:
    pieces = split_documents(samples.text("cli-stdin-5-commands.xml"))
    assert len(pieces) == 4
    assert [parse_answer(p).op_ret for p in pieces[:3]] == [0, 0, -1]
    assert pieces[3].startswith("unrecognized word: nosuch")


def test_a_command_that_prints_text_is_judged_by_its_exit_code() -> None:
    assert text_answer("Launching ... has been successful\n", "", 0).ok
    failed = text_answer("", "Self-heal daemon is not running.\n", 1)
    assert (failed.ok, failed.text) == (False, "Self-heal daemon is not running.")
