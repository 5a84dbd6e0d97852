"""Every file that we write is written by ``node/files.py``: whole, with its owner and mode.

Files are read, not imported. What looks like a write anywhere else fails here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.test_architecture import LIB, LOADED, ROOT, Source

WRITER = "salt_gluster/node/files.py"
#: What is no write of a file: why it may stand where it stands.
ALLOWED = {
    # A folder that was made complete under another name takes its own.
    ("salt_gluster/master/deploy/secret_store.py", "new.rename(self.folder)"),
    # A tar archive written into the writer's own handle.
    ("salt_gluster/node/glusterd_copy.py", "tarfile.open(fileobj=raw, mode='w:gz')"),
}
_METHODS = {
    "write_text", "write_bytes", "touch", "rename", "symlink_to", "hardlink_to", "mkstemp",
    "NamedTemporaryFile", "TemporaryFile", "copy2", "copyfile", "copytree", "mknod",
}  # fmt: skip
_OS = {"rename", "replace", "link", "symlink", "truncate", "renames"}
_SHUTIL = {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "move"}
_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}


def writes(source: Source) -> Iterator[tuple[int, str]]:
    """Give line and text of every call that writes a file, or may."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _writes(node):
            text = ast.unparse(node)
            if (source.name, text) not in ALLOWED:
                yield node.lineno, text


def _writes(call: ast.Call) -> bool:
    func = call.func
    name = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
    owner = ast.unparse(func.value) if isinstance(func, ast.Attribute) else ""
    if owner == "os" and name == "open":
        return bool(_FLAGS & {n.attr for n in ast.walk(call) if isinstance(n, ast.Attribute)})
    if name in ("open", "fopen", "fdopen"):
        # open(path, mode) and the like; Path.open(mode).
        at = 1 if isinstance(func, ast.Name) or name != "open" or owner in _OPENERS else 0
        return _is_for_writing(call, at)
    if owner in ("os", "shutil"):
        return name in (_OS if owner == "os" else _SHUTIL) or name == "mknod"
    if name == "replace":  # of a path it has one argument, of a text two, of a dataclass fields
        return len(call.args) == 1 and not call.keywords
    return name in _METHODS


_OPENERS = ("io", "gzip", "bz2", "lzma", "tarfile", "codecs", "zipfile")


def _is_for_writing(call: ast.Call, at: int) -> bool:
    """Whether the mode is one of writing; one that is not a constant may be."""
    given = [k.value for k in call.keywords if k.arg == "mode"] or call.args[at : at + 1]
    if not given:
        return False
    mode = given[0].value if isinstance(given[0], ast.Constant) else "w"
    return isinstance(mode, str) and bool(set("wax+") & set(mode))


def test_nothing_but_the_writer_writes_a_file() -> None:
    found = {
        f"{source.name}:{line} {text}"
        for source in (*LIB, *LOADED)
        if source.name != WRITER
        for line, text in writes(source)
    }
    assert found == set()


def test_what_is_allowed_is_still_there() -> None:
    texts = {
        (source.name, ast.unparse(node))
        for source in LIB
        for node in ast.walk(source.tree) if isinstance(node, ast.Call)
    }  # fmt: skip
    assert texts >= ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "open(p, 'w')", "open(p, mode='a')", "open(p, how)", "p.open('wb')", "p.open(mode='x')",
        "salt.utils.files.fopen(p, 'w+')", "fopen(p, 'a')", "p.write_text()", "gzip.open(p, 'w')",
        "os.open(p, os.O_WRONLY)", "os.rename(a, b)", "a.replace(b)", "p.touch()",
        "shutil.copy(a, b)", "tempfile.mkstemp()", "os.fdopen(h, 'w')", "a.rename(b)",
    ],
)  # fmt: skip
def test_a_write_is_known(text: str) -> None:
    (call,) = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    assert _writes(call)


@pytest.mark.parametrize(
    "text",
    [
        "open(p)", "p.open('rb')", "open(p, 'r')", "text.replace('a', 'b')", "replace(x, a=1)",
        "os.open(p, os.O_RDONLY)", "os.fdopen(h, 'rb')", "fopen(p)", "shutil.which(p)",
    ],
)  # fmt: skip
def test_a_read_is_none(text: str) -> None:
    (call,) = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    assert not _writes(call)


def test_the_writer_is_where_we_say() -> None:
    assert (ROOT / WRITER).is_file()
