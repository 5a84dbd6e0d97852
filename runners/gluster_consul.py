"""Prepare the pool's own Consul, and admit a node to it."""

import copy
import functools
import logging
import pwd
from pathlib import Path

import salt.client
import salt.config
import salt.key
import salt.loader
import salt.pillar
import salt.utils.minions
from salt.exceptions import SaltException

from salt_gluster.errors import GlusterError
from salt_gluster.master import approvals, jobs, pillar_source
from salt_gluster.master.deploy import deployment, exchange, pillar_environment, removal, rights
from salt_gluster.master.rate_limit import RateLimit
from salt_gluster.minion.context import Minion

log = logging.getLogger(__name__)

__virtualname__ = "gluster_consul"

#: A node that is asked for its uuid waits for the answer to its own request meanwhile.
_ANSWER_S = 10
#: The longest that an admission waits for one answer. It takes a slot meanwhile (``_AT_ONCE``), and
#: anybody may say in a minion's name that it still works on it.
_ADMISSION_S = 30.0
#: A minion is looked at no more often: it may ask every 5 s, and others may ask in its name. One
#: that was admitted has its rights; it asks again where Consul has lost them.
_AGAIN_S, _ADMITTED_S = 4.0, 30.0
#: One that is no node, or is silent, is not another one a moment later. Silence takes 20 s to see.
_REFUSED_S, _REFUSED = 10.0, ("not_a_node", "no_identity", "unknown")
#: So many are looked at at a time, whoever they are: anybody may ask in the name of all others.
#: Salt's reactor has 10 threads for everything (``reactor_worker_threads``).
_AT_ONCE = 4


def __virtual__():
    return __virtualname__


def prepare(test=False):
    """
    Prepare a Consul for the pool: servers, secrets, authority, this master's own agent.

    ``gluster.setup`` does it with the rest. The nodes get theirs with their next highstate. Where a
    Consul answers here already, or the configuration names one, nothing is done: that one is used.
    Once made, secrets and servers stay; of servers that have left the pool one is exchanged a time.

    Changes: yes, on this master. Takes the cluster lock: no.

    test
        Only show what would be done.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_consul.prepare test=True
    """
    try:
        changes, comment = deployment.set_up(_master(), test=test)
        return {"changes": changes, "comment": comment}
    except (GlusterError, OSError) as err:
        return {"error": str(err), "retcode": 1}


def remove(test=False):
    """
    Take this machine's Consul agent away, and this master's webhook on the nodes.

    ``gluster.setup remove=True`` does it with the rest. The agent of a machine that is a node of
    the pool stays, and so does the pool's Consul with its secrets.

    Changes: yes, on this master and in the nodes' webhooks. Takes the cluster lock: no.

    test
        Only show what would be done.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_consul.remove test=True
    """
    try:
        changes, comment = removal.remove(_master(), test=test)
        return {"changes": changes, "comment": comment}
    except (GlusterError, OSError) as err:
        return {"error": str(err), "retcode": 1}


def exchange_gossip_key(test=False):
    """
    Exchange the key by which Consul's agents encrypt their gossip, while all of them run.

    Every agent must answer: one that is away would come back with the old key and never join. No
    agent is restarted. A Consul server's minion does it; the new key is in its pillar meanwhile and
    in no job. Interrupted, run it again: it goes on. The nodes' configuration gets the new key with
    their next highstate.

    Changes: yes, the pool's Consul and its secrets. Takes the cluster lock: no.

    test
        Only show what would be done.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_consul.exchange_gossip_key
    """
    cluster = str(approvals.configured(__opts__).get("cluster") or "")
    try:
        conf_file = str(__opts__["conf_file"])
        changes = deployment.exchange_gossip_key(conf_file, cluster, _ask, test=bool(test))
        return {"changes": changes, "test": bool(test)}
    except (GlusterError, OSError) as err:
        return {"error": str(err), "retcode": 1}


def exchange_secrets(test=False):
    """
    Exchange the gossip key, and each node's tokens and certificate, while everything runs.

    New ones are granted beside the former; each node's minion takes them from its pillar, and the
    former go when it was seen with the new ones. A node that is away keeps its own and is named
    below ``left``: run this again when it is there, it goes on with what is left. The tokens of the
    master's own engine and agent, and of the webhook, stay.

    Changes: yes, the pool's Consul, its secrets and its nodes. Takes the cluster lock: no.

    test
        Only show what would be done.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_consul.exchange_secrets
    """
    cluster = str(approvals.configured(__opts__).get("cluster") or "")
    try:
        conf_file = str(__opts__["conf_file"])
        changes, left = exchange.exchange_secrets(conf_file, cluster, _ask, test=bool(test))
        done = {"changes": changes, "left": left, "test": bool(test)}
        return {**done, "retcode": 1} if left else done
    except (GlusterError, OSError) as err:
        return {"error": str(err), "retcode": 1}


def admit(minion, uuid=""):
    """
    Give a node its rights in the pool's Consul: its agent, its own keys, its service.

    The shipped reactor calls this when a node asks. Admitted is who the pillar names as a node, by
    the gluster uuid that it says itself; two nodes with one uuid are refused. However often it is
    called, of one minion the pillar is compiled every 4 s at most, and of 4 minions at a time.

    Changes: yes, policies and tokens in Consul. Takes the cluster lock: no.

    minion
        The minion id, as Salt has authenticated it.
    uuid
        The uuid that its glusterd must have. Without it the one that the minion says counts.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_consul.admit g1 6a1c9a3e-0c5e-4b7e-9b86-6d1f5b1d2c11
    """
    asked = (str(minion), str(uuid))
    if asked[0] not in _minions():  # costs a look into a folder, not a pillar
        return {"error": f"{minion} is no minion that this master has accepted.", "retcode": 1}
    limit = RateLimit(Path(__opts__["cachedir"]) / "gluster" / "admit")
    with limit.slot(_AT_ONCE) as is_free:
        if not is_free:
            return {"error": f"{_AT_ONCE} other minions are looked at just now.", "retcode": 1}
        if not limit.begin(asked[0], _AGAIN_S):
            return {"error": f"{minion} was looked at a moment ago.", "retcode": 1}
        return _admitted(limit, *asked)


def _admitted(limit, minion, uuid):
    """Look at a minion and admit it."""
    try:
        says = functools.partial(_identity_of, minion)
        pillar = _pillar(lambda: [minion], {}, minion)
        done = deployment.admit(__opts__["conf_file"], minion, uuid, pillar, says, _minions)
        limit.pause(minion, _ADMITTED_S)
        return done
    except (GlusterError, OSError) as err:
        if getattr(err, "kind", "") in _REFUSED:
            limit.pause(minion, _REFUSED_S)
        log.warning("%s was not admitted to Consul: %s", minion, err)
        return {"error": str(err), "retcode": 1}


def _ask(minions, function, *arguments, **how):
    """Ask minions; what they return, by minion, nothing where the master does not run."""
    try:
        with salt.client.get_local_client(mopts=__opts__) as client:
            return jobs.ask(client, list(minions), function, arguments, silence_s=_ANSWER_S, **how)
    except SaltException as err:
        log.info("no minion could be asked: %s", err)
        return {}


def _identity_of(minion, nonce, believes):
    how = {"believes": believes, "limit_s": _ADMISSION_S}
    return _ask([minion], "gluster_consul.identity", nonce, **how).get(minion)


def _master():
    user = __opts__.get("user") or "root"
    owner = pwd.getpwnam(user)
    return deployment.Master(
        conf_file=str(__opts__["conf_file"]),
        name=str(__opts__["id"]),
        minions=_minions,
        pillar=functools.partial(_pillar, _minions, {}),
        call=_functions,
        configured=approvals.configured(__opts__),
        minion=_own_id(),
        owner=(owner.pw_uid, owner.pw_gid),
        ask=_ask,
        is_root=rights.is_root(),
        events={**(__opts__.get("gluster_events") or {}), **_of_engine("gluster_events")},
    )


def _minions():
    return salt.key.get_key(__opts__).list_keys()["minions"]


def _of_engine(name):
    engines = [e for e in __opts__.get("engines") or () if isinstance(e, dict)]
    return next((e[name] for e in engines if e.get(name)), {})


def _pillar(minions, answers, minion):
    """Compile what a minion gets: its own environment, the grains that the master knows of it.

    The first time that it matters ``minions`` are asked for theirs, into ``answers``.
    """
    pillar_source.refuse_ext_pillar_first(__opts__)

    def told(name):
        if name not in answers:
            answers[name] = _ask(minions(), "config.get", name, limit_s=_ADMISSION_S)
        return answers[name]

    def own():
        saltenvs = told("saltenv") if __opts__.get("pillarenv_from_saltenv") else {}
        return pillar_environment.own_environment(told("pillarenv"), minion, __opts__, saltenvs)

    known = pillar_environment.environments(__opts__)
    return pillar_environment.compiled(known, own, functools.partial(_compile, minion))


def _compile(minion, environment):
    grains = salt.utils.minions.get_minion_data(minion, __opts__)[1] or {"fqdn": minion}
    opts = {**__opts__, "pillar_roots": copy.deepcopy(__opts__["pillar_roots"])}
    of = {**grains, "id": minion}
    return salt.pillar.Pillar(opts, of, minion, "base", pillarenv=environment).compile_pillar()


def _own_id():
    """Return the name of the minion on this machine, "" where none is configured."""
    folder = Path(__opts__["conf_file"]).parent
    if not any((folder / name).exists() for name in ("minion", "minion_id")):
        return ""
    return str(salt.config.minion_config(str(folder / "minion"))["id"])


def _functions():
    """Return the execution functions of this machine, as its minion would have them."""
    folder = Path(__opts__["conf_file"]).parent
    opts = salt.config.minion_config(str(folder / "minion"))
    opts.update(file_client="local", enable_gpu_grains=False, enable_fqdns_grains=False)
    opts["grains"] = salt.loader.grains(opts)
    functions = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    return Minion(opts, functions, {}).call
