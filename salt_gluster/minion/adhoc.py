"""What a person orders by ``salt …``: one change, with the brakes and the executor of the states.

An order returns ``changes`` and ``comment``, in test mode those of the run. What was refused, or
waits for another node, raises: who orders by name has to know that it was not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from salt_gluster import plan
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster.commands import command
from salt_gluster.minion import apply, converge
from salt_gluster.minion.context import Minion
from salt_gluster.model.pool import Observation, Plan, is_known
from salt_gluster.plan import adhoc
from salt_gluster.plan.actions import ACTIONS
from salt_gluster.plan.outcome import Outcome, Planner
from salt_gluster.render import as_declared, state_return
from salt_gluster.spec import VolumeSpec, check_host, parse_volume
from salt_gluster.spec.option import full_name

#: Seconds to wait for other nodes: somebody sits there and waits for the answer.
WAIT_S = 20.0


def carried_out(
    subject: str,
    minion: Minion,
    planner: Planner,
    run: Callable[..., Outcome] | None = None,
) -> dict[str, Any]:
    """Forecast or carry out a plan; return its changes and a comment.

    Raises ``GlusterError`` with the words of a state's comment when it was not all done.
    """
    outcome = (run or _converge)(minion, planner)
    ret = state_return(subject, outcome, test=minion.test)
    if ret["result"] is False or outcome.plan.waits:
        raise GlusterError(ret["comment"], kind="refused" if outcome.refused else "not_done")
    if outcome.first.is_empty:
        ret["comment"] = _nothing(subject, minion, outcome.first)
    return {"changes": ret["changes"], "comment": ret["comment"]}


def _converge(minion: Minion, planner: Planner) -> Outcome:
    return minion.run(planner, wait_s=WAIT_S, preview=False)  # no glusterd is started by an order


def _once(minion: Minion, planner: Planner) -> Outcome:
    carry_out = apply.forecast if minion.test else apply.once
    return carry_out(planner, minion.site(preview=False), minion.hosts)


def _nothing(subject: str, minion: Minion, plan: Plan) -> str:
    volumes = minion.reader.volumes()
    volume = volumes.get(plan.subject) if is_known(volumes) else None
    there = f": {as_declared(volume)}" if volume else ""
    return "\n".join([f"{subject}: nothing to do{there}", *plan.notes])


# --- peers ---------------------------------------------------------------------------------------


def probe(minion: Minion, host: str) -> dict[str, Any]:
    """Invite a node into this node's pool, with the rules of the pillar where it names the node."""
    check_host(host, "host")
    pool = minion.pool
    node = pool.node_of(host) if pool else None
    if pool is not None and node is not None:
        return carried_out(f"peer {host}", minion, converge.peer_planner(pool, node))
    nodes = (minion.name, host)
    planner = lambda obs: plan.plan_peer(host, host, obs, nodes=nodes, hosts=nodes)  # noqa: E731
    return carried_out(f"peer {host}", minion, planner)


def detach(minion: Minion, host: str) -> dict[str, Any]:
    """Take a member out of the pool; one that holds bricks or is away is refused."""
    check_host(host, "host")
    return carried_out(f"peer {host}", minion, lambda obs: plan.plan_peer_absent(host, obs))


# --- volumes -------------------------------------------------------------------------------------


def create(
    minion: Minion, name: str, arguments: Mapping[str, Any], *, start: bool
) -> dict[str, Any]:
    """Create a volume of these arguments, or the pillar's of that name without any."""
    declared = minion.volume(name, arguments)
    spec = replace(declared, started=True if start else None)
    planner = converge.volume_planner(spec, minion.pool_of(spec))
    return _volume(minion, name, lambda obs: adhoc.only_create(planner(obs), obs))


def start(minion: Minion, name: str) -> dict[str, Any]:
    """Start a volume and read back that its bricks serve."""
    return _volume(minion, name, lambda obs: plan.plan_started(name, obs, started=True))


def stop(minion: Minion, name: str, confirm: str) -> dict[str, Any]:
    """Stop a volume; ``confirm`` is its id."""
    planner = lambda obs: plan.plan_started(name, obs, started=False, confirm=confirm)  # noqa: E731
    return _volume(minion, name, planner)


def delete(minion: Minion, name: str, confirm: str) -> dict[str, Any]:
    """Stop and delete a volume; ``confirm`` is its id. The files stay on the bricks."""
    planner = lambda obs: plan.plan_volume_absent(name, obs, confirm=confirm)  # noqa: E731
    return _volume(minion, name, planner)


def add_bricks(
    minion: Minion,
    name: str,
    bricks: Any,
    *,
    replica: int | None = None,
    arbiter: bool = False,
    accept_risk: Any = (),
) -> dict[str, Any]:
    """Add sets to a volume, or with a higher ``replica`` a member to each of its sets."""
    body = {"bricks": bricks, "accept_risk": accept_risk or []}
    new = parse_volume(name, body, key=f"volume {name}")
    if not new.bricks:
        raise SpecError("bricks", "no brick is named.", hint="bricks=[g4:/srv/gluster/data/1, …]")
    if replica is not None and (isinstance(replica, bool) or not isinstance(replica, int)):
        raise SpecError("replica", f"expected a number of copies, not {replica!r}")
    names = [f"{b.node}:{b.path}" for b in new.bricks]

    def planner(obs: Observation) -> Plan:
        return adhoc.plan_add_bricks(
            name, names, obs, replica=replica, arbiter=arbiter, accept_risk=new.accept_risk
        )

    return _volume(minion, name, planner)


def profile(minion: Minion, name: str, *, on: bool) -> dict[str, Any]:
    """Start or stop counting the file operations of a volume."""
    return _volume(minion, name, lambda obs: adhoc.plan_profile(name, obs, on=on))


def once(minion: Minion, action: str, name: str, **arguments: Any) -> dict[str, Any]:
    """Carry out one of ``orders.ONCE``."""
    given: dict[str, Any] = {key: value for key, value in arguments.items() if value}
    command(ACTIONS[action].command).words(volume=name, **given)  # before anything is asked
    planner = lambda obs: adhoc.plan_once(action, name, obs, **given)  # noqa: E731
    return carried_out(f"volume {name}", minion, planner, _once)


def _volume(minion: Minion, name: str, planner: Planner) -> dict[str, Any]:
    parse_volume(name, {})  # the name alone: before anything is asked
    return carried_out(f"volume {name}", minion, planner)


# --- options -------------------------------------------------------------------------------------


def set_options(minion: Minion, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Set options of a volume in one call; those that mean the same already are left."""
    if not options:
        raise SpecError("options", "no option is named.", hint="network.ping-timeout=20")
    spec: VolumeSpec = parse_volume(name, {"options": dict(options)}, key=f"volume {name}")
    return carried_out(f"volume {name}", minion, lambda obs: plan.plan_options_of(spec, obs))


def reset_option(minion: Minion, name: str, option: str) -> dict[str, Any]:
    """Give one option its default again."""
    full_name(option, "option")
    return _volume(minion, name, lambda obs: adhoc.plan_reset(name, option, obs))


def named(
    options: Mapping[str, Any] | Sequence[str] | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a call, from a mapping and from keywords; Salt's own are left out."""
    if options is not None and not isinstance(options, Mapping):
        raise SpecError("options", "expected a mapping.", hint="options='{NAME: VALUE}'")
    return {**(options or {}), **{k: v for k, v in more.items() if not k.startswith("__")}}
