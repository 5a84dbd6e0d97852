"""Write this node's own metrics for the textfile collector of its node_exporter.

It is configured as ``metrics: {textfile: PATH}`` beside the engine's other settings, and written
with every report. How old the file is node_exporter itself tells.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.node.files import write_atomically
from salt_gluster.render.exposition import exposition
from salt_gluster.status.metrics import node_samples

log = logging.getLogger(__name__)

#: node_exporter runs as a user of its own, and nothing in it is secret.
_MODE = 0o644


def write_textfile(settings: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Write it where it is asked for. Never raises: a sensor has more important things to do."""
    wanted = settings.get("metrics")
    path = wanted.get("textfile") if isinstance(wanted, Mapping) else None
    if not path:
        return
    try:
        write_atomically(Path(str(path)), exposition(node_samples(report)), _MODE)
    except GlusterError as err:
        log.error("%s", err)
    except OSError as err:
        log.error("metrics cannot be written to %s: %s.", path, err.strerror)
