"""Read the pool as this node sees it, plan it, and hold it."""

import time

from salt.exceptions import CommandExecutionError
from salt.pillar import get_pillar

from salt_gluster import node
from salt_gluster.errors import SpecError, errors_as
from salt_gluster.minion import report as minion_report
from salt_gluster.minion.context import Minion
from salt_gluster.model import plain
from salt_gluster.render import state_return
from salt_gluster.spec import values

__virtualname__ = "gluster"


def __virtual__():
    return __virtualname__


def status():
    """
    Return what this node knows of its pool: nodes, volumes, health, space, what is unknown.

    Works on any pool, with no pillar. The whole pool's view is ``salt-run gluster.status``.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.status
    """
    with errors_as(CommandExecutionError):
        return minion_report.node_status(_minion())


def health():
    """
    Return each volume's health word and why, and the word for the whole.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.health
    """
    with errors_as(CommandExecutionError):
        seen = minion_report.node_status(_minion())
        volumes = seen["volumes"]
        words = {n: {"word": v["word"], "why": v["why"]} for n, v in volumes.items() if "word" in v}
        return {"word": seen["exit_word"], "volumes": words, "unknown": seen["unknown"]}


def report():
    """
    Return this node's report: what it sees of the pool, and its own bricks.

    The runners add the reports of all nodes up.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt 'g*' gluster.report
    """
    with errors_as(CommandExecutionError):
        return minion_report.report_of(_report_minion())


def impact(nodes=None, bricks=None):
    """
    Return what each volume would be without these nodes and bricks, from this node's view.

    Changes: no. Takes the cluster lock: no.

    nodes
        Names, comma separated or as a list; without any and without bricks this node itself.
    bricks
        ``HOST:PATH``, comma separated or as a list.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.impact nodes=g2
    """
    with errors_as(CommandExecutionError):
        lost, gone = values.words(nodes, "nodes"), values.words(bricks, "bricks")
        return minion_report.impact_from_here(
            _minion(), lost or ([] if gone else [__opts__["id"]]), gone
        )


def can_stop():
    """
    Return whether this node may go down without any volume going down or being put at risk.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.can_stop
    """
    volumes = impact()
    bad = {v: t for v, t in volumes.items() if t["word"] not in ("ok", "degraded")}
    return {"can_stop": not bad, "why": {v: f"{t['word']}: {t['why']}" for v, t in bad.items()}}


def version():
    """
    Return the version of GlusterFS on this node.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt 'g*' gluster.version
    """
    return plain(_minion(declared=False).driver().version())


def op_version():
    """
    Return the op-version that the pool runs at.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.op_version
    """
    with errors_as(CommandExecutionError):
        return minion_report.op_version(_minion(declared=False))


def plan():
    """
    Return what the pillar would change as seen from here, by subject, with what forbids it.

    Changes: no. Takes the cluster lock: only to read a volume's bricks.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.plan
    """
    with errors_as(CommandExecutionError):
        return minion_report.plans(_minion(fresh=True))


def apply_plan(plan_id, accept=None, reason=""):
    """
    Carry out the plan with this id, with the refusals that an operator accepted. One id, one plan.

    Changes: yes. Takes the cluster lock: yes.

    plan_id
        As ``gluster.plan`` and a refused state print it.
    accept
        Names of the refusals that are accepted, comma separated or as a list.
    reason
        Why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.apply_plan 4c1e90ab accept=pool_whole reason='g3 is being rebuilt'
    """
    with errors_as(CommandExecutionError):
        minion = _minion(fresh=True)
        accepted = values.words(accept, "accept")
        subject, outcome = minion_report.apply_plan(minion, str(plan_id), accepted, reason)
    return state_return(subject, outcome, test=minion.test)


def explain(volume):
    """
    Return why each brick of a declared volume lies, or would lie, where it does.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster.explain data
    """
    with errors_as(CommandExecutionError):
        return minion_report.explain_volume(_minion(fresh=True), volume)


def hold(reason, by=""):
    """
    Stop every change of the pool that this node would make, until it is released.

    ``held`` is what the node's file says afterwards: with ``test: True`` in the minion's
    configuration nothing is written, and the exit code is 1.

    Changes: yes, a file of this node. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt 'g*' gluster.hold 'moving the rack' by=ann
    """
    with errors_as(CommandExecutionError):
        before = plain(node.read_hold())
        if not __opts__.get("test"):
            node.write_hold(str(reason), str(by), time.time())
        return _held(before, str(reason), wanted=True)


def release():
    """
    Take the hold of this node off. ``held`` is what the node's file says afterwards.

    Changes: yes, a file of this node. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt 'g*' gluster.release
    """
    with errors_as(CommandExecutionError):
        before = plain(node.read_hold())
        if before is not None and not __opts__.get("test"):
            node.remove_hold()
        return _held(before, None, wanted=False)


def _held(before, new, *, wanted):
    """Return what has changed or would, and whether the node is held now."""
    held = node.read_hold()
    changes = {} if before is None and new is None else {"hold": {"old": before, "new": new}}
    if (held is not None) == wanted:
        return {"changes": changes, "held": plain(held)}
    __context__["retcode"] = 1
    why = "`test: True` is set in this minion's configuration: nothing was written"
    return {"changes": changes, "held": plain(held), "test": True, "comment": why}


def _minion(declared=True, fresh=False):
    """``fresh``: with the pillar as it is now, not as it was when the minion last refreshed it."""
    pillar = __pillar__ if declared else None
    if fresh and __opts__.get("file_client") != "local":
        env = __opts__.get("pillarenv")
        compiler = get_pillar(__opts__, dict(__grains__), __opts__["id"], pillarenv=env)
        pillar = compiler.compile_pillar()
    return Minion(__opts__, __salt__, __context__, pillar)


def _report_minion():
    """Without a declaration where that is wrong: a report tells what is there all the same."""
    try:
        return _minion()
    except SpecError:
        return _minion(declared=False)
