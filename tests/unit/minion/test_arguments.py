"""What the parser takes is taken by whoever carries it out: test mode and run say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster import node, spec
from salt_gluster.errors import SpecError
from salt_gluster.gluster import arguments
from salt_gluster.minion import converge
from salt_gluster.spec import option

TEXT = st.one_of(
    st.text(max_size=30),
    st.text("abz09AZ-_./: @\u00e4", max_size=30),
    st.text("ab/._-", max_size=12).map(lambda text: f"/{text}"),
    st.sampled_from(
        ["a" * 64, "a" * 254, "user." + "a" * 123, "user." + "a" * 124, "/" + "a" * 256]
    ),
)
READERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "volume": (
        lambda text: spec.check_volume_name(text, ""),
        lambda name: arguments.volume("", name),
    ),
    "host": (
        lambda text: spec.check_host(text, ""),
        lambda host: ":" in host or arguments.host("", host),
    ),
    "brick": (
        lambda text: spec.split_brick(f"g1:{text}", ""),
        lambda brick: arguments.new_brick("", ":".join(brick)),
    ),
    "directory": (lambda text: spec.check_brick_path(text, ""), node.check_path),
    "option": (
        lambda text: option.full_name(text),
        lambda name: arguments.option("", name),
    ),
    "value": (
        lambda text: option.check("user.note", text),
        lambda value: arguments.options("", {"user.note": value}),
    ),
}


@pytest.mark.parametrize("kind", READERS)
@given(text=TEXT)
def test_nothing_that_the_parser_takes_is_refused_further_on(kind: str, text: str) -> None:
    parse, use = READERS[kind]
    try:
        taken = parse(text)
    except SpecError:
        return
    use(taken)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("path", ["rel/x", "/srv/a b", "/srv/../x", "/", "/srv/a:b"])
def test_a_brick_of_a_state_is_read_before_anything_is_looked_at(path: str, test: bool) -> None:
    minion: Any = type("Minion", (), {"test": test})()
    with pytest.raises(SpecError):
        converge.brick(path, minion, None, None, ())
    with pytest.raises(SpecError):
        converge.brick("/srv/b", minion, "serial:S1", path, ())


def test_it_is_used_in_its_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def subjects(planners: Any, minion: Any, *, mounts: Any) -> list[Any]:
        seen.append(([subject.name for subject in planners], mounts))
        return []

    monkeypatch.setattr(converge, "converge_subjects", subjects)
    monkeypatch.setattr(
        converge, "_disk", lambda minion, device, mount: seen.append(mount) or _part()
    )
    minion: Any = type("Minion", (), {"test": True})()
    said = converge.brick("/srv//b/", minion, "serial:S1", "/srv/", ())
    assert seen == ["/srv", (["/srv/b"], ("/srv",))]
    assert said["name"] == "/srv//b/"  # Salt finds its state by the name that it gave


def _part() -> Any:
    return converge.Part("disk", True, {}, ())
