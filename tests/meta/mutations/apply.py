"""What carries a change out, and proves it."""

# ruff: noqa: E501
from __future__ import annotations

from .row import EXECUTING, of

ROWS = [
    *of("minion/run.py", "unit/minion/test_apply.py", [
        ("changed_pool_is_written", "if _part(self.driver.stamps(), step) == _part(self.watch.stamps, step):", "if True:",
         "what another node has just set is sent again"),
        ("unknown_outcome_goes_on", 'if err.kind != "partial" or not done:', "if not done:",
         "after a time-out the run goes on as if nothing were open"),
        ("dead_member_agrees", "done = not verify.unmet(after, step) and all(",
         "done = not verify.unmet(after, step) and bool(", "a member that died inside a change counts as having it"),
        ("refusals_are_waited_out", "if self.driver.now() - since >= min(r.waits_s for r in goal.against):", "if False:",
         "a refusal never ends the run"),
        ("no_copy_before_a_change", "self.driver.backup()", "pass",
         "there is no copy of glusterd's files from before a change"),
        ("tried_for_ever", "if goal.rounds[key_of(step)] >= ROUNDS:", "if goal.rounds[key_of(step)] >= 99:",
         "one step is sent again and again"),
        ("declared_hosts_are_not_compared", "goal.judge(obs, self.hosts)", "goal.judge(obs, ())",
         "a pool of strangers is written to"),
        ("unproven_is_done", "if goal.unproven and not self._shows(goal.unproven, goal.unproven_at):", "if False:",
         "a start whose bricks stay down is called done"),
    ]),
    *of("minion/run.py", "unit/minion/test_run.py", [
        ("cut_off_run_goes_on", "            self._stop(goal, step)", "            goal.end()",
         "after a time-out every other change hangs for two minutes, too"),
        ("nobody_takes_over", "self.acts_for_all |= self.watch.look_after(goals)", "pass", "an actor that died is waited for, for ever"),
    ]),
    *of("minion/run.py", "unit/minion/test_run.py", [
        ("refused_option_ends_the_run", '        elif step.action == "options_set":\n', "        elif False:\n",
         "a created volume is left unstarted for the sake of an option"),
    ]),
    *of("minion/driver.py", "unit/minion/test_driver.py", [
        ("one_wrong_option_stops_all", "if len(options) < 2 or all_of_them.kind not in _WRONG_OPTION:", "if True:",
         "one wrong option keeps all others from being set"),
        ("rows_are_asked_of_a_frozen_member", "    silent |= guards.frozen(peers, reach).keys()\n", "",
         "a question for the bricks' rows takes the volume's lock and hangs for minutes"),
        ("a_frozen_member_is_asked", "if p.uuid not in {*obs.definitions, *frozen}]", "if p.uuid not in obs.definitions]",
         "each look of a run waits ten seconds for a glusterd that stands still"),
    ]),
    *of("minion/watch.py", "unit/minion/test_run.py", [
        ("all_take_over_what_nobody_can_do", "[goal for goal in goals if goal.step and not goal.is_ours]", "[goal for goal in goals if not goal.is_ours]",
         "after a wait that all shared each node sends everything"),
        ("taken_over_while_a_third_is_waited_for",
         "unsure = [g for g in undone if not g.is_looked_after and _kinds(g.plan.needs) - CHEAP]", "unsure: list[Goal] = []",
         "who sees less than the actor sends what the actor rightly waits with"),
        ("busy_others_hold_up_what_is_ours", "if not ours:", "if True:", "a create of our own waits until all others are done"),
    ]),
    *of("minion/goal.py", "unit/minion/test_run.py", [
        ("all_act_at_once", "self.is_ours = acts_for_all or self.is_actor", "self.is_ours = True",
         "every node sends every change"),
    ]),
    *of("minion/goal.py", "unit/minion/test_apply.py", [
        ("accepted_for_any_plan", "steps == self._accepted[-len(steps) or len(self._accepted) :]", "True",
         "what a person accepted for one plan is done to another"),
        ("expected_plan_is_any", 'self.expect_id in ("", plan.id)', "True",
         "another plan than the one shown is carried out"),
    ]),
    *of("minion/verify.py", "unit/minion/test_apply.py", [
        ("answer_is_believed", "missing = unmet(obs, step)", "missing = ()",
         "success is reported for what did not happen"),
        ("one_members_word_is_enough", "differs = None if agreed or not is_on_volume(step) else guards.definitions_equal(obs, step, ())",
         "differs = None", "success is reported though a member tells another definition"),
        ("agreed_before_it_is_started", "return is_started and", "return", "success is reported though a member tells another definition"),
    ]),
    *of("minion/verify.py", EXECUTING, [
        ("nobody_at_the_port", "if not any(port and node.accepts(host, port, CONNECT_S) for port in ports):", "if not ports:",
         "a brick that nobody reaches is called applied"),
        ("others_do_not_tell", "if len(known(obs.peers)) > 1 and not any(", "if len(known(obs.peers)) > 99 and not any(",
         "a brick is called applied though the pool tells another volume"),
    ]),
    *of("minion/legacy.py", "unit/minion/test_legacy.py", [
        ("legacy_lock_is_a_failure", "if not (isinstance(error, Conflict) and left):", "if True:",
         "an SLS of old is red when two nodes run it at once"),
        ("legacy_daemons_are_bricks", 'bricks = [row for row in nodes if str(row.get("path") or "").startswith("/")]',
         "bricks = nodes", "a daemon of quota is listed as a brick"),
    ]),
    *of("minion/legacy_state.py", "unit/minion/test_legacy_state.py", [
        ("legacy_adds_in_test_mode", 'told = f"Bricks will be added to volume {name}"\n        return _state(name, told, None, old=before, new=[*before, *new])',
         'told = ""', "test mode adds bricks"),
        ("legacy_any_peer_is_peered", 'return "" if peer.get("connected", "1") == "1" else "not connected"', 'return ""',
         "a member that is away is called peered"),
    ]),
]  # fmt: skip
