"""Read, check, set and reset the options of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from salt_gluster import plan
from salt_gluster.errors import SpecError, Unreadable
from salt_gluster.gluster.parse.option import parse_volume_get
from salt_gluster.minion.adhoc import run, run_on_volume
from salt_gluster.minion.context import Minion
from salt_gluster.minion.query import Data, ask, volume_of
from salt_gluster.model import Subject, plain
from salt_gluster.plan import adhoc
from salt_gluster.spec import VolumeSpec, option_text, parse_volume
from salt_gluster.spec import option as spec_option
from salt_gluster.spec.option import full_name


def options_set(minion: Minion, name: str) -> dict[str, str]:
    """Return the options that are set on a volume; all others have their default."""
    return dict(volume_of(minion, name).options)


def option_value(minion: Minion, name: str, option: str) -> Data:
    """Return the effective value of one option and whether it is the default."""
    full = spec_option.full_name(option, "option")
    values = ask(minion, "volume_get", parse_volume_get, volume=name, option=full)
    if full not in values:
        raise Unreadable(f"gluster's answer does not name {full}", hint="See gluster volume get.")
    return {"option": full, **plain(values[full])}


def option_check(option: str, value: Any) -> Data:
    """Return whether gluster would take a value, what it means and what the change can do.

    ``hazard`` is that of setting it on a volume with data in three copies and the default.
    """
    try:
        full = spec_option.full_name(option, "option")
        text = option_text(value, full)
        sent = spec_option.check(full, text, full)
    except SpecError as problem:
        return {"valid": False, "option": option, "value": value, "why": str(problem)}
    hazard, why = spec_option.hazard(full, None, sent, holds_data=True)
    meaning = spec_option.normalise(full, sent)
    answer = {"valid": True, "option": full, "value": sent, "means": meaning}
    return {**answer, "hazard": hazard.value, "hazard_why": why}


def option_catalogue(pattern: str) -> dict[str, Data]:
    """Return the options whose full name or part of it matches: type, default, limits, scope."""
    if not isinstance(pattern, str):
        raise SpecError("pattern", f"expected a part of a name, not {pattern!r}", hint="network.*")
    wanted = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    found = {
        name: {**plain(option), "scope": option.scope}
        for name, option in spec_option.catalogue().items()
        if fnmatch(name, wanted)
    }
    if not found:
        raise SpecError("pattern", f"no option matches {pattern[:80]!r}.", hint="network.*")
    return found


def set_options(minion: Minion, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Set options of a volume in one call; those that mean the same already are left."""
    if not options:
        raise SpecError("options", "no option is named.", hint="network.ping-timeout=20")
    spec: VolumeSpec = parse_volume(name, {"options": dict(options)}, key=f"volume {name}")
    return run(Subject("volume", name), minion, lambda obs: plan.plan_options_of(spec, obs))


def reset_option(minion: Minion, name: str, option: str) -> dict[str, Any]:
    """Give one option its default again."""
    full_name(option, "option")
    return run_on_volume(minion, name, lambda obs: adhoc.plan_reset(name, option, obs))


def named(
    options: Mapping[str, Any] | Sequence[str] | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a call, from a mapping and from keywords; Salt's own are left out."""
    if options is not None and not isinstance(options, Mapping):
        raise SpecError("options", "expected a mapping.", hint="options='{NAME: VALUE}'")
    return {**(options or {}), **{k: v for k, v in more.items() if not k.startswith("__")}}
