"""Write the one file that a minion needs to be a sensor: the engine, beside those it has.

As with a master (``master/config_file.py``), Salt lets a list of the minion's own file be replaced
by one of ``minion.d``, and joins the lists of all files there. How Salt reads and writes its
configuration is handed in; nothing imports Salt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.node import write_private

NAME = "salt-gluster.conf"
ENGINE = "gluster_consul"
#: Salt reports a job before its process ends: the restart waits for that process (the argument), an
#: hour at most. A minion that ends slowly may keep the new one from starting: it is looked after.
RESTART = (
    "sh", "-c",
    "for i in $(seq 3600); do kill -0 $1 2>/dev/null || break; sleep 1; done;"
    " systemctl restart salt-minion;"
    " for i in 1 2 3 4 5 6; do sleep 5;"
    " systemctl is-active --quiet salt-minion || systemctl start salt-minion; done",
    "sh",
)  # fmt: skip
_OURS = (
    "# Written by the state gluster_consul.sensor. Salt replaces the engines of the minion's own\n"
    "# file by these, so they are repeated here; after a change of them apply the state again.\n"
)
Settings = Mapping[str, Any]


def wanted(own: Settings, others: Settings, dump: Callable[[Any], str]) -> str | None:
    """Return the text of the file; None where the engine is configured elsewhere.

    ``own`` is what the minion's own file says, ``others`` the other files of ``minion.d`` together.
    """
    engines = others.get("engines") if "engines" in others else own.get("engines")
    if engines is not None and not isinstance(engines, list):
        raise GlusterError(
            "engines in the minion's configuration is no list: it cannot be added to.",
            kind="not_a_list", hint="Write it as a list: engines: [...].",
        )  # fmt: skip
    if ENGINE in map(_name, engines or ()):
        return None
    repeated = [] if "engines" in others else list(engines or ())
    return _OURS + dump({"engines": [*repeated, {ENGINE: {}}]})


def bring_about(file: Path, text: str | None, *, test: bool) -> dict[str, dict[str, Any]]:
    """Write the file where it is different; return what changed or would.

    Engines of others may have secrets in their settings: not into the changes, not for all eyes.
    """
    before = file.read_text(encoding="utf-8") if file.exists() else None
    if text is None or before == text:
        return {}
    if before is not None and not before.startswith(_OURS.partition("\n")[0]):
        raise GlusterError(
            f"{file} was not written by this state", kind="not_ours",
            hint="Move it away, or put its content elsewhere.",
        )  # fmt: skip
    if not test:
        write_private(file, text, mode=0o600)
    return {str(file): {"old": "different" if before else "absent", "new": "written"}}


def _name(engine: Any) -> str:
    return str(next(iter(engine), "")) if isinstance(engine, Mapping) else str(engine)
