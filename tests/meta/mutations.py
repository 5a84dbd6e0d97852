"""What must not break unnoticed: one row for each mutation that ``make mutants`` applies.

A row is a place in the code (the text stands there exactly once), what stands there instead, and
what a user would lose. ``tests`` are those that notice it and are run first.
"""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One line of ours that is broken on purpose."""

    name: str
    file: str
    text: str
    instead: str
    lost: str
    tests: tuple[str, ...]


#: name, text, instead, what is lost
Row = tuple[str, str, str, str]


def _of(file: str, tests: str | tuple[str, ...], rows: Iterable[Row]) -> list[Mutation]:
    paths = tuple(f"tests/{path}" for path in ((tests,) if isinstance(tests, str) else tests))
    return [Mutation(n, f"salt_gluster/{file}", t, i, lost, paths) for n, t, i, lost in rows]


#: Before a pool is changed, by whoever.
PLAN_GUARDS = _of("plan/guards.py", "unit/plan/test_guards.py", [
    ("hold_unreadable_is_no_hold",
     'return Refusal("not_held", why, ("mend the file  /var/lib/salt-gluster/hold",))', "return None",
     "a hold file that cannot be read lets the pool be changed"),
    ("half_is_a_majority", "if 2 * len(away) < len(peers):", "if 2 * len(away) <= len(peers):",
     "both halves of a cut pool are changed"),
    ("brick_holders_may_be_away", "p.uuid in concerned and _absence(obs, p)", "not concerned and _absence(obs, p)",
     "a change is imported by a returning node, whose bricks are killed"),
    ("connected_is_alive", "if not reach.accepts:", "if False:",
     "a member that glusterd still calls Connected counts as there"),
    ("not_asked_is_there", 'return "was not asked on port 24007"', 'return ""',
     "a member that nobody asked counts as there"),
    ("joining_is_member", "if peer.state != 3:", "if peer.state == 6:",
     "a change goes past a member that is still joining"),
    ("unknown_version_is_ours", "if _absence(obs, peer):\n                continue",
     "if True:\n                continue", "a mixed pool is changed and diverges for good"),
    ("import_window_ends_early", "SETTLING_S = 60", "SETTLING_S = 30",
     "a change crashes a glusterd that still imports"),
    ("unknown_start_is_long_ago", "if isinstance(started, Unknown) or started is None:",
     "if started is None:", "a glusterd of unknown age is changed, or the run dies of it"),
    ("importing_is_settled", "if node.volumes_without_info:\n        importing",
     "if False:\n        importing", "a change crashes a glusterd that imports"),
    ("hung_status_is_fine", 'return Refusal("settled", f"the bricks of {volume.name}: {status.why}", _LOOK, PORT_S)',
     "return None", "a volume is changed whose bricks nobody could see"),
    ("silent_holder_agrees", "if peer.uuid in concerned:\n                silent",
     "if peer.uuid not in concerned:\n                silent",
     "a member with bricks that tells nothing is overruled"),
    ("another_definition_agrees", "elif definition.get(name) != own:", "elif definition.get(name, own) != own:",
     "a member that has lost the volume is not noticed"),
    ("strange_pool_is_ours", "if uuid is None or row != uuid:", "if uuid is None:",
     "a node that was installed again writes to the pool"),
])  # fmt: skip

PLANS = [
    *_of("plan/fitness.py", "unit/plan/test_guards.py", [
        ("root_disk_is_fine", 'if path.filesystem == "/" and', 'if path.filesystem == "" and',
         "a brick fills the root file system"),
        ("foreign_files_are_fine", "if path.foreign:", "if path.foreign and path.volume_id:",
         "a brick is made over files of others"),
        ("former_brick_is_fine", "if path.volume_id and not is_our_mark(path):", "if False:",
         "the brick of another volume is taken"),
    ]),
    *_of("plan/new_bricks.py", "simulation/test_impossible_volume.py", [
        ("unfit_elsewhere_is_fine", "elif is_known(told := told_of(obs, step.subject, brick)) and told.unfit:",
         "elif False:", "a volume is made over the files of a node that refused"),
    ]),
    *_of("plan/force.py", "unit/plan/test_force.py", [
        ("force_is_always_sent", "if not any(on_root is True for _, on_root in _on_root(obs, step)):", "if False:",
         "gluster's own checks are switched off without need"),
        ("force_over_what_is_not_known", "    if not blind:\n", "    if True:\n",
         "gluster's own checks are switched off over directories that nobody has looked at"),
        ("two_names_are_two_nodes", "first.setdefault(brick.host_uuid or brick.host.lower(), brick)",
         "first.setdefault(brick.host.lower(), brick)", "two copies lie on one node under two names"),
    ]),
    *_of("plan/fitness.py", "simulation/test_impossible_volume.py", [
        ("old_word_counts", "if not is_known(announcement.later_than):", "if False:",
         "a create is sent on the word of a node that is long away"),
        ("word_before_a_refusal_counts",
         "if announcement.later_than < max(failed, default=announcement.later_than):", "if False:",
         "a create that failed is sent again before anything is mended"),
    ]),
    *_of("plan/brick.py", "simulation/test_impossible_volume.py", [
        ("own_mark_stays", "OUR_LEFTOVER_AFTER_S = 20", "OUR_LEFTOVER_AFTER_S = 2000",
         "a create that failed once makes the volume impossible"),
    ]),
    *_of("plan/brick.py", "unit/plan/test_own_bricks.py", [
        ("stranger_prepares", "    if paths:\n        _await_pool(", "    if False:\n        _await_pool(",
         "a node that is no member yet makes bricks for a volume that the pool has without it"),
        ("importing_is_known", "if not draft.waits and obs.volume(volume) is None:", "if False:",
         "a node that was just invited makes bricks for volumes that it has not heard of yet"),
    ]),
    *_of("status/announcement.py", "simulation/test_impossible_volume.py", [
        ("anyone_speaks_for_anyone", "if host not in taken:", "if True:",
         "a minion says of another node's brick that it fits"),
    ]),
    *_of("plan/option.py", "unit/plan/test_option.py", [
        ("last_options_hazard", "if order.index(hazard) > order.index(worst):", "if hazard is not Hazard.NONE:",
         "an option that risks data is set without asking"),
        ("stopped_holds_no_data", 'volume.status != "Created"', 'volume.status == "Started"',
         "a stopped volume's data is risked without asking"),
    ]),
    *_of("plan/builder.py", ("unit/plan/test_option.py", "unit/plan/test_volume.py"), [
        ("hazard_is_no_stop", "if step.hazard is not Hazard.NONE:", "if False:",
         "no hazard ever stops a plan"),
    ]),
    *_of("plan/volume.py", "unit/plan/test_volume.py", [
        ("any_word_confirms", "if volume.id and confirm == volume.id:", "if volume.id and confirm:",
         "an old SLS deletes the new volume of the same name"),
        ("no_confirm_for_stop", 'f"stop {volume.name}; its clients lose it"))\n    _need_confirmation(draft, volume, confirm)',
         'f"stop {volume.name}; its clients lose it"))', "a volume is stopped without its id"),
    ]),
    *_of("plan/peer.py", "unit/plan/test_peer.py", [
        ("dead_peer_is_detached", "if not peer.is_self and not peer.usable:", "if False:",
         "a peer detached while dead returns with its old pool and overwrites this one"),
        ("brick_holder_is_detached", "    if holding:\n        draft.refuse(", "    if False:\n        draft.refuse(",
         "a node that holds bricks is detached"),
    ]),
]  # fmt: skip

APPLY = [
    *_of("minion/run.py", "unit/minion/test_apply.py", [
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
    *_of("minion/run.py", "unit/minion/test_run.py", [
        ("all_act_at_once", "goal.is_ours = self.acts_for_all or not first or is_actor(obs, first[0], self.hosts)",
         "goal.is_ours = True", "every node sends every change"),
        ("cut_off_run_goes_on", "            self._stop(goal, step)", "            goal.end()",
         "after a time-out every other change hangs for two minutes, too"),
        ("nobody_takes_over", "self.acts_for_all |= self.watch.look_after(goals)", "pass", "an actor that died is waited for, for ever"),
    ]),
    *_of("minion/watch.py", "unit/minion/test_run.py", [
        ("all_take_over_what_nobody_can_do", "[goal for goal in goals if goal.step and not goal.is_ours]", "[goal for goal in goals if not goal.is_ours]",
         "after a wait that all shared each node sends everything"),
        ("taken_over_while_a_third_is_waited_for",
         "unsure = [g for g in undone if not g.is_looked_after and _kinds(g.plan.needs) - CHEAP]", "unsure: list[Goal] = []",
         "who sees less than the actor sends what the actor rightly waits with"),
        ("busy_others_hold_up_what_is_ours", "if not ours:", "if True:", "a create of our own waits until all others are done"),
    ]),
    *_of("minion/goal.py", "unit/minion/test_apply.py", [
        ("accepted_for_any_plan", "steps == self._accepted[-len(steps) or len(self._accepted) :]", "True",
         "what a person accepted for one plan is done to another"),
        ("expected_plan_is_any", 'self.expect_id in ("", plan.id)', "True",
         "another plan than the one shown is carried out"),
    ]),
]  # fmt: skip

VERIFY = [
    *_of("minion/verify.py", "unit/minion/test_apply.py", [
        ("answer_is_believed", "missing = unmet(obs, step)", "missing = ()",
         "success is reported for what did not happen"),
        ("one_members_word_is_enough", "differs = None if agreed or not is_on_volume(step) else guards.definitions_equal(obs, step, ())",
         "differs = None", "success is reported though a member tells another definition"),
        ("agreed_before_it_is_started", "return is_started and", "return", "success is reported though a member tells another definition"),
    ]),
    *_of("minion/verify.py", "unit/minion/automation/test_remediate.py", [
        ("nobody_at_the_port", "if not any(port and node.accepts(host, port, CONNECT_S) for port in ports):", "if not ports:",
         "a brick that nobody reaches is called applied"),
        ("others_do_not_tell", "if len(known(obs.peers)) > 1 and not any(", "if len(known(obs.peers)) > 99 and not any(",
         "a brick is called applied though the pool tells another volume"),
    ]),
]  # fmt: skip

FLEET_GUARDS = [
    *_of("remediation/guards/pool.py", "unit/remediation/test_guards.py", [
        ("storm_is_open", "(fleet_mode.FleetMode.OPEN, fleet_mode.FleetMode.HELD)", "tuple(fleet_mode.FleetMode)",
         "bricks are started while the whole pool is in trouble"),
        ("lock_of_nobody", "if not lock.held or isinstance(lock.epoch, Unknown):", "if isinstance(lock.epoch, Unknown):",
         "something is begun while nobody leads"),
        ("lock_for_the_last_second", "lock.valid_s < context.policy.lock_left_s", "lock.valid_s < 0",
         "an intent is written after the lock has ended"),
        ("unreadable_hold_on_the_node", "if not why and is_known(facts) and isinstance(facts.hold, Unknown):", "if False:",
         "a hold on the node that cannot be read is passed over"),
        ("maintenance_of_a_neighbour", "why = context.obs.in_maintenance(brick.host_uuid)", 'why = ""',
         "a brick that a person has taken down is started with the other"),
        ("taken_out_of_the_catalog", "if uuid not in context.obs.consul.registered:", "if False:",
         "a brick of a node that was taken out on purpose is started"),
        ("unknown_glusterd_is_up", "if not health.glusterd_up(facts) or", "if",
         "a command is sent to a glusterd that does not answer"),
        ("stopped_volume_is_started", "if not volume.is_started:", "if False:",
         "a volume that a person has stopped is started"),
        ("another_volume_of_that_name", "if volume.id != context.target.volume_id:", "if False:",
         "a new volume of an old name is started"),
        ("clock_behind", "if abs(skew_s) > context.policy.clock_skew_s:", "if skew_s > context.policy.clock_skew_s:",
         "a deadline is compared between clocks that differ"),
        ("person_at_work", "if not change.ours and change.at > seen and", "if change.ours and change.at > seen and",
         "automation acts into the hands of a person"),
        ("unknown_changes", 'return refuse(\n                "no_recent_manual_change", f"what was done on {name} is not known: {changes.why}"\n            )',
         "continue", "a member whose history is not known counts as quiet"),
        ("quiet_period", "if left_s > 0:\n                why = f", "if left_s > 40:\n                why = f",
         "a command blocks glusterd for two minutes right after a node died"),
        ("connected_unless_told", "facts.connected.get(uuid, True)", "facts.connected.get(uuid, False)",
         "a command waits for a member that is gone"),
    ]),
    *_of("remediation/guards/brick.py", "unit/remediation/test_guards.py", [
        ("unknown_brick", 'return refuse("bricks_known", f"{brick.name} may be down too, and {facts.why}")', "continue",
         "a brick nobody knows about is started with the other"),
        ("unknown_process", 'return refuse("process_dead", f"{brick.name}: its process: {facts.alive.why}")', "continue",
         "a second process is started for a brick that runs"),
        ("never_recorded", 'return refuse("same_filesystem", f"{brick.name} was never recorded while it was well")', "continue",
         "a brick is started on an empty disk and looks healed"),
        ("unknown_records", 'return refuse("same_filesystem", f"what was recorded is not known: {recorded.why}")', "continue",
         "without its records a brick is started on any disk"),
        ("another_filesystem", "if facts.filesystem != before.filesystem:", "if not facts.filesystem:",
         "a brick is started on a copied disk"),
        ("unknown_disk", 'return refuse(name, f"{brick.name}: not known: {value.why}")', "continue",
         "a brick is started whose disk could not be looked at"),
        ("failed_a_moment_ago", "if op.state is Life.FAILED and left_s > 0:", "if False:",
         "what has just failed is done again at once"),
        ("frozen_is_over", "if op.state is Life.FROZEN:", "if False:",
         "automation goes on where nobody knows what it did"),
        ("budget", "if len(spent) < context.policy.restart_budget:", "if len(spent) <= context.policy.restart_budget:",
         "one brick more is restarted a day than allowed"),
        ("cooldown_from_the_intent", "(op.applied_at or op.changed) + context.policy.restart_cooldown_s",
         "op.incident + context.policy.restart_cooldown_s", "a dying brick is restarted in a loop"),
        ("decided_once", "if since is None or context.obs.now", "if since is not None and context.obs.now",
         "one glitch of a look starts a brick"),
    ]),
    *_of("remediation/guards/context.py", "unit/remediation/test_guards.py", [
        ("refused_spends", "o.state in SPENT and o.id != self.operation", "o.id != self.operation",
         "refusals use the budget up and nothing is mended any more"),
        ("dead_bricks_left_out", "if not serves and health.port_signal", "if serves and health.port_signal",
         "the bricks that a start force starts too are not looked at"),
    ]),
    *_of("remediation/observation.py", "unit/remediation/test_guards.py", [
        ("old_reports", "if age > policy.evidence_s:", "if age > 10 * policy.evidence_s:",
         "news of ten minutes ago are acted on"),
        ("reports_from_the_future", "if age < -policy.clock_skew_s:", "if False:",
         "the news of a node whose clock is ahead never age"),
        ("unreadable_maintenance", 'return f"whether it is in maintenance cannot be read: {self.maintenance.why}"', 'return ""',
         "a node that a person has in hand is touched"),
    ]),
]  # fmt: skip

EXECUTOR = [
    *_of("remediation/authorize.py", ("simulation/test_engine_and_executor.py", "unit/minion/automation/test_remediate.py"), [
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
    *_of("minion/automation/remediate.py", "unit/minion/automation/test_remediate.py", [
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

LOCK = [
    *_of("model/timers.py", "unit/model/test_timers.py", [
        ("trust_beyond_the_session", "self.trust_s <= self.session_ttl_s", "self.trust_s",
         "an engine believes that it leads when Consul has given the lock to another"),
    ]),
    *_of("consul/leader_lock.py", "unit/consul/test_leader_lock.py", [
        ("trust_from_the_answer", "self.renewed_at = sent_at", "self.renewed_at = self._clock()",
         "two lead for two seconds"),
        ("trust_too_long", "renewed_at + self.lease.trust_s - self._clock()", "renewed_at + 2 * self.lease.trust_s - self._clock()",
         "a frozen leader still believes in itself when the next one acts"),
        ("session_is_over", 'self._session, self._epoch, self._may_hold = "", 0, False', 'self._session = ""',
         "who has lost its session leads on"),
        ("same_epoch_twice", '"once": uuid4().hex', '"once": ""',
         "a leader of the same name gets the epoch of the one before"),
        ("stolen_lock", "return entry is not None and entry.session == self._session", "return entry is not None",
         "who has lost the lock leads on"),
        ("claim_under_a_hold", "check_absent_op(keys.hold),", "",
         "something is begun under a hold that came in the last moment"),
        ("claim_in_maintenance", "*(check_absent_op(keys.maintenance(node)) for node in nodes),", "",
         "a node is touched that a person has just taken in hand"),
        ("claim_twice", "cas_op(keys.operation(operation), intent, 0)", "set_op(keys.operation(operation), intent)",
         "one operation is begun twice"),
        ("unfenced_epoch", "            check_index_op(self._keys.epoch, epoch),\n", "",
         "a leader that was frozen writes over the next one's"),
        ("unfenced_session", "            check_session_op(self._keys.leader, session),\n", "",
         "a leader whose session has ended still writes"),
        ("unbelieving_leader_writes", "if not (self.holds() and session and epoch):\n            raise Fenced", "if not (session and epoch):\n            raise Fenced",
         "who does not lead any more by its own clock still writes"),
    ]),
    *_of("consul/trust.py", "unit/consul/test_trust.py", [
        ("heartbeat", "if age_s < facts.trust_s:", "if age_s < 3 * facts.trust_s:",
         "a frozen agent's news are believed"),
        ("wiped_is_empty", "gone = facts.canary is Canary.ABSENT and facts.marker", "gone = False",
         "an emptied Consul is taken for a new pool"),
        ("agent_not_asked", 'return "the catalog could not be asked for our own agent"', 'return ""',
         "a view is believed though nobody could say that we are in it"),
        ("nothing_read_again", "reread=bool(disturbed)", "reread=False",
         "what was seen before the view was lost is taken for what is so"),
        ("consul_restored", "if facts.regressions > before.regressions:", "if False:",
         "a restored Consul is acted on before everything was read again"),
    ]),
    *_of("consul/trust_probe.py", "unit/consul/test_trust_probe.py", [
        ("blind_takes_the_lock", "lead and self.verdict.is_fresh and not self._cannot_look()", "lead",
         "an engine that sees nothing leads"),
        ("old_reads_are_believed", "renewed = renewed_at not in (None, before)", "renewed = False",
         "what was read before is believed for ever"),
        ("own_agent_gone", "own = self._client.in_catalog(self._agent)", "own = True",
         "an engine or a node acts on a Consul that has forgotten it"),
    ]),
]  # fmt: skip

RIGHTS = [
    *_of("consul/acl.py", "unit/consul/test_acl.py", [
        ("node_writes_all", 'key_prefix={keys.root: "list"', 'key_prefix={keys.root: "write"',
         "a node writes the orders of every other"),
        ("every_node_makes_the_canary", "*([keys.canary] if first else [])", "keys.canary",
         "any node can hide that Consul was emptied"),
        ("reader_writes", 'key_prefix={Keys(cluster).root: "list"}', 'key_prefix={Keys(cluster).root: "write"}',
         "who may only look can order"),
        ("anybody_reads_keys", 'return _may(node_prefix={"": "read"}, service={SERVICE: "read"})',
         'return _may(node_prefix={"": "read"}, service={SERVICE: "read"}, key_prefix={"": "read"})',
         "the keys are open to who brings no token"),
        ("another_secret", 'existing.get("SecretID") != grant.secret', "False",
         "a token that was made anew is never taken back"),
        ("wider_policy_stays", 'if existing.get("Rules") == rules:', "if True:",
         "a right that was taken out of the rules stays for ever"),
    ]),
    *_of("node/files.py", "unit/node/test_files.py", [
        ("secret_file_is_open", "write_atomically(path, text, mode, owner=(0, group))", "write_atomically(path, text, mode, owner=(0, group), keep=True)",
         "a token is written into a file that all could read before"),
        ("mode_is_not_set", "os.fchmod(out.fileno(), mode)", "os.fchmod(out.fileno(), 0o644)",
         "a token stands in a file that all can read"),
        ("second_writer_wins", "        if once:\n", "        if False:\n",
         "a second deployment replaces the key of the pool's CA"),
        ("another_owner", "                os.fchown(out.fileno(), *owner)", "                pass",
         "a file with a token belongs to whoever wrote it"),
        ("open_files_are_fine", "if stat.S_IMODE(status.st_mode) != mode:", "if False:",
         "a token that was made readable stays so"),
        ("anybodys_file", "(status.st_uid, status.st_gid) == (owner or (0, group))", "True",
         "the owner of a file with a token is not looked at"),
    ]),
    *_of("master/config_file.py", "functional/test_setup.py", [
        ("readable_setup", "MODE = 0o600", "MODE = 0o644", "the site's passwords are open to all users"),
        ("shown_setup", '"new": self._in_words()', '"new": text', "the site's passwords are on the screen"),
    ]),
    *_of("master/deploy/removal.py", "functional/test_setup.py", [
        ("webhook_handed_out", "    kept.take_no_events()\n", "", "the next highstate brings the webhook back"),
    ]),
    *_of("node/glusterd_copy.py", "unit/node/test_glusterd_copy.py", [
        ("readable_copies", "new_file(copy, 0o600)", "new_file(copy, 0o644)",
         "the passwords in the copies of glusterd's files are open"),
        ("mounts_in_copies", "if str(path) in elsewhere or", "if",
         "the data of what is mounted below glusterd's directory is copied with each change"),
        ("bricks_in_copies", "or _is_brick(path)", "", "the data of a volume is copied with each change"),
        ("same_copies", "if copies and copies[-1].name", "if not copies and copies[-1].name",
         "each change pushes a copy out that differs, for one that does not"),
        ("endless_copies", "if len(data) > limit:", "if False:", "a copy fills the disk"),
    ]),
    *_of("node/events_daemon.py", "unit/node/test_files.py", [
        ("readable_webhooks", "write_atomically(file, text, 0o600)", "write_atomically(file, text, 0o600, keep=True)",
         "the tokens of all webhooks are open where gluster-eventsapi wrote them before"),
    ]),
    *_of("minion/automation/engine_config.py", "unit/node/test_files.py", [
        ("readable_engine", "write_private(file, text, mode=0o600)", "write_private(file, text, mode=0o644)",
         "secrets in the engines' configuration are open"),
        ("anothers_configuration", 'if before is not None and not before.startswith(_OURS.partition("\\n")[0]):', "if False:",
         "a configuration that a person wrote is replaced"),
    ]),
    *_of("consul/agent.py", "unit/consul/test_agent.py", [
        ("readable_agent", "mode, own_group = 0o600 if group is None else 0o640,", "mode, own_group = 0o644,",
         "the agent's token and key are open"),
        ("readable_snapshots", "folder.chmod(folder.stat().st_mode & 0o770)", "pass",
         "Consul's snapshots, with every token, are open"),
    ]),
    *_of("master/deploy/secret_store.py", "unit/master/deploy/test_secret_store.py", [
        ("readable_secrets", "write_atomically(file, text, 0o600, owner=owner, once=once)", "write_atomically(file, text, 0o644, owner=owner, once=once)",
         "every secret of the pool is open on the master"),
        ("open_secret_folder", "        new.mkdir(mode=0o700)\n", "        new.mkdir(mode=0o755)\n",
         "the names of the secrets are open on the master"),
    ]),
    *_of("node/hold.py", "unit/node/test_node.py", [
        ("unreadable_hold_file", 'return Unknown(f"the hold file {file} cannot be read: {problem}")', "return None",
         "a hold that cannot be read is none"),
        ("touched_hold", 'return Hold("touched by hand", since=touched)', "return None",
         "a hold that was set by touch is none"),
    ]),
    *_of("node/disks.py", "unit/node/test_disks.py", [
        ("any_serial", "if confirm is not None and confirm not in (*disk.names, disk.serial):", "if confirm is not None and not confirm:",
         "another disk than the one meant is formatted"),
        ("any_xfs_is_ours", 'disk.fstype == "xfs" and disk.label == label_for(mount_point)', 'disk.fstype == "xfs"',
         "the file system of another is taken for a brick's"),
        ("wipefs_failed", "if ran.rc != 0:\n            raise ValueError", "if False:\n            raise ValueError",
         "a disk whose signatures cannot be read is formatted"),
        ("busy_device", "os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC", "os.O_RDONLY | os.O_CLOEXEC",
         "a disk that another container uses is formatted"),
        ("carries_lvm", "if not device.below:", "if True:", "a disk below LVM or RAID is formatted"),
        ("name_that_moves", "if len(matches) == 1:", "if matches:",
         "of two disks of one name the first is formatted"),
        ("mkfs_believed", 'if seen.get("fstype") != "xfs" or not seen.get("uuid"):', "if False:",
         "a mkfs that did nothing ends in fstab"),
    ]),
    *_of("master/approvals.py", "unit/master/test_approvals.py", [
        ("engines_token_for_a_minion", 'opts.get("__role") != "master"', "False",
         "a minion that shares the machine may write everything in Consul"),
        ("approved_over_a_no", "cas=document.index, seen=True", "seen=True",
         "a yes is written over a no that came first"),
        ("decided_is_open", "if op.state not in WAITING:", "if False:",
         "what was closed is approved after all"),
        ("too_late_to_decide", "if snapshot.document(snapshot.keys.operation(name)) is not None:\n        raise GlusterError",
         "if False:\n        raise GlusterError", "a proposal is decided while it is carried out"),
        ("uninvited_node", "if name in (row[\"name\"], row[\"uuid\"]):", "if True:",
         "another node than the one named is let into the pool"),
        ("rejected_stays_in", "_reject_node(pool, snapshot, *node, by, reason)", "pass",
         "a node that was rejected stays in the pool"),
    ]),
]  # fmt: skip

RESTORE = [
    *_of("master/restore.py", "unit/master/test_restore.py", [
        ("one_no_is_no_no", "all(check.yes for check in checks)", "any(check.yes for check in checks)",
         "a node with volumes gets its identity overwritten"),
        ("any_confirm", "if confirm != uuid:", "if not confirm:", "any word confirms the restore of a node"),
        ("not_ready", "    if not ready:\n", "    if False:\n",
         "a node is restored though a check says no"),
        ("node_not_asked", 'isinstance(answer, Mapping) and answer.get("changes")', "isinstance(answer, Mapping)",
         "a node that is in the pool is overwritten"),
        ("held_pool", "if isinstance(hold, Hold):", "if False:", "a held pool is changed"),
        ("unreadable_hold_of_the_pool", 'return RestoreCheck("not_held", None, hold.why)', 'return RestoreCheck("not_held", True, hold.why)',
         "a pool whose hold cannot be read is changed"),
        ("rejected_is_back", 'p["connected"] and p["state"] == 3', 'p["connected"]',
         "a node that the members reject is called back"),
        ("not_back_for_all", "    if missing:\n", "    if False:\n",
         "a node is called back that the members do not have"),
    ]),
    *_of("plan/restore.py", ("unit/plan/test_restore.py", "unit/master/test_restore.py"), [
        ("another_pool", '_elsewhere(answers, others, set(actual["peers"]))', "[]",
         "a node is given to another pool"),
        ("other_volumes", "if c is None or c.digest != digest", "if c is None",
         "a node imports volumes that the store does not know"),
        ("rejected_member", 'not (peer["connected"] and peer["state"] == 3)', 'not peer["connected"]',
         "a node is put between members that reject each other"),
        ("two_op_versions", "len(numbers) == 1 if numbers else None", "bool(numbers)",
         "a node starts with a wrong op-version and is rejected"),
        ("any_file_name", "if not _UUID.fullmatch(uuid):", "if False:",
         "an answer of a member becomes a path on the node"),
    ]),
    *_of("minion/restore.py", "unit/minion/test_restore.py", [
        ("held_node", "    if hold is not None:\n", "    if False:\n", "a node that a person holds is emptied"),
        ("node_with_volumes", '    elif _names("vols"):\n', "    elif False:\n",
         "the volumes of a node are thrown away"),
        ("node_with_bricks", "elif any(True for _ in node.glusterfsd_processes()):", "elif False:",
         "running bricks lose their ports"),
        ("node_with_snapshots", 'for name in _names("snaps") if', 'for name in () if',
         "the definitions of a node's snapshots meet a pool that does not know them"),
        ("data_of_others", 'in _REPLACED), *map(', 'in _names("")), *map(',
         "what an operator keeps below glusterd's directory is lost with a restore"),
        ("node_of_another_pool", 'elif own != identity.uuid and peers:', "elif False:",
         "a node of another pool is taken away from it"),
        ("test_mode", "        if minion.test:\n", "        if False:\n",
         "a look at the plan carries it out"),
        ("no_copy_before_restoring", "copy = node.copy_glusterd_dir(driver.now())", "copy = None",
         "what is emptied is lost for good"),
        ("files_under_a_running_glusterd", 'raise GlusterError("glusterd does not end; nothing was given back.", kind="daemon_up")',
         "break", "glusterd writes its own files over the restored ones"),
        ("readable_files", "mode=0o600", "mode=0o644", "glusterd's files are open to everybody"),
        ("back_without_volumes", "volumes <= set(obs.volumes)", "True",
         "a node is called back before its volumes have come"),
    ]),
]  # fmt: skip

MUTATIONS = (
    *PLAN_GUARDS, *PLANS, *APPLY, *VERIFY, *FLEET_GUARDS, *EXECUTOR, *LOCK, *RIGHTS, *RESTORE,
)  # fmt: skip
