"""The edge to this node: /proc, mounts, xattrs, disks, glusterd's files, names and TCP.

No gluster command is run here, and nothing is decided. Callers import from ``salt_gluster.node``,
not from its files:

* ``glusterd``      the identity of this node, when glusterd started, stamps of glusterd's files
* ``definition_files`` volumes as glusterd's files define them, and the stamps of those files
* ``glusterd_copy`` copies of glusterd's configuration, made before it is changed
* ``groups``        the option groups that GlusterFS ships
* ``hold``          the hold file
* ``brick_dirs``    brick directories and what is in them
* ``brick_state``   the facts of this node's own bricks: process, disk, marks
* ``disks``         block devices: which are blank, XFS on one
* ``filesystems``   a file system's own uuid, what the kernel said of its device
* ``cmd_history``   changes of the pool from here: glusterd's history, what we sent
* ``timeouts``      calling what may never return
* ``events_daemon`` GlusterFS's events daemon and its webhooks
* ``change_watch``  noticing that something has changed
* ``mounts``        mountinfo, fstab, mounting
* ``network``       name resolution and TCP probes, with limits
* ``local_state``   one job at a time, records between runs
* ``files``         writing whole or not at all, readable by few only
* ``command``       how a process is run; handed in, so that a test can hand in a recording
"""

from __future__ import annotations

from salt_gluster.node.brick_dirs import (
    brick_path,
    check_path,
    describe_brick,
    inventory,
    make_brick_dir,
    remove_stale_volume_id,
)
from salt_gluster.node.brick_state import WELL, brick_facts
from salt_gluster.node.change_watch import ChangeWatch
from salt_gluster.node.cmd_history import changes, note_sent
from salt_gluster.node.command import CommandResult, Run, run_command
from salt_gluster.node.definition_files import (
    Stamp,
    read_definitions,
    stamp,
    with_thin_arbiters,
)
from salt_gluster.node.events_daemon import (
    Eventsd,
    arrived,
    close_events_folder,
    eventsd,
    send_event,
    write_webhooks,
)
from salt_gluster.node.files import group_of, is_different, write_private
from salt_gluster.node.glusterd import (
    LocalBrick,
    OwnNode,
    brick_runs,
    defined_bricks,
    glusterd_stamps,
    glusterfsd_processes,
    local_bricks,
    observe_node,
)
from salt_gluster.node.glusterd_copy import copy_glusterd_dir
from salt_gluster.node.glusterd_options import known_options
from salt_gluster.node.groups import option_groups
from salt_gluster.node.heal_index import heal_indexes
from salt_gluster.node.hold import HOLD_FILE, read_hold, remove_hold, write_hold
from salt_gluster.node.local_state import LocalState, one_executor, one_job
from salt_gluster.node.mounts import (
    FstabEntry,
    Mount,
    fstab_entry,
    is_mounted,
    mount,
    mount_glusterfs,
    mount_point_of,
    mount_state,
    mounts,
    options_waiting,
    servers_of,
    unmount,
    write_fstab,
)
from salt_gluster.node.network import (
    accepts,
    reaches_from,
    resolve,
    resolve_all,
    strange_address,
)

__all__ = [
    "HOLD_FILE",
    "WELL",
    "ChangeWatch",
    "CommandResult",
    "Eventsd",
    "FstabEntry",
    "LocalBrick",
    "LocalState",
    "Mount",
    "OwnNode",
    "Run",
    "Stamp",
    "accepts",
    "arrived",
    "brick_facts",
    "brick_path",
    "brick_runs",
    "changes",
    "check_path",
    "close_events_folder",
    "copy_glusterd_dir",
    "defined_bricks",
    "describe_brick",
    "eventsd",
    "fstab_entry",
    "glusterd_stamps",
    "glusterfsd_processes",
    "group_of",
    "heal_indexes",
    "inventory",
    "is_different",
    "is_mounted",
    "known_options",
    "local_bricks",
    "make_brick_dir",
    "mount",
    "mount_glusterfs",
    "mount_point_of",
    "mount_state",
    "mounts",
    "note_sent",
    "observe_node",
    "one_executor",
    "one_job",
    "option_groups",
    "options_waiting",
    "reaches_from",
    "read_definitions",
    "read_hold",
    "remove_hold",
    "remove_stale_volume_id",
    "resolve",
    "resolve_all",
    "run_command",
    "send_event",
    "servers_of",
    "stamp",
    "strange_address",
    "unmount",
    "with_thin_arbiters",
    "write_fstab",
    "write_hold",
    "write_private",
    "write_webhooks",
]
