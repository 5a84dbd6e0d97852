"""Write the one file that a master needs: the engine, the reactor, the formula, the nodes' pillar.

Salt lets a list in the master's own file be replaced by one of ``master.d``, and joins the lists of
all files there (facts.md#S-4.2). So the lists of the own file are repeated here, those of
other files not. Those may hold the site's passwords: the file is for the master's user alone, and
what changed is told in words. How Salt reads and writes its configuration is handed in; nothing
imports Salt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.node.files import is_different, write_atomically

NAME = "salt-gluster.conf"
#: For the master's user alone.
MODE = 0o600
ENGINE, EVENTS = "gluster_consul", "gluster_events"
RESTART = "systemctl restart salt-master"
#: Which of the shipped SLS answers which event.
REACTIONS = {
    "salt/gluster/*/node/*/admit": "admit.sls",
}
#: Where a node's declaration comes from, and the word for it in the line of the nodes' pillar.
FILES, CONSUL = "files", "consul"
_FROM = "pillar_from"
_OURS = "# Written by salt-run gluster.setup; gluster.setup remove=True takes it away.\n"
_REPEATS = (
    "# Salt replaces the lists of the master's own file by the ones below, so what it says under\n"
    "# these keys is repeated here: after a change of it there, run gluster.setup again.\n"
)
FORMULA = Path(__file__).resolve().parents[1] / "formula"
Settings = Mapping[str, Any]


class Setup:
    """The file as it is and as it should be.

    ``own`` is what the master's own file says, ``others`` what the other files of ``master.d`` say
    together, ``default_roots`` Salt's own file roots. ``pillar_from`` is where nodes have their
    declaration from, ``owner`` user and group of the master.
    """

    def __init__(
        self, file: Path, own: Settings, others: Settings, default_roots: Settings,
        pillar_from: str = FILES, owner: tuple[int, int] = (0, 0),
    ):  # fmt: skip
        self.file, self._pillar_from, self._owner = file, pillar_from, owner
        self._own, self._others, self._roots = own, others, default_roots
        self.before = file.read_text(encoding="utf-8") if file.exists() else None
        if self.before is not None and not self.before.startswith(_OURS):
            raise GlusterError(
                f"{file} was not written by this command", kind="not_ours",
                hint="Move it away, or put its content elsewhere.",
            )  # fmt: skip

    def bring_about(
        self, dump: Callable[[Any], str], *, test: bool, remove: bool
    ) -> dict[str, dict[str, Any]]:
        """Write or remove the file; return what changed or would: in words, no text of it."""
        if remove:
            if self.before is None:
                return {}
            if not test:
                self.file.unlink()
            return {str(self.file): {"old": "written", "new": None}}
        text = self.text(dump)
        old = is_different(self.file, text, mode=MODE, owner=self._owner)
        if not old:
            return {}
        if not test:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.file, text, MODE, owner=self._owner)
        return {str(self.file): {"old": old, "new": self._in_words()}}

    def _in_words(self) -> str:
        """Return what the file has: of the site's own entries the names, never what they say."""
        wanted = self._wanted()
        names = {
            "engines": [_name(engine) for engine in wanted["engines"]],
            "reactor": [_name(reaction) for reaction in wanted["reactor"]],
            "file_roots": list(wanted["file_roots"]),
            "ext_pillar": [_name(source) for source in wanted["ext_pillar"]],
        }
        return "written: " + "; ".join(f"{key}: {', '.join(row)}" for key, row in names.items())

    def _wanted(self) -> dict[str, Any]:
        return {
            "engines": self._engines(),
            "reactor": [*self._repeated("reactor"), *_reactions()],
            "file_roots": self._file_roots(),
            "ext_pillar": self._ext_pillar(),
        }

    def text(self, dump: Callable[[Any], str]) -> str:
        """Return the file."""
        return _OURS + _REPEATS + dump(self._wanted())

    def _engines(self) -> list[Any]:
        """Salt's runners see no reactor that is not named among engines (facts.md#S-4.1)."""
        mine, theirs = self._repeated("engines"), self._others.get("engines") or []
        named = {_name(engine) for engine in [*mine, *theirs]}
        add: list[Any] = [] if "reactor" in named else ["reactor"]
        return [*mine, *add, *({name: {}} for name in (ENGINE, EVENTS) if name not in named)]

    def _ext_pillar(self) -> list[Any]:
        mine, theirs = self._repeated("ext_pillar"), self._others.get("ext_pillar") or []
        is_named = ENGINE in {_name(source) for source in [*mine, *theirs]}
        options = {} if self._pillar_from == FILES else {_FROM: self._pillar_from}
        return [*mine, *([] if is_named else [{ENGINE: options}])]

    def _repeated(self, key: str) -> list[Any]:
        """Return what the own file says, unless another file has replaced it already."""
        for where, settings in (("master.d", self._others), ("the master's file", self._own)):
            value = settings.get(key)
            if value is not None and not isinstance(value, list):
                raise GlusterError(
                    f"{key} in {where} is no list: it cannot be added to.", kind="not_a_list",
                    hint=f"Write it as a list: {key}: [...].",
                )  # fmt: skip
        return [] if key in self._others else list(self._own.get(key) or [])

    def _file_roots(self) -> dict[str, list[Any]]:
        settings: Settings = {} if "file_roots" in self._others else self._own
        by_env = settings.get("file_roots") or ({} if "file_roots" in self._others else self._roots)
        roots = {str(env): _texts(paths) for env, paths in by_env.items()}
        base = [path for path in roots.get("base", []) if path != str(FORMULA)]
        return {**roots, "base": [*base, str(FORMULA)]}


def pillar_from(*settings: Settings) -> str:
    """Return where nodes have their declaration from, by the first that says anything of us."""
    lines = [line for file in settings for line in file.get("ext_pillar") or []]
    mine = next((line for line in lines if _name(line) == ENGINE), None)
    arguments = mine.get(ENGINE) if isinstance(mine, Mapping) else None
    return str((arguments or {}).get(_FROM, FILES))


def not_in_effect(effective: Settings, wanted: str = FILES) -> list[str]:
    """Return which keys another file takes away from us, by the configuration that Salt reads.

    ``wanted`` is where nodes should have their declaration from.
    """
    effects = {
        "engines": {ENGINE, EVENTS, "reactor"}
        <= {_name(e) for e in effective.get("engines") or []},
        "reactor": set(REACTIONS) <= {_name(r) for r in effective.get("reactor") or []},
        "file_roots": str(FORMULA) in (effective.get("file_roots") or {}).get("base", []),
        "ext_pillar": ENGINE in {_name(source) for source in effective.get("ext_pillar") or []}
        and pillar_from(effective) == wanted,
    }
    return [key for key, is_there in effects.items() if not is_there]


def overridden(keys: list[str], file: Path) -> GlusterError:
    """Return the error for keys that have no effect although they are written."""
    return GlusterError(
        f"{file} is written, but its {', '.join(keys)} will have no effect: another file that is"
        " read later says something else.",
        kind="overridden",
        hint="Look at include: of the master's own file, and at the files of master.d.",
    )


def _reactions() -> list[dict[str, list[str]]]:
    return [{tag: [str(FORMULA / "reactor" / sls)]} for tag, sls in REACTIONS.items()]


def _name(engine: Any) -> str:
    return str(next(iter(engine), "")) if isinstance(engine, Mapping) else str(engine)


def _texts(paths: Any) -> list[Any]:
    return [paths] if isinstance(paths, str) else list(paths or [])
