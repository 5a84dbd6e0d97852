"""Folders of a shared pool's node: what is in them, and putting back what was in them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

#: A bigger file is told from another by its size alone, and cannot be put back.
MOST_BYTES = 1 << 20
#: Written by whoever runs a Python program, and without a meaning.
SKIP = ("__pycache__",)


@dataclass(frozen=True)
class Entry:
    """One file, link or folder: its mode and its content, which for a link is where it points."""

    kind: str
    mode: int = 0
    content: bytes = b""


@dataclass(frozen=True)
class Tree:
    """A folder as the node sees it at ``shown``, and where it is read and written from outside.

    ``lower`` is the folder below, where this one is the upper layer of an overlay: what is the same
    in both is not there. ``inside`` is where an overlay is written, as the node sees it.
    """

    kind: str
    shown: str
    folder: Path
    skip: Collection[str] = ()
    lower: Path | None = None
    inside: Path | None = None


def read(
    tree: Tree, expected: Mapping[str, Entry] | None, mounts: Collection[str] = ()
) -> dict[str, Entry]:
    """Return what is in a tree by its path below it.

    A folder that is not expected is one entry, whatever is in it; without an expectation all is
    read. ``mounts`` are not looked into: what answers there may hang.
    """
    found: dict[str, Entry] = {}

    def walk(folder: Path, below: str) -> None:
        try:
            rows = sorted(os.scandir(folder), key=lambda row: row.name)
        except OSError:  # it has just gone
            return
        for row in rows:
            name = f"{below}{row.name}"
            if name in tree.skip or row.name in SKIP or f"{tree.shown}/{name}" in mounts:
                continue
            is_lower = tree.lower is not None and (tree.lower / name).is_dir()
            if row.is_dir(follow_symlinks=False):
                if not is_lower:
                    found[name] = _entry(Path(row.path))
                if expected is None or name in expected or is_lower:
                    walk(Path(row.path), f"{name}/")
            else:
                entry = _entry(Path(row.path))
                if tree.lower is None or entry != _entry(tree.lower / name):
                    found[name] = entry

    walk(tree.folder, "")
    return {name: entry for name, entry in found.items() if entry.kind}


def _entry(path: Path) -> Entry:
    try:
        row = path.lstat()
        mode = stat.S_IMODE(row.st_mode)
        if stat.S_ISLNK(row.st_mode):
            return Entry("link", 0, os.fsencode(path.readlink()))
        if stat.S_ISDIR(row.st_mode):
            return Entry("folder", mode)
        if stat.S_ISCHR(row.st_mode):
            return Entry("removed")  # so an overlay keeps it
        if not stat.S_ISREG(row.st_mode):
            return Entry("")  # a socket or a pipe belongs to a process
        if row.st_size > MOST_BYTES:
            return Entry("big", mode, str(row.st_size).encode())
        return Entry("file", mode, path.read_bytes())
    except OSError:
        return Entry("")


def restore(tree: Tree, new: Mapping[str, Entry], now: Mapping[str, Entry]) -> None:
    """Make a tree what it was: remove what came, write what went or is another."""
    root = tree.inside or tree.folder
    for name in sorted(now.keys() - new.keys(), reverse=True):
        _remove(root / name)
        if tree.lower is not None and (was := _entry(tree.lower / name)).kind:
            _write(root / name, was)  # it was the machine's, changed here
    for name in sorted(new):
        if now.get(name) != new[name]:
            if new[name].kind != "folder" or not (root / name).is_dir():
                _remove(root / name)
            _write(root / name, new[name])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, entry: Entry) -> None:
    if entry.kind == "folder":
        path.mkdir(exist_ok=True)
        path.chmod(entry.mode)
    elif entry.kind == "link":
        path.symlink_to(os.fsdecode(entry.content))
    elif entry.kind == "file":
        path.write_bytes(entry.content)
        path.chmod(entry.mode)
