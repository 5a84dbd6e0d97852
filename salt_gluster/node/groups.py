"""The option groups that GlusterFS ships: files with one ``option=value`` a line."""

from __future__ import annotations

from pathlib import Path

GROUPS = Path("/var/lib/glusterd/groups")


def option_groups(folder: str | Path = GROUPS) -> dict[str, dict[str, str]]:
    """Return group -> options as they stand in the files; none where the folder is missing.

    ``volume set V group NAME`` sends exactly these.
    """
    groups: dict[str, dict[str, str]] = {}
    for path in sorted(Path(folder).iterdir()) if Path(folder).is_dir() else ():
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            pairs = (line.split("=", 1) for line in lines if "=" in line and line[:1] != "#")
            groups[path.name] = {name.strip(): value.strip() for name, value in pairs}
    return groups
