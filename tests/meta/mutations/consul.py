"""Who leads, what is believed of Consul, and who may write there."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

ROWS = [
    *of("model/timers.py", "unit/model/test_timers.py", [
        ("trust_beyond_the_session", "self.trust_s <= self.session_ttl_s", "self.trust_s",
         "an engine believes that it leads when Consul has given the lock to another"),
    ]),
    *of("consul/leader_lock.py", "unit/consul/test_leader_lock.py", [
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
    *of("consul/trust.py", "unit/consul/test_trust.py", [
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
    *of("consul/trust_probe.py", "unit/consul/test_trust_probe.py", [
        ("blind_takes_the_lock", "lead and self.verdict.is_fresh and not self._cannot_look()", "lead",
         "an engine that sees nothing leads"),
        ("old_reads_are_believed", "renewed = renewed_at not in (None, before)", "renewed = False",
         "what was read before is believed for ever"),
        ("own_agent_gone", "own = self._client.in_catalog(self._agent)", "own = True",
         "an engine or a node acts on a Consul that has forgotten it"),
    ]),
    *of("consul/acl.py", "unit/consul/test_acl.py", [
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
    *of("consul/agent.py", "unit/consul/test_agent.py", [
        ("readable_agent", "mode, own_group = 0o600 if group is None else 0o640,", "mode, own_group = 0o644,",
         "the agent's token and key are open"),
        ("readable_snapshots", "folder.chmod(folder.stat().st_mode & 0o770)", "pass",
         "Consul's snapshots, with every token, are open"),
    ]),
]  # fmt: skip
