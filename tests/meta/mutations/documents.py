"""What other nodes, other masters and other versions of ours have written."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

ROWS = [
    *of("master/engine/probe.py", "unit/consul/test_every_kind.py", [
        ("time_that_is_none", "or abs(at or 0) > _MOST_TIME", "", "one node's answer makes the leader resign"),
    ]),
    *of("status/version_document.py", "unit/consul/test_every_kind.py", [
        ("any_version", "version: _Version = read_as(_Version, data, \"the version\")", "version = _Version(1, 0.0, \"\", \"\", \"\")",
         "a version that somebody wrote by hand ends each tick of the leader"),
    ]),
    *of("status/leader_status.py", "unit/consul/test_every_kind.py", [
        ("any_status", '    read_as(_Status, data, "the leader\'s status")\n', "", "what another version of the engine tells ends gluster.status"),
    ]),
    *of("remediation/membership.py", "unit/consul/test_every_kind.py", [
        ("any_condition", 'read: _Row = read_as(_Row, named, f"the members snapshot: {key[:60]}")', "read = _Row(**named)",
         "what another version has announced ends each tick of the leader"),
    ]),
    *of("minion/automation/publish.py", "unit/minion/automation/test_witness.py", [
        ("any_identity", "isinstance(identity_of(document), Unknown)", "False", "a broken record ends what the node tells of itself"),
    ]),
    *of("consul/codec.py", "unit/consul/test_hostile_documents.py", [
        ("bomb", "value = unpacker.decompress(value[len(_PACKED) :], MOST_PLAIN_BYTES + 1)", "value = unpacker.decompress(value[len(_PACKED) :])",
         "80 bytes of one node take the master's memory"),
        ("many_values", "> MOST_VALUES:", "> 1e12:", "a document of one node takes the master's memory"),
        ("deep_document", "if _may_be_deep(plain) and _is_deep(document):", "if False:", "a document of one node ends whoever walks through it"),
        ("no_number", "parse_constant=_no_number", "parse_constant=float", "a time that is no number is never too old"),
    ]),
    *of("model/document.py", "unit/model/test_document.py", [
        ("huge_number", "if not is_number or not -_MOST_NUMBER < value < _MOST_NUMBER:  #", "if not is_number:  #", "a number of one node ends the leader's tick"),
        ("true_is_a_number", "is_number = isinstance(value, int | float) and not isinstance(value, bool)", "is_number = isinstance(value, int | float)", "what is true counts as the number 1"),
    ]),
    *of("status/report_document.py", "unit/consul/test_hostile_documents.py", [
        ("writes_as_another", 'if uuid and report.uuid not in ("", uuid):', "if False:", "one node tells what another node has"),
        ("two_definitions", 'if isinstance(facts, Mapping) and facts.get("volumes", data["volumes"]) != data["volumes"]:', "if False:",
         "one node hides the volumes of the pool"),
        ("any_schema", 'if data.get("schema") != SCHEMA:', "if False:", "a report of a newer version is read as if it were ours"),
    ]),
    *of("consul/cluster_state.py", "unit/consul/test_hostile_documents.py", [
        ("unreadable_keeps", "        self.reports.pop(uuid, None)\n", "", "what a node told before counts when it tells something broken"),
    ]),
    *of("remediation/agreement.py", "unit/remediation/test_agreement.py", [
        ("half_decides", "if 2 * len(same) <= others:", "if 2 * len(same) < others:", "half of the nodes set the policy for all"),
        ("departed_decides", "voices = [s for s in voices if s.uuid in members]", "pass", "who has left the pool sets its policy"),
        ("said_by_another", "digest = digest_of([declared.spec, declared.policy])", "digest = digest_of([declared.by])", "nodes that submit different policies agree"),
        ("any_policy", "        policy_from(submission.policy)\n", "", "a policy is in force that the pillar would refuse"),
        ("one_names_itself", "if not members and 2 * len(same) <= len(nodes):", "if False:", "the first node alone sets the policy before the pool is known"),
    ]),
    *of("master/engine/declared_config.py", "unit/remediation/test_agreement.py", [
        ("no_members", "agreement = agreed(read_submissions(submitted), peers, accepted)", "agreement = agreed(read_submissions(submitted), {}, accepted)",
         "whoever names itself sets the policy of the pool"),
    ]),
    *of("status/config_versions.py", "unit/status/test_config_versions.py", [
        ("youngest_first", "told = sorted(groups.values(), key=len, reverse=True)", "told = list(groups.values())", "the node with the latest clock says which volumes there are"),
    ]),
]  # fmt: skip
