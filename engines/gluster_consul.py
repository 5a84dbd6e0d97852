"""Watch the pool through Consul: on a master lead (or stand by), on a node be its sensor.

``engines: [reactor, gluster_consul: {}]`` is enough; ``salt-run gluster.setup`` writes it. Where
Consul is comes from the arguments, else from ``gluster_consul: {address, token, ca, cluster}`` of
the configuration, else from ``CONSUL_HTTP_ADDR`` and its like; without any it is the agent on this
machine, on a master with what ``gluster.setup`` has made for it.
"""

import json
import logging
import os
import signal
import threading
from pathlib import Path

import salt.client
import salt.utils.event

from salt_gluster.master import approvals, jobs
from salt_gluster.node.files import append_line

log = logging.getLogger(__name__)

__virtualname__ = "gluster_consul"


def __virtual__():
    return __virtualname__


def start(address=None, token=None, ca=None, cluster=None, metrics=None):
    """
    Run for ever. Salt starts an engine that ends again after 10 s: it goes on where it was.

    On a master it serves ``/metrics`` for Prometheus on 127.0.0.1:9713, where prometheus_client is
    installed: ``metrics: {address, port}``, or ``metrics: false``. On a node ``metrics: {textfile:
    PATH}`` writes a file for node_exporter.

    Changes: yes, documents in Consul; of the pool nothing by itself. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: yaml

        engines:
          - reactor
          - gluster_consul: {}
    """
    given = {"address": address, "token": token, "ca": ca, "cluster": cluster}
    given = {name: value for name, value in given.items() if value}
    given.update({} if metrics is None else {"metrics": metrics})

    def settings():
        return {**approvals.settings_of(__opts__), **given}

    if __opts__.get("__role") == "master":
        _lead(settings(), settings)
    else:
        _sense(settings())


def _lead(settings, anew):
    """Lead or stand by; ``anew`` gives the settings with the token that the secrets have by now."""
    from salt_gluster.consul.client import connect
    from salt_gluster.master.engine import Engine

    def client(timeout_s):
        more = {} if timeout_s is None else {"timeout_s": timeout_s}
        return connect(settings, anew=anew, **more)

    cluster = str(settings.get("cluster") or "main")
    journal = Path(__opts__["log_file"]).parent / f"gluster-{cluster}.jsonl"
    engine = Engine(
        client, cluster, __opts__["id"], _MasterBus(__opts__), journal=_Journal(journal).add
    )
    _on_sigterm(engine.watches.stop)
    _serve(engine, settings.get("metrics"), anew)
    engine.run()


def _serve(engine, wanted, settings):
    """Serve ``/metrics`` unless that is turned off."""
    from salt_gluster.consul.pool import PoolClient
    from salt_gluster.master.metrics import Exporter, begin

    def pool():
        return PoolClient(settings(), reports=True)

    begin(Exporter(pool, engine.figures, engine.name), wanted)


def _sense(settings):
    from salt_gluster.minion.automation import sensor

    stop = threading.Event()
    _on_sigterm(stop.set)
    sensor.run(settings, __opts__["id"], stop=stop)


def _on_sigterm(clean_up):
    """Salt's own handler would end the process without ``finally`` and without ``atexit``."""

    def end(number, frame):
        try:
            clean_up()
        finally:
            os._exit(0)

    signal.signal(signal.SIGTERM, end)


class _Journal:
    """What this engine fired, a line of JSON each: it outlives Consul and Salt."""

    def __init__(self, path):
        self._path = path

    def add(self, event):
        append_line(self._path, json.dumps(event, sort_keys=True, default=str), 0o600)


class _MasterBus:
    """The bus of this master and its minions. ``event.send`` sends nothing in a master's engine."""

    def __init__(self, opts):
        self._opts = opts
        self._events = salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=False)
        self._of_thread = threading.local()

    def fire(self, event):
        return bool(self._events.fire_event(dict(event["data"]), event["tag"]))

    def send(self, minion, function, arguments):
        """Give one minion a job; nobody waits for its answer."""
        self._run(lambda client: client.run_job([minion], function, arg=list(arguments),
                                                tgt_type="list"))  # fmt: skip

    def ask(self, minions, function, arguments, is_over):
        """Return who answered; the silent ones are not looked for."""

        def asked(client):
            job = client.run_job(
                list(minions), function, arg=list(arguments), tgt_type="list", listen=True
            )
            return jobs.collect(client, job, is_over) if job else {}

        return self._run(asked)

    def _run(self, use):
        """Use this thread's client.

        A thread that asks has one client, for as long as it lives: making one costs a loader, and
        each leaves descriptors behind. It listens to the bus only while it waits for answers: what
        nobody reads piles up in the master.
        """
        client = getattr(self._of_thread, "client", None)
        try:
            if client is None:
                client = self._of_thread.client = salt.client.get_local_client(mopts=self._opts)
            return use(client)
        except Exception:
            self._of_thread.client = None  # the next question begins with a new one
            if client is not None:
                client.destroy()
            raise
        finally:
            if client is not None:
                client.event.close_pub()
