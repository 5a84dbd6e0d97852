"""Show the whole pool, hold and release it, and set the master up."""

import functools
import os
import pwd
import subprocess
from pathlib import Path

import salt.client
import salt.config
import salt.utils.yaml
from salt.utils.user import get_specific_user

from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import SpecError, or_error
from salt_gluster.master import (
    approvals,
    config_file,
    config_history,
    declaration,
    jobs,
    journal,
    minions,
    pillar_source,
    plans,
)
from salt_gluster.master import hold as master_hold
from salt_gluster.master import status as master_status
from salt_gluster.master.deploy import rights
from salt_gluster.master.operator import operator_name
from salt_gluster.render import render_diff, render_explained, render_history
from salt_gluster.spec import values

__virtualname__ = "gluster"
__func_alias__ = {"import_": "import"}

#: salt-run tells the master's bus how a runner ended, and on 3006 dies with a traceback where that
#: bus has been restarted: the restart waits until salt-run is gone, 10 s at most.
_RESTART = (
    "sh", "-c", "for i in $(seq 50); do kill -0 $1 2>/dev/null || break; sleep 0.2; done;"
    f" exec {config_file.RESTART}", "sh",
)  # fmt: skip
_QUIET = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
_DUMP = functools.partial(salt.utils.yaml.safe_dump, default_flow_style=False, sort_keys=False)


def __virtual__():
    return __virtualname__


def status(target="*", live=False):
    """
    Show the pool: the verdict, what needs you, the evidence, and what is unknown.

    Works on any pool, with no pillar and no Consul. Writes nothing and takes no lock.
    ``--out json`` gives the data. The exit code is the one it prints: 0 ok, 1 degraded, 2 down or
    data at risk, 3 unknown, also where nobody answers.

    Where the pool is watched through Consul, what its nodes have told there is shown, with its age:
    nobody is asked, however often this is called. A node whose word is too old is unknown. The
    nodes are asked where nobody leads, where the age of a report is not known, and after a change
    made by salt-gluster until every node has looked again; ``SOURCE`` says so. What changes by
    itself or by hand is in the copy within some seconds.

    target
        The minions to ask, if not all; those without Gluster do not matter.
    live
        Ask the nodes in any case: for 15 s where one of them is down.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.status
        salt-run gluster.status live=True
    """
    more = {"reader": __opts__["id"], "live": bool(live), "as_data": __opts__.get("output")}
    pool = approvals.find(__opts__, reports=not live and target == "*")
    return or_error(lambda: master_status.status(_ask, target, pool, **more), code=3)


def check(target="*", live=False):
    """
    Show the pool in one line with performance data, for Nagios, Icinga and any other monitor.

    The form is that of the Monitoring Plugins, and so is the exit code: 0 ok, 1 warning (degraded),
    2 critical (down, or data at risk), 3 unknown, also where nobody answers. What is not known has
    the value ``U``. From where, how fresh and at what cost is as with ``gluster.status``.

    target, live
        As with ``gluster.status``.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.check
    """
    more = {"reader": __opts__["id"], "live": bool(live)}
    pool = approvals.find(__opts__, reports=not live and target == "*")
    return master_status.check(_ask, target, pool, **more)


def plan(target="*"):
    """
    Show what the pillar would change in the pool, with plan ids and what forbids them.

    The exit code is 1 where a plan is refused.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.plan
    """
    as_data = __opts__.get("output")
    return or_error(lambda: plans.plans(_ask, target, as_data=as_data))


def impact(node=None, brick=None, target="*"):
    """
    Show what the loss of nodes or bricks would do to each volume.

    node
        Names, comma separated.
    brick
        ``HOST:PATH``, comma separated.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.impact node=g3
    """
    as_data = __opts__.get("output")

    def shown():
        lost, gone = values.words(node, "node"), values.words(brick, "brick")
        return plans.impact(_ask, target, lost, gone, as_data=as_data)

    return or_error(shown)


def explain(volume=None, node=None, target="*"):
    """
    Show why a volume's bricks lie where they do, or why automation acts or does not on a node.

    Of a volume each brick with its reason; of a node the evidence, the table's row with its why,
    and every guard's answer.

    volume
        A volume of the pillar.
    node
        A node's name, minion id or gluster uuid; needs Consul. ``--out json`` gives the data.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.explain volume=data
        salt-run gluster.explain node=g3
    """
    if node is None:
        return or_error(lambda: plans.explain(_ask, target, volume))
    return or_error(lambda: _explained(str(node), __opts__.get("output")))


def _explained(name, as_data):
    return journal.shown(
        __opts__, lambda at: journal.explain(at, name), render_explained, as_data=as_data
    )


def history(limit=20):
    """
    Show the versions of the pool's configuration, newest first: who, when, why, what changed.

    What was declared and accepted, and what the pool really was: members, volumes, bricks in their
    order, options. What was done by hand stands there too, by ``unknown``. Needs Consul and a
    leader. ``--out json`` gives the data.

    limit
        How many.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.history
    """
    return _asked(lambda at: config_history.history(at, limit), render_history)


def diff(a=None, b=None):
    """
    Show what differs between two versions of the configuration.

    a, b
        Numbers of ``gluster.history``; by default the last two, with one of them that one and the
        last.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.diff
        salt-run gluster.diff 4 7
    """
    return _asked(lambda at: config_history.diff(at, _number(a), _number(b)), render_diff)


def export(version=None, actual=False):
    """
    Show what is declared as a pillar to put into a file: a backup, or the way to another master.

    What nodes have submitted and the leader has accepted. Needs Consul; changes nothing.
    ``--out yaml`` and ``--out json`` give the data.

    version
        A number of ``gluster.history``; by default what is in force.
    actual
        Also what the pool really was by then: members, volumes, bricks, options, file systems.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.export > /srv/pillar/gluster.sls
        salt-run gluster.export version=3 actual=True --out json
    """

    def ask(at):
        data = declaration.export(at, _number(version), actual=bool(actual))
        return data if __opts__.get("output") else declaration.as_file(at.cluster, data, _DUMP)

    return or_error(lambda: _in_consul(ask))


def import_(file="", version=None, reason="", by="", test=False):
    """
    Put a declaration into Consul, for nodes whose pillar comes from there.

    It is checked like a pillar first; of a wrong one nothing is written, and the key is named.
    What differs from the last one is shown. Nodes get it after ``gluster.setup
    pillar_from=consul``, with their next highstate.

    file
        A file on this master: YAML with the key ``gluster``, as ``gluster.export`` shows it.
    version
        Instead of a file: what was declared by that version of ``gluster.history``.
    reason
        Why; needed to write.
    by
        Who says so, if it is another one: Salt's user and this machine are written all the same.
    test
        Only show what differs.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.import /srv/pool.yml test=True
        salt-run gluster.import /srv/pool.yml reason='a volume for backups'
        salt-run gluster.import version=3 reason='back to what it was'
    """
    request = declaration.ImportRequest(
        str(reason), operator_name(get_specific_user(), by), bool(test)
    )

    def ask(at):
        changes = declaration.import_declaration(at, _wanted(at, file, _number(version)), request)
        pillar_source.keep_up(__opts__)
        return changes

    return or_error(lambda: _in_consul(ask))


def _in_consul(ask):
    with PoolClient(approvals.settings_of(__opts__)) as at:
        return ask(at)


def _wanted(at, file, version):
    if bool(file) == (version is not None):
        raise SpecError("file", "either a file or a version is brought in.",
                        hint="salt-run gluster.import FILE, or version=3.")  # fmt: skip
    if version is not None:
        return declaration.export(at, version, actual=False)["gluster"]
    try:
        text = Path(file).read_text(encoding="utf-8")
        return declaration.body_of(salt.utils.yaml.safe_load(text))
    except OSError as err:
        raise SpecError("file", f"{file} cannot be read: {err.strerror}.") from err
    except (UnicodeError, salt.utils.yaml.YAMLError) as err:
        raise declaration.no_yaml(file, getattr(err, "problem_mark", None)) from None


def _number(value):
    if value is None or str(value).isdecimal():
        return None if value is None else int(value)
    raise SpecError("version", f"{value!r} is no number of gluster.history.")


def _asked(ask, render):
    as_data = __opts__.get("output")
    return or_error(lambda: journal.shown(__opts__, ask, render, as_data=as_data))


def hold(reason="", by="", target="*"):
    """
    Stop every change of the pool, by states, runners and automation, until it is released.

    The hold is written on every node and, where the pool is in Consul, there too. Says where it is
    written and where it could not be; the exit code is 1 then. Salt's user and this machine are
    written with it, beside the name in ``by``.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.hold 'moving the rack' by=ann
    """
    who = operator_name(get_specific_user(), by)
    return or_error(
        lambda: master_hold.hold(_ask, target, str(reason), who, approvals.find(__opts__))
    )


def release(target="*", by=""):
    """
    Take the hold off all nodes and out of Consul; says where it could not be.

    by
        Who says so, if it is another one: Salt's user and this machine are written all the same.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.release
    """
    who = operator_name(get_specific_user(), by)
    return or_error(lambda: master_hold.release(_ask, target, who, approvals.find(__opts__)))


def setup(test=False, remove=False, restart=False, pillar_from=None):
    """
    Write the one file that a master needs, and prepare a Consul for the pool where there is none.

    The file: the engine, the reactor, the formula as a file root, the nodes' pillar. It never
    touches a file that it did not write, keeps what the master has under the same keys, and says
    what to restart. For Consul see ``gluster_consul.prepare``: without a pool in any minion's
    pillar that part waits, and this is run again later.

    test
        Only show what would be written.
    remove
        Take the file away again, this machine's Consul agent, and this master's webhook on the
        nodes. The secrets of a Consul that was prepared stay, and it says where.
    restart
        Restart the master when this command has ended; it then takes some seconds to be back.
    pillar_from
        ``consul``: nodes have the pillar key ``gluster`` from Consul, where ``gluster.import`` has
        put it. ``files``: from pillar files. By default it stays as it is, which is ``files``.

    CLI Example:

    .. code-block:: bash

        salt-run gluster.setup test=True
        salt-run gluster.setup restart=True
        salt-run gluster.setup pillar_from=consul restart=True
    """
    return or_error(lambda: _set_up(test, remove, restart and not test, pillar_from))


def _set_up(test, remove, restart, pillar_from):
    if not remove:
        pillar_source.refuse_ext_pillar_first(__opts__)
    folder = Path(__opts__["conf_file"]).parent
    rights.refuse_unwritable((folder / "master.d", folder / "gluster"))
    changes = _write_file(test, remove, _source(pillar_from))
    consul = __salt__["gluster_consul.remove" if remove else "gluster_consul.prepare"](test=test)
    changes = {**changes, **consul.pop("changes", {})}
    stale = any(
        key.startswith(str(folder)) for key in changes
    )  # what a master reads when it starts
    answer = {"changes": changes, "test": test, "then": config_file.RESTART if stale else ""}
    if restart and rights.is_root():
        subprocess.Popen([*_RESTART, str(os.getpid())], start_new_session=True, **_QUIET)
        answer["then"] = "the master restarts now"
    return {**answer, **{key: row for key, row in consul.items() if row}}


def _source(asked):
    """Return where nodes shall have their declaration from; from Consul only what is there."""
    if asked is None:
        own, others, _ = _configuration()
        return config_file.pillar_from(others if "ext_pillar" in others else own, __opts__)
    if asked not in (config_file.FILES, config_file.CONSUL):
        raise SpecError("pillar_from", f"{asked!r} is neither consul nor files.")
    if asked == config_file.CONSUL:
        pillar_source.Source(__opts__).read()
    return asked


def _write_file(test, remove, source):
    own, others, file = _configuration()
    roots = salt.config.DEFAULT_MASTER_OPTS["file_roots"]
    todo = config_file.Setup(file, own, others, roots, source, _owner())
    changes = todo.bring_about(_DUMP, test=test, remove=remove)
    if not (test or remove):
        lost = config_file.not_in_effect(salt.config.master_config(__opts__["conf_file"]), source)
        if lost:
            raise config_file.overridden(lost, file)
    return changes


def _owner():
    """Return user and group of the master."""
    user = pwd.getpwnam(__opts__.get("user") or "root")
    return user.pw_uid, user.pw_gid


def _configuration():
    """Return what the master's own file and the other files of master.d say, and our file."""
    path = str(__opts__["conf_file"])
    own = salt.config.load_config(path, "", salt.config.DEFAULT_MASTER_OPTS["conf_file"])
    folder = Path(path).parent
    ours = folder / "master.d" / config_file.NAME
    pattern = own.get("default_include", salt.config.DEFAULT_MASTER_OPTS["default_include"])
    inside = str(pattern).removeprefix(f"{folder}/")  # Path.glob takes no absolute one
    files = [str(f) for f in sorted(folder.glob(inside)) if f != ours]
    return own, salt.config.include_config(files, path, verbose=False), ours


def _ask(target, function, *arguments):
    """Ask minions; what they return, by minion."""
    with salt.client.get_local_client(mopts=__opts__) as client:
        return jobs.ask(client, target, function, arguments, silence_s=minions.SILENCE_S)
