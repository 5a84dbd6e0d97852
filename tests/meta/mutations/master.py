"""What the master sets up and what an operator approves there."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

ROWS = [
    *of("master/config_file.py", "functional/deploy/test_setup.py", [
        ("readable_setup", "MODE = 0o600", "MODE = 0o644", "the site's passwords are open to all users"),
        ("shown_setup", '"new": self._in_words()', '"new": text', "the site's passwords are on the screen"),
    ]),
    *of("master/deploy/removal.py", "functional/deploy/test_setup_consul.py", [
        ("webhook_handed_out", "    kept.take_no_events()\n", "", "the next highstate brings the webhook back"),
    ]),
    *of("master/approvals.py", "unit/master/test_approvals.py", [
        ("engines_token_for_a_minion", 'opts.get("__role") != "master"', "False",
         "a minion that shares the machine may write everything in Consul"),
        ("approved_over_a_no", "cas_op(document.key, pack(data), document.index)", "set_op(document.key, pack(data))",
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
    *of("master/deploy/gossip.py", "unit/master/deploy/test_gossip.py", [
        ("one_moment_away_ends_it", "while (away := _away(client, known)) and time.monotonic() < end:\n        time", "away = _away(client, known)\n    if False:\n        time",
         "an agent that gossip misses for a moment ends the exchange of the gossip key"),
        ("exchanged_past_who_is_away", "    return sorted(known - alive)\n", "    return []\n",
         "a node that is switched off never joins again"),
        ("a_cached_key_is_used", "if answer[\"new\"] != keyring.fingerprint(new):", "if False:",
         "all agents encrypt by a key that no master keeps"),
    ]),
    *of("consul/keyring.py", "unit/master/deploy/test_gossip.py", [
        ("one_late_agent_ends_it", ' or _LACKS_ONE in err.text', "",
         "one agent that is busy for a moment ends the exchange of the gossip key"),
        ("removed_while_in_use", '_refuse_unless(before.primary.get(new, 0), before, "encrypt by the new key")', "pass",
         "an agent loses the key by which it encrypts"),
    ]),
    *of("master/deploy/credentials.py", "unit/master/deploy/test_gossip.py", [
        ("new_key_for_all", "kept.new_gossip_key() if mine.server else", "kept.new_gossip_key() if True else",
         "the new gossip key is in the pillar of nodes that do nothing with it"),
    ]),
    *of("master/maintenance.py", "unit/master/test_requests.py", [
        ("held_for_ever", "        if len(found) == 1:", "        if False:", "the maintenance of a node that is gone is never ended"),
        ("one_name_of_two", "        if len(found) == 1:", "        if found:", "a node ends another's maintenance by a report with its name"),
        ("gone_agent_is_missed", "    if has_left and done:", "    if False:", "the end of a gone node's maintenance is told as undone"),
    ]),
    *of("consul/admission_proof.py", "unit/master/deploy/test_deployment.py", [
        ("forged_uuid", "uuid if hmac.compare_digest(shown.encode(), expected.encode()) else", "uuid if shown else",
         "another minion has a wrong uuid admitted, which then keeps the node out"),
        ("proof_of_any_question", '["salt-gluster admission", minion, uuid, nonce]', '["salt-gluster admission", minion, uuid]',
         "what a node said once is said for it again"),
    ]),
    *of("master/jobs.py", "unit/master/test_jobs.py", [
        ("forged_answer_first", ' and believes(event.get("return")):', ":",
         "who answers first in a node's name keeps its own answer out"),
        ("still_works_for_ever", " or time.monotonic() >= ends_at", "",
         "a forger of one node keeps a slot of the admission busy, so that no other node gets in"),
        ("anybody_answers", 'event.get("id") in job["minions"] and ', "",
         "answers in ever other names keep a question open, and the master's memory grows"),
    ]),
    *of("master/deploy/acl_beginning.py", "unit/master/deploy/test_acl_beginning.py", [
        ("first_token_stays", "        revoke_secret(client, first)\n", "",
         "a token that may do everything stays in Consul, and nobody knows of it"),
        ("first_token_is_lost", "kept.keep_first_token(first)", "pass",
         "a master that ends at the wrong moment has locked itself out of Consul"),
    ]),
    *of("consul/agent.py", "unit/consul/test_agent.py", [
        ("own_token_alone", 'tokens.get("master") or tokens["agent"]', 'tokens["agent"]',
         "a server of an earlier version cannot leave before the master grants it that"),
    ]),
    *of("master/deploy/exchange.py", "unit/master/deploy/test_exchange.py", [
        ("taken_from_who_is_away", "if not isinstance(answer, Mapping) or dict(answer) != wanted:", "if False:",
         "a node that was away during an exchange has no valid token when it is back"),
        ("granted_after_it_is_asked", "    deployment.grant_agents_and_nodes(kept, list(renewed.values()))\n", "",
         "the nodes get tokens that Consul does not know"),
    ]),
    *of("master/deploy/clocks.py", "unit/master/deploy/test_clocks.py", [
        ("authority_of_the_future", "if far and 2 * len(far) > len(ahead):", "if False:",
         "the pool's authority does not count yet, no agent speaks to another, and nobody says so"),
    ]),
    *of("minion/automation/consul_agent.py", "unit/consul/test_agent.py", [
        ("not_yet_valid_is_valid", "        if now < begins:\n            return (\n                f\"the {what} counts only", "        if False:\n            return (\n                f\"the {what} counts only",
         "an agent is started with an authority that does not count yet"),
    ]),
]  # fmt: skip
