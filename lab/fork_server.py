"""A Python that has imported what its forks need: it starts none of them anew.

``python fork_server.py CHANNEL NETWORK MODULE…`` is started by ``lab/forked.py`` and ends with its
owner: CHANNEL is the number of a socket, of which each packet is a request, NETWORK that of the
network namespace to live in; ``MODULE.*`` is a whole package. A request comes with three handles:
the output, the errors, and a socket. From the socket the request itself is read, and to it go the
lines ``{"pid": …}`` and ``{"exit": …}``, or ``{"error": …}``. Only the standard library, in which
Python 3.10 has no setns: it is libc's.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

HANDLES = 3
NAMESPACES = ("net", "uts", "pid", "mnt")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(channel: int, network: int, modules: list[str]) -> None:
    """Import the modules and answer requests until the owner has closed its end."""
    _enter(network)
    for name in modules:
        _import(name)
    gc.collect()
    gc.freeze()  # or the collector of each fork copies all of these pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=channel)
    while True:
        word, handles, _, _ = socket.recv_fds(requests, 16, HANDLES)
        if not word:
            return
        if os.fork() == 0:
            requests.close()
            _serve(*handles)
        for handle in handles:
            os.close(handle)


def _import(name: str) -> None:
    """Import a module, or with ``package.*`` a package and all below it.

    One that is not there is not missed here: what needs it will say so.
    """
    with contextlib.suppress(ImportError):
        package = importlib.import_module(name.removesuffix(".*"))
        if name.endswith(".*"):
            for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                _import(found.name)


def _serve(out: int, err: int, line: int) -> NoReturn:
    """Be what stands in the host for the fork in the node, as nsenter is for its command."""
    answers = socket.socket(fileno=line)
    try:
        _end_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        request = json.loads(answers.makefile("rb").readline())
        if request["holder"]:
            _enter_node(request["holder"])
        pid = os.fork()  # only a child is in the PID namespace that was entered
        if pid == 0:
            _work(request, out, err)
        _tell(answers, pid=pid)
        _, status = os.waitpid(pid, 0)
        _tell(answers, exit=os.waitstatus_to_exitcode(status))
    except BaseException as error:
        _tell(answers, error=repr(error))
    finally:
        os._exit(0)


def _tell(answers: socket.socket, **row: Any) -> None:
    answers.sendall(json.dumps(row).encode() + b"\n")


def _work(request: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be the program: its environment, its arguments, its output, its exit code."""
    code = 1
    try:
        _end_with_parent()
        os.chdir("/")
        for handle, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(handle, number)
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(request["env"])
        sys.argv = request["argv"]
        sys.path[:0] = request["path"]
        module, _, function = request["task"].partition(":")
        code = _code(getattr(importlib.import_module(module), function)())
    except SystemExit as end:
        code = _code(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)


def _code(said: Any) -> int:
    if said is None or isinstance(said, int):
        return said or 0
    print(said, file=sys.stderr)
    return 1


def _end(code: int) -> NoReturn:
    """End as a program does, without taking apart the server's modules one by one."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _enter_node(holder: int) -> None:
    # All are opened first: in the node's own /proc its first process has another number.
    handles = [os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY) for kind in NAMESPACES]
    for handle in handles:
        _enter(handle)
        os.close(handle)


def _enter(handle: int) -> None:
    if _LIBC.setns(handle, 0):
        raise OSError(ctypes.get_errno(), "setns")


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


if __name__ == "__main__":
    del sys.path[0]  # this folder: its `salt` and `consul` are not what is meant by these names
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
