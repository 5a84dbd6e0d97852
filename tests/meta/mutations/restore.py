"""A node that lost its configuration gets it back."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

ROWS = [
    *of("master/restore.py", "unit/master/test_restore.py", [
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
    *of("plan/restore.py", ("unit/plan/test_restore.py", "unit/master/test_restore.py"), [
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
    *of("minion/restore.py", "unit/minion/test_restore.py", [
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
    *of("spec/values.py", "unit/spec/test_values.py", [
        ("words_of_anything", " for at, entry in items(several, key) if entry", " for at, entry in enumerate(several) if entry",
         "a number in the place of names is a traceback"),
    ]),
]  # fmt: skip
