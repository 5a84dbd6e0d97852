"""What ends an approval, and who is named for an order."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

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
]  # fmt: skip
