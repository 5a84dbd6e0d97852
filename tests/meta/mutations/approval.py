"""What ends an approval, and who is named for an order."""

# ruff: noqa: E501
from __future__ import annotations

from .row import EXECUTING, of

ROWS = [
    *of("remediation/proposals.py", "simulation/test_approvals.py", [
        ("approved_under_any_policy", "if op.policy != policy.digest:", "if False:",
         "what was approved is carried out under a policy that forbids it"),
        ("approved_for_any_bricks", "isinstance(starts, Unknown) or set(starts) == set(op.starts)", "True",
         "bricks are started that nobody was shown"),
        ("approved_for_ever", "if age_s < policy.approval_ends_s:", "if True:",
         "what was approved yesterday is carried out today"),
        ("age_from_the_first_look", "min(seen_at, float(typed_at) if is_time else now)", "seen_at",
         "an approval waits for hours without a leader, and is new then"),
        ("incident_is_over", "if brick is None or brick.since != op.incident:", "if False:",
         "an approval stays open for a brick that serves again"),
        ("same_id_again", "op.starts, now]))", "op.starts]))",
         "a closed proposal comes back under the id that an operator has on the screen"),
    ]),
    *of("remediation/authorize.py", "simulation/test_ablation.py", [
        ("policy_of_the_order", "if mode is Mode.OBSERVE or (mode is not Mode.ACT and not it.operation.approved_by):", "if False:",
         "an order is carried out under a policy that only watches"),
        ("more_than_approved", "why = proposals.other_bricks(it.operation, it.context.starts())", 'why = ""',
         "the executor starts bricks that its approval was not shown for"),
    ]),
    *of("master/operator.py", "unit/master/test_operator.py", [
        ("name_hides_the_user", 'return f"{given} ({known})" if given and given != known else known', "return given or known",
         "whoever gives an order can call himself anything in the journal"),
    ]),
    *of("consul/went_back.py", "unit/master/engine/test_went_back.py", [
        ("older_consul_is_this_one", "if index >= self._highest:", "if True:",
         "a restored snapshot brings an old policy back, and it acts"),
        ("forgotten_over_a_restart", "self._highest = self._kept = machine.highest_index(cluster)", "self._highest = self._kept = 0",
         "an engine that was restarted takes a restored Consul for the same one"),
    ]),
    *of("consul/leader_lock.py", "unit/master/engine/test_went_back.py", [
        ("claimed_in_an_older_consul", "*([check_index_op(keys.heartbeat, heartbeat)] if heartbeat else []),", "",
         "in the seconds after a restore something is begun under an old policy"),
        ("alive_with_the_same_words", '"by": self._name, "once": uuid4().hex', '"by": self._name',
         "the index by which a restore is noticed does not grow"),
    ]),
    *of("master/engine/declared_config.py", "unit/master/engine/test_went_back.py", [
        ("old_submissions_agree", "isinstance(d, Document) and d.index > mark.index", "isinstance(d, Document)",
         "what a snapshot brought back counts as what the nodes submit now"),
        ("any_acknowledgement", 'word is None or word.data.get("went_back") != mark.index', "word is None",
         "an acknowledgement that came back with the snapshot ends the stop"),
    ]),
    *of("minion/submit.py", "unit/minion/test_submit_again.py", [
        ("not_submitted_again", "mark is not None and document is not None and document.index < mark.index", "False",
         "after a restore nothing acts until somebody applies a highstate"),
    ]),
    *of("minion/automation/remediate.py", EXECUTING, [
        ("own_memory_is_nothing", "if not is_older(document, kept):", "if True:",
         "a node carries an old order out when the master is a new machine"),
    ]),
]  # fmt: skip
