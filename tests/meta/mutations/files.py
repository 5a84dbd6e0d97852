"""Files with secrets, copies, the hold file and disks."""

# ruff: noqa: E501
from __future__ import annotations

from .row import of

ROWS = [
    *of("gluster/reader.py", "unit/gluster/test_reader_files.py", [
        ("files_of_a_hand", "return read is not None and all(kept.volumes.get(n) == v for n, v in read.items())", "return True",
         "files that tell another thing than glusterd are believed"),
        ("connected_long_ago", "if kept and 0 <= age < connected_s and", "if kept and 0 <= age < FILES_S and",
         "a change is sent on an old word of who is connected"),
        ("files_after_an_error", "            self.drop()\n            raise", "            raise",
         "after an error the files are believed, which may not have been written"),
        ("files_while_one_is_away", "if not all(peer.usable for peer in kept.peers):", "if False:",
         "a member that comes back is not seen"),
        ("files_of_other_members", "now is None or now.members != kept.stamp.members:", "now is None:",
         "a new member, or an option of the whole pool, is not seen"),
        ("files_before_the_members", "if any(row.get(name) != digest for row in told for name, digest in own.items()):", "if False:",
         "files are believed against the word of the members"),
    ]),
    *of("minion/brick_announcements.py", "simulation/test_one_after_another.py", [
        ("said_in_runs_only", "        self._repeat(self._now() + KEEP_S)", "        pass",
         "highstates one after another never make a volume"),
        ("said_for_ever", "wanted = is_open and 0 < left_s < KEEP_S + REPEAT_S", "wanted = True",
         "a node says on for ever what nobody asks for"),
    ]),
    *of("node/files.py", "unit/node/test_files.py", [
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
    *of("node/glusterd_copy.py", "unit/node/test_glusterd_copy.py", [
        ("readable_copies", "new_file(copy, 0o600)", "new_file(copy, 0o644)",
         "the passwords in the copies of glusterd's files are open"),
        ("mounts_in_copies", "if str(path) in elsewhere or", "if",
         "the data of what is mounted below glusterd's directory is copied with each change"),
        ("bricks_in_copies", "or _is_brick(path)", "", "the data of a volume is copied with each change"),
        ("same_copies", "if copies and copies[-1].name", "if not copies and copies[-1].name",
         "each change pushes a copy out that differs, for one that does not"),
        ("endless_copies", "if len(data) > limit:", "if False:", "a copy fills the disk"),
    ]),
    *of("node/events_daemon.py", "unit/node/test_files.py", [
        ("readable_webhooks", "write_atomically(file, text, 0o600)", "write_atomically(file, text, 0o600, keep=True)",
         "the tokens of all webhooks are open where gluster-eventsapi wrote them before"),
    ]),
    *of("minion/automation/engine_config.py", "unit/node/test_files.py", [
        ("readable_engine", "write_private(file, text, mode=0o600)", "write_private(file, text, mode=0o644)",
         "secrets in the engines' configuration are open"),
        ("anothers_configuration", 'if before is not None and not before.startswith(_OURS.partition("\\n")[0]):', "if False:",
         "a configuration that a person wrote is replaced"),
    ]),
    *of("master/deploy/secret_store.py", "unit/master/deploy/test_secret_store.py", [
        ("readable_secrets", "write_atomically(file, text, 0o600, owner=owner, once=once)", "write_atomically(file, text, 0o644, owner=owner, once=once)",
         "every secret of the pool is open on the master"),
        ("open_secret_folder", "        new.mkdir(mode=0o700)\n", "        new.mkdir(mode=0o755)\n",
         "the names of the secrets are open on the master"),
    ]),
    *of("node/hold.py", "unit/node/test_node.py", [
        ("unreadable_hold_file", 'return Unknown(f"the hold file {file} cannot be read: {problem}")', "return None",
         "a hold that cannot be read is none"),
        ("touched_hold", 'return Hold("touched by hand", since=touched)', "return None",
         "a hold that was set by touch is none"),
    ]),
    *of("node/disks.py", "unit/node/test_disks.py", [
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
    *of("node/mounts.py", "unit/node/test_fstab.py", [
        ("line_before_the_mount", "if written := write_fstab(entry, fstab, ours=ours, test=True):",
         "if written := write_fstab(entry, fstab, ours=ours, test=test):",
         "a mount that is refused hides the very files at the next boot"),
        ("another_s_line_goes", "others = [e for e in map(_entry, old) if e and not is_ours(e)]",
         "others = [e for e in map(_entry, old[-1:]) if e and not is_ours(e)]",
         "the line of another disk at the same mount point is deleted"),
        ("slash_is_another_place", "written = os.path.normpath(entry.mount_point)", "written = entry.mount_point",
         "a second line mounts over the first at the next boot"),
    ]),
    *of("minion/mounts.py", "unit/minion/test_mounts.py", [
        ("waits_for_what_stays_stopped", "if declared is None or declared.started is not False:", "if True:",
         "a volume that is to stay stopped is False for ever"),
    ]),
]  # fmt: skip
