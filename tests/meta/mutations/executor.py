"""What a node does with an order of automation."""

# ruff: noqa: E501
from __future__ import annotations

from .row import EXECUTING, of

ROWS = [
    *of("remediation/authorize.py", ("simulation/test_engine_and_executor.py", *EXECUTING), [
        ("any_minion", "it.operation.executor == it.minion and it.operation.node == it.obs.executor_node",
         "it.operation.node == it.obs.executor_node", "a request is carried out by a minion that it does not name"),
        ("done_twice", "if it.begun or not isinstance(it.outcome, ExecutionReport) or it.outcome.state is Life.ISSUED:", "if True:",
         "a doubled request is carried out twice"),
        ("old_epoch", "if is_known(epoch) and epoch == it.operation.epoch:", "if is_known(epoch):",
         "the order of a leader that is none any more is carried out"),
        ("too_late", "if late_s >= 0 else None", "if late_s >= 60 else None",
         "an order is carried out after its time"),
        ("begun_again", "outcome.state is Life.ISSUED and not begun:", "outcome.state is Life.ISSUED and begun:",
         "what a killed process had begun is begun again"),
        ("half_a_brick_serves", "brick.alive is True and isinstance(brick.port, int)", "brick.alive is True",
         "a brick without a port is called applied by who looks back"),
        ("unmeasured_clock", 'return Refusal("clocks_agree", f"the leader\'s clock: {it.skew_s.why}")', "return None",
         "a deadline of an unmeasured clock is believed"),
    ]),
    *of("node/brick_log.py", "unit/node/test_brick_log.py", [
        ("a_line_alone_is_evidence", "if last and _passed_at(root / path.lstrip(\"/\")) <= max(last) + _SLACK_S:", "if said_at:",
         "a client that names a file so stops the automation of its volume's bricks"),
        ("the_check_may_pass_since", "if last and _passed_at(root / path.lstrip(\"/\")) <= max(last) + _SLACK_S:", "if last:",
         "a client that names a file so stops the automation of its volume's bricks"),
        ("more_line_ends_than_one", 'text.split("\\n")', "text.splitlines()",
         "a name with another control character is a line"),
        ("the_first_line_counts", "max(last) + _SLACK_S", "min(last) + _SLACK_S",
         "a client hides that the disk failed, and the brick is started on it"),
    ]),
    *of("minion/automation/witness.py", "unit/minion/automation/test_witness.py", [
        ("any_host_is_dialled", "is_brick = (uuid, path, host) in self._defined", "is_brick = True",
         "a report makes all nodes connect to any host and port"),
        ("any_port_is_dialled", "LEAST_PORT <= port < 65536", "0 < port < 65536",
         "a report makes all nodes connect to its host's other services"),
    ]),
    *of("minion/automation/remediate.py", EXECUTING, [
        ("locked_before_looked", "if (known := execution.is_ours()).do is Decision.IGNORE:", "if (known := execution.is_ours()) is None:",
         "requests for nothing keep a node from its own work"),
        ("not_looked_whether_to_believe", "return ViewTrust(view.is_fresh,", "return ViewTrust(True,",
         "a node acts on what an emptied Consul says"),
        ("issued_without_cas", "answer.outcome.to_data(), cas=0)", "answer.outcome.to_data())",
         "two processes of a node start the brick both"),
        ("lost_begin_is_ours", 'if err.kind == "conflict" or err.maybe_done:', "if err.maybe_done:",
         "who comes second dies instead of looking back"),
        ("cut_off_begin", 'if err.kind == "conflict" or err.maybe_done:\n                return False', 'if err.kind == "conflict":\n                return False',
         "a begin that may have been written is not looked back at"),
        ("no_second_judgement", "if answer.do is not Decision.PERFORM:\n            return answer\n        return self._act",
         "return self._act", "a hold between the look and the command is ignored"),
        ("skew_of_true", "isinstance(skew, int | float) and not isinstance(skew, bool)", "skew is not None",
         "a clock that was never measured counts as right"),
        ("stopped_in_the_last_moment", "elif not volume.is_started:", "elif False:",
         "a volume that was stopped a moment ago is started"),
        ("recreated_in_the_last_moment", "if volume is None or volume.id != op.volume_id:", "if volume is None:",
         "a volume that was made anew a moment ago is started"),
        ("cut_off_is_failed", "if isinstance(error, OutcomeUnknown):", "if False:",
         "a command that may still happen is called failed and sent again"),
        ("no_copy", "self._driver.backup()", "pass", "no copy of glusterd's files before automation acts"),
        ("refusal_overwrites", "cas=0 if first else None", "cas=None",
         "a refusal covers what another process has begun"),
    ]),
]  # fmt: skip
