#!/usr/bin/python3
"""Stand-in for systemctl and systemd-run, because no systemd runs in a lab's nodes.

A program of a few lines at /usr/bin/systemctl of a node imports it. It reads the same unit files
and symlinks as systemd and does what they say about ExecStart, Type, PIDFile, KillMode, Environment
and EnvironmentFile. Processes belong to a unit by LAB_UNIT in their environment, as they would by
cgroup. What it does not do: supervise (Restart= is ignored), order or pull in other units, run
timers and sockets, keep a journal (output goes to /var/log/lab/UNIT.log). It must run alone on the
system's Python, and import little: Salt asks it a dozen times in a state run, 40 ms each with
pathlib, re and the like.
"""

from __future__ import annotations

import os
import sys
import time

OWN = "/etc/systemd/system"
SEARCH = (OWN, "/run/systemd/system", "/usr/lib/systemd/system")
WANTS = f"{OWN}/multi-user.target.wants"
LOGS = "/var/log/lab"
VERSION = "systemd 252 (stand-in of the salt-gluster lab)\n+LAB"
DEADLINE_S = 60


class Refused(Exception):
    """A request that systemctl would refuse; the second value is its exit code."""


class Unit:
    """A unit file and the processes that were started from it."""

    def __init__(self, name: str) -> None:
        self.name = name if "." in name else f"{name}.service"
        self.stem = self.name.rsplit(".", 1)[0]
        paths = (f"{folder}/{self.name}" for folder in SEARCH)
        self.path = next((path for path in paths if os.path.lexists(path)), None)

    @property
    def masked(self) -> bool:
        return self.path is not None and os.path.realpath(self.path) == "/dev/null"

    @property
    def load_state(self) -> str:
        return "not-found" if self.path is None else "masked" if self.masked else "loaded"

    def values(self, key: str) -> list[str]:
        """Give the values of a key of any section, in order; an empty one clears those before."""
        found: list[str] = []
        if self.path is None or self.masked:
            return found
        for line in _read(self.path).replace("\\\n", " ").splitlines():
            name, is_setting, value = line.partition("=")
            if is_setting and name.strip() == key:
                found = [*found, value.strip()] if value.strip() else []
        return found

    def value(self, key: str, default: str = "") -> str:
        return (self.values(key) or [default])[-1]

    @property
    def pid_file(self) -> str:
        # Of a unit that does not fork systemd knows the pid, whatever the daemon does with a file
        # (glustereventsd removes its own as soon as it listens).
        own = self.value("PIDFile") if self.value("Type", "simple") == "forking" else ""
        return own or f"/run/lab/{self.name}.pid"

    @property
    def wanted(self) -> str:
        """The file that says that it was started and not stopped."""
        return f"/run/lab/{self.name}.wanted"

    @property
    def links(self) -> list[str]:
        """What makes it start with the node."""
        folders = [f"{OWN}/{name}" for name in os.listdir(OWN) if name.endswith(".wants")]
        links = [f"{folder}/{self.name}" for folder in folders]
        return [link for link in links if os.path.lexists(link)]

    def main_pid(self) -> int:
        """Give the pid of the unit's main process, 0 when it does not run."""
        try:
            pid = int(_read(self.pid_file))
        except (OSError, ValueError):
            return 0
        return pid if self._has(pid) else 0

    def pids(self) -> list[int]:
        """List the processes that were started from this unit, whoever forked them."""
        pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return [pid for pid in pids if pid != os.getpid() and self._has(pid)]

    def _has(self, pid: int) -> bool:
        """Whether a process was started from this unit."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"LAB_UNIT={self.name}".encode() in file.read().split(b"\0")
        except OSError:
            return False

    @property
    def unit_file_state(self) -> str:
        if self.path is None:
            return ""
        if self.masked:
            return "masked"
        if self.links:
            return "enabled"
        return "disabled" if self.values("WantedBy") else "static"

    @property
    def active(self) -> tuple[str, str]:
        if self.main_pid():
            return "active", "running"
        if os.path.exists(self.wanted):
            return "failed", "failed"
        return "inactive", "dead"

    def environment(self) -> dict[str, str]:
        import shlex

        env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "HOME")}
        for setting in self.values("Environment"):
            env.update(pair.partition("=")[::2] for pair in shlex.split(setting))
        for name in self.values("EnvironmentFile"):
            name = name.lstrip("-")
            for line in _read(name).splitlines() if os.path.exists(name) else ():
                key, is_pair, value = line.partition("=")
                if is_pair and not line.lstrip().startswith("#"):
                    env[key.strip()] = "".join(shlex.split(value))
        # SPT_NOENV: Salt's process titles must not overwrite the mark.
        return env | {"LAB_UNIT": self.name, "SPT_NOENV": "1"}


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def start(unit: Unit) -> None:
    import shlex
    import subprocess

    if unit.path is None:
        raise Refused(f"Failed to start {unit.name}: Unit {unit.name} not found.", 5)
    if unit.masked:
        raise Refused(f"Failed to start {unit.name}: Unit {unit.name} is masked.", 1)
    if unit.main_pid():
        return
    env = unit.environment()
    argv: list[str] = []
    for word in shlex.split(unit.value("ExecStart").lstrip("-@:+!")):
        bare = word.startswith("$") and not word.startswith("${")
        value = os.path.expandvars(word) if not env else _expand(word, env)
        argv += value.split() if bare else [value]
    os.makedirs(LOGS, exist_ok=True)
    os.makedirs("/run/lab", exist_ok=True)
    _write(unit.wanted, "")
    with open(f"{LOGS}/{unit.name}.log", "a") as log:
        main = subprocess.Popen(
            argv, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    if unit.value("Type", "simple") == "forking":
        _forked(unit, main)
    else:
        _write(unit.pid_file, f"{main.pid}\n")
        time.sleep(0.1)
        if main.poll():
            raise Refused(_failed(unit), 1)


def _expand(word: str, env: dict[str, str]) -> str:
    for name in sorted(env, key=len, reverse=True):
        word = word.replace(f"${{{name}}}", env[name]).replace(f"${name}", env[name])
    return "" if word.startswith("$") else word


def _forked(unit: Unit, first) -> None:
    """Wait for the first process of a daemon that forks."""
    import signal

    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end and first.poll() is None:
        time.sleep(0.02)
    if first.poll() is None:
        for pid in unit.pids():
            _signal(pid, signal.SIGKILL)
    while not first.returncode and time.monotonic() < end and unit.pids():
        if unit.main_pid():
            return
        time.sleep(0.02)
    raise Refused(_failed(unit), 1)


def _failed(unit: Unit) -> str:
    return (
        f"Job for {unit.name} failed because the control process exited with error code.\n"
        f'See "systemctl status {unit.name}" and {LOGS}/{unit.name}.log for details.'
    )


def stop(unit: Unit) -> None:
    import signal

    if unit.path is None:
        raise Refused(f"Failed to stop {unit.name}: Unit {unit.name} not loaded.", 5)
    main = unit.main_pid()
    everyone = unit.value("KillMode", "control-group") == "control-group"
    for pid in unit.pids() if everyone else [main] * bool(main):
        _signal(pid, getattr(signal, unit.value("KillSignal", "SIGTERM")))
        _signal(pid, signal.SIGCONT)
    end = time.monotonic() + min(DEADLINE_S, float(unit.value("TimeoutStopSec", "20").rstrip("s")))
    while left := unit.pids() if everyone else [main] * (main in unit.pids()):
        if time.monotonic() > end:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    _remove(unit.wanted)
    _remove(unit.pid_file)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def restart(unit: Unit) -> None:
    if unit.path is not None and not unit.masked:
        stop(unit)
    start(unit)


def try_restart(unit: Unit) -> None:
    if unit.main_pid():
        restart(unit)


def reload(unit: Unit) -> None:
    import signal

    if not unit.main_pid():
        raise Refused(f"{unit.name} is not active, cannot reload.", 1)
    _signal(unit.main_pid(), signal.SIGHUP)


def enable(unit: Unit) -> None:
    if unit.path is None:
        raise Refused(f"Failed to enable unit: Unit file {unit.name} does not exist.", 1)
    if unit.masked:
        raise Refused(f"Failed to enable unit: Unit file {OWN}/{unit.name} is masked.", 1)
    os.makedirs(WANTS, exist_ok=True)
    link = f"{WANTS}/{unit.name}"
    if not os.path.islink(link):
        os.symlink(unit.path, link)
        print(f"Created symlink {link} → {unit.path}.", file=sys.stderr)


def disable(unit: Unit) -> None:
    if unit.path is None:
        raise Refused(f"Failed to disable unit: Unit file {unit.name} does not exist.", 1)
    for link in unit.links:
        os.unlink(link)
        print(f'Removed "{link}".', file=sys.stderr)


def mask(unit: Unit) -> None:
    link = f"{OWN}/{unit.name}"
    if os.path.exists(link) and not os.path.islink(link):
        raise Refused(f"Failed to mask unit: File {link} already exists.", 1)
    if not os.path.islink(link):
        os.symlink("/dev/null", link)
        print(f"Created symlink {link} → /dev/null.", file=sys.stderr)


def unmask(unit: Unit) -> None:
    link = f"{OWN}/{unit.name}"
    if os.path.islink(link) and os.path.realpath(link) == "/dev/null":
        os.unlink(link)
        print(f'Removed "{link}".', file=sys.stderr)


def properties(unit: Unit) -> dict[str, str]:
    active, sub = unit.active
    argv = unit.value("ExecStart").split()
    command = f"{{ path={argv[0]} ; argv[]={' '.join(argv)} }}" if argv else ""
    return {
        "Id": unit.name,
        "Names": unit.name,
        "Type": unit.value("Type", "simple"),
        "LoadState": unit.load_state,
        "ActiveState": active,
        "SubState": sub,
        "UnitFileState": unit.unit_file_state,
        "FragmentPath": str(unit.path or ""),
        "MainPID": str(unit.main_pid()),
        "KillMode": unit.value("KillMode", "control-group"),
        "NeedDaemonReload": "no",
        "CanReload": "yes" if unit.values("ExecReload") else "no",
        **({"ExecStart": command} if command else {}),
    }


def show(unit: Unit, wanted: list[str], bare: bool) -> int:
    for key, value in properties(unit).items():
        if not wanted or key in wanted:
            print(value if bare else f"{key}={value}")
    return 0


def status(unit: Unit) -> int:
    if unit.path is None:
        print(f"Unit {unit.name} could not be found.", file=sys.stderr)
        return 4
    active, sub = unit.active
    print(f"● {unit.name} - {unit.value('Description', unit.name)}")
    print(f"     Loaded: {unit.load_state} ({unit.path}; {unit.unit_file_state})")
    print(f"     Active: {active} ({sub})")
    if unit.main_pid():
        print(f"   Main PID: {unit.main_pid()}")
    return 0 if active == "active" else 3


def is_active(unit: Unit) -> int:
    print(unit.active[0])
    return 0 if unit.active[0] == "active" else 3


def is_enabled(unit: Unit) -> int:
    state = unit.unit_file_state
    if not state:
        raise Refused(
            f"Failed to get unit file state for {unit.name}: No such file or directory", 1
        )
    print(state)
    return 0 if state in ("enabled", "static") else 1


def everything() -> list[Unit]:
    found = {name for folder in SEARCH if os.path.isdir(folder) for name in os.listdir(folder)}
    return [Unit(n) for n in sorted(found) if n.endswith(".service") and "@" not in n]


CHANGES = {
    "start": start, "stop": stop, "restart": restart, "try-restart": try_restart,
    "reload": reload, "force-reload": restart, "reload-or-restart": restart,
    "enable": enable, "disable": disable, "mask": mask, "unmask": unmask,
    "reset-failed": lambda unit: _remove(unit.wanted),
}  # fmt: skip
QUESTIONS = {"status": status, "is-active": is_active, "is-enabled": is_enabled}
TAKES_VALUE = (
    "-n",
    "--lines",
    "-p",
    "--property",
    "-P",
    "--root",
    "-t",
    "--type",
    "-o",
    "--output",
)


def change(verb: str, names: list[str], flags: dict[str, str]) -> int:
    if "--no-block" in flags and verb in ("start", "stop", "restart", "reload") and os.fork():
        return 0
    code = 0
    for name in names:
        try:
            CHANGES[verb](Unit(name))
            if "--now" in flags and verb in ("enable", "disable", "mask"):
                (start if verb == "enable" else stop)(Unit(name))
        except Refused as refusal:
            print(refusal.args[0], file=sys.stderr)
            code = refusal.args[1]
    return code


def ask(verb: str, names: list[str]) -> int:
    codes = []
    for name in names:
        try:
            codes.append(QUESTIONS[verb](Unit(name)))
        except Refused as refusal:
            print(refusal.args[0], file=sys.stderr)
            codes.append(refusal.args[1])
    return max(codes, default=0)


def parse(words: list[str]) -> tuple[list[str], dict[str, str]]:
    plain: list[str] = []
    flags: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        if word.startswith("-"):
            flags[name] = value if has_value else next(rest, "") if name in TAKES_VALUE else ""
        else:
            plain.append(word)
    return plain, flags


def main(words: list[str]) -> int:
    plain, flags = parse(words)
    verb, names = (plain[0] if plain else "list-units"), plain[1:]
    if "--version" in flags:
        print(VERSION)
        return 0
    if verb in CHANGES:
        return change(verb, names, flags)
    if verb in QUESTIONS:
        return ask(verb, names)
    if verb == "show":
        wanted = flags.get("-p") or flags.get("--property") or flags.get("-P") or ""
        bare = "-P" in flags or "--value" in flags
        return max((show(Unit(n), wanted.split(",") if wanted else [], bare) for n in names),
                   default=0)  # fmt: skip
    if verb == "list-unit-files":
        for unit in everything():
            print(f"{unit.name} {unit.unit_file_state} enabled")
        return 0
    if verb == "list-units":
        for unit in everything():
            if unit.main_pid():
                print(f"{unit.name} {unit.load_state} active running {unit.value('Description')}")
        return 0
    if verb == "daemon-reload":
        return 0
    if verb in ("is-system-running", "default"):
        print("running")
        return 0
    print(f"systemctl of the lab: {verb!r} is not among what it can do", file=sys.stderr)
    return 1


def scope(words: list[str]) -> int:
    """Run a command outside the unit of the caller: `systemd-run --scope COMMAND`."""
    while words and words[0].startswith("-"):
        words = words[1:]
    os.environ.pop("LAB_UNIT", None)
    os.execvp(words[0], words)


def run(program: str) -> int:
    words = sys.argv[1:]
    return scope(words) if program == "systemd-run" else main(words)
