"""What decides a change of the pool."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

#: Before a pool is changed, by whoever.
ROWS = [
    *of("plan/guards.py", "unit/plan/test_guards.py", [
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
    ]),
    *of("plan/fitness.py", "unit/plan/test_fitness.py", [
        ("root_disk_is_fine", 'if path.filesystem == "/" and', 'if path.filesystem == "" and',
         "a brick fills the root file system"),
    ]),
    *of("plan/fitness.py", "unit/plan/test_guards.py", [
        ("foreign_files_are_fine", "if path.foreign:", "if path.foreign and path.volume_id:",
         "a brick is made over files of others"),
        ("former_brick_is_fine", "if path.volume_id and not is_our_mark(path):", "if False:",
         "the brick of another volume is taken"),
    ]),
    *of("plan/brick.py", "simulation/test_impossible_volume.py", [
        ("mark_of_a_hanging_create", "    if hung:\n", "    if False:\n",
         "the id of a volume that is still being made is taken off its brick"),
    ]),
    *of("plan/moved.py", "unit/minion/test_kept_plans.py", [
        ("unknown_has_not_moved", "    except UnknownRead:\n        return True", "    except UnknownRead:\n        return False",
         "a run goes on by the plan from before a hold that cannot be read"),
        ("kept_though_its_volume_moved", " or volume in moved.volumes", "",
         "a run plans from what a volume was, and sends what another node has done"),
        ("kept_though_it_waits", "moved.pool or plan.waits or plan.refusals", "moved.pool or plan.refusals",
         "what is waited for is there, and is waited for to the end of the run"),
        ("kept_though_a_word_grew_old", 'moved.add(Facet("prepared"))', "pass",
         "a volume is made on a word of a node that counts no longer"),
        ("kept_though_another_volume_names_the_host", "if volumes and _hosts_outside(before) != _hosts_outside(after):",
         "if False:", "a brick counts as the declared one though nothing says any more who its host is"),
    ]),
    *of("minion/goal.py", "unit/minion/test_kept_plans.py", [
        ("all_is_planned_again", "if self.is_stale or self.planned is None:", "if True:",
         "every look of a run plans every volume of the pool"),
    ]),
    *of("plan/option_fit.py", "unit/plan/test_option.py", [
        ("quota_option_without_quota", 'return "" if quota == "on" else', 'return "" if quota else', "a quota option is promised without quota"),
    ]),
    *of("gluster/arguments.py", "unit/gluster/test_commands.py", [
        ("word_of_any_length", "if len(text.encode(errors=\"replace\")) > MOST_CHARACTERS:", "if False:",
         "a text that glusterd cannot hold is sent to it"),
    ]),
    *of("plan/expand.py", "unit/plan/test_volume.py", [
        ("called_impossible", 'if "disperse" in (desired.kind, volume.kind):', "if True:",
         "a volume is copied by hand because it is told that it cannot be changed"),
        ("paths_of_others_are_looked_at", 'draft.needs.add(Facet("prepared"))',
         'draft.needs |= {Facet("prepared"), *(Facet("path", b.split(":", 1)[1]) for b in bricks)}',
         "each node looks for the bricks of all nodes in its own file system"),
    ]),
    *of("plan/expand.py", "unit/plan/test_ways_out.py", [
        ("thin_arbiter_grows", "if volume.thin_arbiter and (", "if False and (", "glusterd dies of an add-brick to a thin arbiter"),
        ("foreign_is_taken_out", "f\"declare it     as it is in: gluster volume info {volume.name}\",\n        )\n        return\n    if volume.thin",
         "f\"take it out    gluster volume remove-brick {volume.name}\",\n        )\n        return\n    if volume.thin",
         "the advice of a refusal takes live bricks out"),
    ]),
    *of("gluster/reader.py", "unit/gluster/test_reader_files.py", [
        ("thin_arbiter_is_not_seen", "            volumes = with_thin_arbiters(self._dir, volumes)\n", "            pass\n",
         "a volume with a thin arbiter passes for replica 2 and is grown"),
    ]),
    *of("minion/goal.py", "unit/plan/test_ways_out.py", [
        ("final_is_accepted", "(r.final or r.name not in self.accept)", "r.name not in self.accept",
         "an operator accepts what gluster refuses, or what costs files"),
    ]),
    *of("plan/fitness.py", "unit/plan/test_fitness.py", [
        ("used_bricks_are_cleaned", "    if path.foreign or path.holds_data:\n        return (_ANOTHER,)\n", "",
         "the advice of a refusal takes the mark off a brick with files"),
    ]),
    *of("node/brick_dirs.py", "unit/node/test_node.py", [
        ("a_started_brick_is_a_mark", "_holds_data(real) or _was_started(real, volume_id)", "_holds_data(real)",
         "test mode promises to clean a directory that the run refuses"),
    ]),
    *of("spec/types.py", "unit/plan/test_volume.py", [
        ("one_copy_is_not_said", 'if self.kind == "distribute":\n            return (f', 'if False:\n            return (f',
         "a volume without copies is made without a word"),
    ]),
    *of("gluster/parse/heal.py", "unit/gluster/parse/test_heal.py", [
        ("names_are_stripped", 'HealEntry(entry.text or "", ', 'HealEntry((entry.text or "").strip(), ', "a name with a blank is told as another name"),
    ]),
    *of("minion/heal.py", "unit/gluster/parse/test_heal.py", [
        ("xml_alone_tells", "    except Unreadable:  # a name", "    except SpecError:  # a name", "one odd name hides all that is to be healed"),
    ]),
    *of("minion/install.py", "unit/minion/test_install.py", [
        ("revision_is_another_version", 'or plain.startswith(f"{wanted}-")', "or False", "the package is installed again on every run"),
    ]),
    *of("master/hold.py", "unit/master/test_operator.py", [
        ("away_without_consul_is_silent", 'if target == "*" and not isinstance(pool, PoolClient):', "if False:",
         "a hold that a node has not is told as complete"),
    ]),
    *of("plan/option.py", "unit/plan/test_option.py", [
        ("unfit_option_is_tried", "(why := misfit(name, value, volume))", "(why := '')",
         "test mode promises an option that gluster refuses of such a volume, on every run"),
        ("unknown_option_is_tried", "        if draft.steps and not is_new:\n", "        if True:\n",
         "a volume is made though an option of it is unknown to the installed GlusterFS"),
    ]),
    *of("plan/new_bricks.py", "simulation/test_impossible_volume.py", [
        ("unfit_elsewhere_is_fine", "elif is_known(told := told_of(obs, step.subject, brick)) and told.unfit:",
         "elif False:", "a volume is made over the files of a node that refused"),
    ]),
    *of("plan/force.py", "unit/plan/test_force.py", [
        ("force_is_always_sent", "if not on_root and not _shares_servers(obs, step):\n        return step", "if False:\n        return step",
         "gluster's own checks are switched off without need"),
        ("force_over_what_is_not_known", "for brick, is_on in seen if isinstance(is_on, Unknown)]", "for brick, is_on in seen if False]",
         "gluster's own checks are switched off over directories that nobody has looked at"),
        ("force_past_a_brick_that_is_down", "if (b.host_uuid, b.path) not in up]", "if False]",
         "a copy is added while a brick is down: it is filled with nothing, and that heals back"),
        ("never_forced_onto_shared_servers", "return len(set(new)) < len(new) or bool(held & set(new))", "return False",
         "gluster refuses more copies on the servers that the volume has"),
        ("two_names_are_two_nodes", "first.setdefault(brick.host_uuid or brick.host.lower(), brick)",
         "first.setdefault(brick.host.lower(), brick)", "two copies lie on one node under two names"),
    ]),
    *of("plan/fitness.py", "simulation/test_impossible_volume.py", [
        ("old_word_counts", "if not is_known(announcement.later_than):", "if False:",
         "a create is sent on the word of a node that is long away"),
        ("word_before_a_refusal_counts",
         "if announcement.later_than < max(failed, default=announcement.later_than):", "if False:",
         "a create that failed is sent again before anything is mended"),
    ]),
    *of("plan/brick.py", "simulation/test_impossible_volume.py", [
        ("own_mark_stays", "OUR_LEFTOVER_AFTER_S = 20", "OUR_LEFTOVER_AFTER_S = 2000",
         "a create that failed once makes the volume impossible"),
    ]),
    *of("plan/brick.py", "unit/plan/test_own_bricks.py", [
        ("stranger_prepares", "    if paths:\n        _await_pool(", "    if False:\n        _await_pool(",
         "a node that is no member yet makes bricks for a volume that the pool has without it"),
        ("importing_is_known", "if not draft.waits and obs.volume(volume) is None:", "if False:",
         "a node that was just invited makes bricks for volumes that it has not heard of yet"),
    ]),
    *of("status/announcement.py", "simulation/test_impossible_volume.py", [
        ("anyone_speaks_for_anyone", "if host not in taken:", "if True:",
         "a minion says of another node's brick that it fits"),
    ]),
    *of("plan/option.py", "unit/plan/test_option.py", [
        ("last_options_hazard", "if order.index(hazard) > order.index(worst):", "if hazard is not Hazard.NONE:",
         "an option that risks data is set without asking"),
        ("stopped_holds_no_data", 'volume.status != "Created"', 'volume.status == "Started"',
         "a stopped volume's data is risked without asking"),
    ]),
    *of("plan/builder.py", ("unit/plan/test_option.py", "unit/plan/test_volume.py"), [
        ("hazard_is_no_stop", "if step.hazard is not Hazard.NONE:", "if False:",
         "no hazard ever stops a plan"),
    ]),
    *of("plan/volume.py", "unit/plan/test_volume.py", [
        ("any_word_confirms", "if volume.id and confirm == volume.id:", "if volume.id and confirm:",
         "an old SLS deletes the new volume of the same name"),
        ("no_confirm_for_stop", 'f"stop {volume.name}; its clients lose it"))\n    _need_confirmation(draft, volume, confirm)',
         'f"stop {volume.name}; its clients lose it"))', "a volume is stopped without its id"),
    ]),
    *of("plan/peer.py", "unit/plan/test_peer.py", [
        ("dead_peer_is_detached", "if not peer.is_self and not peer.usable:", "if False:",
         "a peer detached while dead returns with its old pool and overwrites this one"),
        ("brick_holder_is_detached", "    if holding:\n        draft.refuse(", "    if False:\n        draft.refuse(",
         "a node that holds bricks is detached"),
    ]),
    *of("model/pool.py", "unit/plan/test_spellings.py", [
        ("only_gluster_s_own_name", "if peer := self._by_name.get(word):\n            return peer", "if not (peer := self._by_name.get(word)) or peer:\n            return peer",
         "the live bricks of a pool that was probed by address are called foreign"),
        ("first_of_two_members", "if len(several) == 1 else None", "if several else None",
         "an address that two members share picks one of them"),
    ]),
    *of("plan/peer.py", "unit/plan/test_spellings.py", [
        ("any_node_gets_the_name", "elif candidate.uuid == peer.uuid:", "elif True:",
         "a stranger that answers at a wrong address is invited"),
    ]),
    *of("minion/spellings.py", "unit/minion/test_spellings.py", [
        ("always_resolves", "if not strange:", "if False:", "every look asks the DNS for every member"),
    ]),
    *of("status/report.py", "unit/status/test_names.py", [
        ("takes_another_s_name", "if owners.get(n.lower(), peer.uuid) == peer.uuid)", "if True)",
         "a node that calls itself by another one's name is taken for it"),
    ]),
    *of("spec/volume.py", "unit/spec/test_pool.py", [
        ("chosen_brick_of_any_length", "places = volume.bricks if pool is None else pool.places(volume)", "places = volume.bricks",
         "test mode promises a volume whose bricks glusterd cannot write down"),
    ]),
    *of("gluster/arguments.py", "unit/gluster/test_commands.py", [
        ("name_and_value_apart", '_in_length(f"{key}.{name}", "".join(pair))', "pass", "an option that ends glusterd is sent"),
    ]),
    *of("spec/client_quorum.py", "unit/plan/test_option.py", [
        ("fixed_needs_no_count", 'return int(count) if count.isdecimal() else 0', 'return int(count) if count.isdecimal() else replica',
         "fixed without a count takes quorum off a volume without a word"),
        ("minority_is_enough", "then < now and then < replica / 2 + 0.5", "then < now and then < 1",
         "one brick of three is enough to write, without a word"),
    ]),
    *of("spec/option.py", "unit/plan/test_option.py", [
        ("count_goes_before_its_type", "key=lambda n: (n == client_quorum.COUNT, n)", "key=lambda n: n",
         "on the way back to auto a volume is without quorum, or the way is refused"),
    ]),
    *of("spec/option.py", "unit/spec/test_option.py", [
        ("any_length", "if count <= MOST_CHARACTERS:", "if True:", "a list of 380 clients ends two of four glusterds"),
        ("one_default_for_all", "if option.name == client_quorum.TYPE:", "if False:",
         "quorum is taken off a live volume of three copies without a word"),
    ]),
    *of("plan/peer.py", "unit/plan/test_spellings.py", [
        ("joins_under_a_strange_name", "if not node.strange:", "if True:",
         "a node joins whose bricks glusterd takes for another node's"),
    ]),
    *of("master/plans.py", "unit/master/test_plans.py", [
        ("longest_plan_of_all", "mine = {m: p for m, p in answers.items() if m in inside} or answers", "mine = answers",
         "the plan shown is that of a node that sees an empty pool"),
    ]),
]  # fmt: skip
