"""Ensure this node's Consul agent, its registration and its sensor."""

import os
import subprocess
from functools import partial
from pathlib import Path

import salt.config
import salt.utils.yaml

from salt_gluster.minion.automation import consul_agent, engine_config
from salt_gluster.minion.context import Minion
from salt_gluster.render import state_dict, state_or_error
from salt_gluster.spec.values import plain

__virtualname__ = "gluster_consul"

_QUIET = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def __virtual__():
    return __virtualname__


def agent(name, **kwargs):
    """
    Ensure the Consul agent of this node: program, configuration, secrets, service.

    ``salt-run gluster.setup`` decides which nodes are servers and makes the secrets; the pillar
    brings them. An existing Consul, one that answers here or that the configuration names, is left
    as it is. Nothing is done where there is neither.

    Changes: yes, the agent and its files. Takes the cluster lock: no.

    .. code-block:: yaml

        consul-agent:
          gluster_consul.agent: []
    """
    minion = partial(Minion, __opts__, __salt__, __context__, __pillar__)
    return state_or_error(name, lambda: consul_agent.deployed(name, minion(), _own_pillar()))


def registered(name, needed=True, **kwargs):
    """
    Ensure that this node stands in Consul with its service, meta and checks, and tells its report.

    The first of ``nodes`` makes the canary, once for ever: a Consul that has lost it is reported as
    wiped by every node that saw it, and is not filled again. In the pool's own Consul the master
    admits a node first: the state asks for that and waits.

    needed
        ``False`` is for a highstate that must not depend on Consul: one that was there and does not
        answer is a warning then, and none at all is fine.

    Changes: yes, in Consul. Takes the cluster lock: no.

    .. code-block:: yaml

        in-consul:
          gluster_consul.registered: []
    """
    from salt_gluster.minion.automation import registration

    def ensure():
        minion = Minion(__opts__, __salt__, __context__, __pillar__)
        return registration.registered(name, minion, minion.consul, _own_pillar(), needed=needed)

    return state_or_error(name, ensure)


def sensor(name, **kwargs):
    """
    Ensure that this minion runs the engine that watches its node, where the node is in Consul.

    The minion is restarted once, in the background, when the state run has ended.

    Changes: yes, a file below ``minion.d``. Takes the cluster lock: no.

    .. code-block:: yaml

        consul-sensor:
          gluster_consul.sensor: []
    """
    return state_or_error(name, lambda: _sensor(name))


def _sensor(name):
    from salt_gluster.minion.automation.registration import load_registration

    ret = state_dict(name, True, {}, "the sensor is configured")
    if load_registration() is None and not _own_pillar():
        return {**ret, "comment": consul_agent.NONE}
    file, own, others = _configuration()
    dump = salt.utils.yaml.safe_dump
    text = engine_config.wanted(own, others, dump)
    ret["changes"] = engine_config.bring_about(file, text, test=__opts__["test"])
    if ret["changes"] and __opts__["test"]:
        return {**ret, "result": None, "comment": "would be written; the minion would be restarted"}
    if ret["changes"]:
        _restart_later()
        ret["comment"] = f"{file} is written; the minion is restarted when this run has ended"
    return ret


def _restart_later():
    """Restart this minion once this job has reported; outside its unit, which ends with it."""
    scope = ["systemd-run", "--scope", "--quiet"] if __salt__["cmd.has_exec"]("systemd-run") else []
    words = [*scope, *engine_config.RESTART, str(os.getpid())]
    subprocess.Popen(words, start_new_session=True, **_QUIET)


def _configuration():
    """Return our file, what the minion's own file and the other files of minion.d say."""
    path = str(__opts__["conf_file"])
    defaults = salt.config.DEFAULT_MINION_OPTS
    own = salt.config.load_config(path, "", defaults["conf_file"])
    folder = Path(path).parent
    ours = folder / "minion.d" / engine_config.NAME
    inside = str(own.get("default_include", defaults["default_include"])).removeprefix(f"{folder}/")
    files = [str(f) for f in sorted(folder.glob(inside)) if f != ours]
    return ours, own, salt.config.include_config(files, path, verbose=False)


def _own_pillar():
    """Return what the master, or the pillar itself, tells this node of Consul; {} = nothing."""
    own_pillar = plain(__pillar__.get("gluster_consul") or {})
    return own_pillar if isinstance(own_pillar, dict) else {}
