"""Documents in which one thing is another, is missing, or is one too many: for hypothesis."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

_LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from([0, -1, 9e15, 2**70, "", "u1", "../x", "a b", [], {}, [[]], {"unknown": 3}]),
)  # fmt: skip
_JSON = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a document."""
    is_list = isinstance(data, list)
    inner = data.items() if isinstance(data, dict) else enumerate(data) if is_list else ()
    return [path, *(p for key, value in inner for p in places(value, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, document: Any) -> Any:
    """A document in which one thing is another, is missing, or is one too many."""
    data = copy.deepcopy(document)
    path = draw(st.sampled_from(places(data)))
    if not path:
        return draw(_JSON)
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    what = draw(st.sampled_from(["other", "missing", "more"]))
    if what == "missing":
        del parent[path[-1]]
    elif what == "more" and isinstance(parent, dict):
        parent[draw(st.text(max_size=6))] = draw(_JSON)
    else:
        parent[path[-1]] = draw(_JSON)
    return data


def newer(data: Any) -> Any:
    """Return the document as a newer version may write it: everywhere a field more."""
    if isinstance(data, dict):
        same = {k: newer(v) for k, v in data.items()}
        is_noun = bool({"schema", "uuid", "path", "alive", "host", "name", "at"} & data.keys())
        return {**same, "added_later": [1, {"x": None}]} if is_noun else same
    return [newer(v) for v in data] if isinstance(data, list) else data


def raw(data: Any) -> bytes:
    """Return the value of a document; that of an empty one where JSON has no words for it."""
    try:
        return json.dumps(data).encode()
    except (ValueError, OverflowError, UnicodeEncodeError):
        return b"{}"
