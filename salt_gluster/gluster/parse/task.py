"""Progress of a rebalance or a remove-brick, per node and together.

The task's state is the truth: the command that started it says success even where the task then
fails on two of three nodes (facts.md#G-0.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from xml.etree.ElementTree import Element

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import number_or_unknown, required_number, required_text
from salt_gluster.model import Unknown


class TaskState(IntEnum):
    """glusterd's numbers (facts.md#G-5.2; 0, 5 and 6 were never seen)."""

    NOT_STARTED = 0
    IN_PROGRESS = 1
    STOPPED = 2
    COMPLETED = 3
    FAILED = 4
    FIX_LAYOUT_IN_PROGRESS = 5
    FIX_LAYOUT_STOPPED = 6
    FIX_LAYOUT_COMPLETED = 7
    FIX_LAYOUT_FAILED = 8


@dataclass(frozen=True)
class NodeProgress:
    """What one node did of a task; ``node`` is a UUID, empty for the sum. Sizes in bytes."""

    node: str
    state: int
    state_text: str
    files: int | Unknown
    size: int | Unknown
    failures: int | Unknown
    skipped: int | Unknown
    runtime_s: float | Unknown


@dataclass(frozen=True)
class TaskProgress:
    """A task's id, its nodes and their sum. A node that is unreachable has no row."""

    id: str
    nodes: tuple[NodeProgress, ...]
    total: NodeProgress

    @property
    def is_completed(self) -> bool:
        """Completed everywhere and without a failed file: the only state to commit from."""
        failures = self.total.failures
        states = {row.state for row in (*self.nodes, self.total)}
        clean = not isinstance(failures, Unknown) and failures == 0
        return clean and states == {TaskState.COMPLETED}


def parse_task_id(answer: CliAnswer) -> str:
    """Return the id of the task that ``rebalance start`` or ``remove-brick start`` began."""
    return required_text(_task(answer), "task-id")


def parse_task_progress(answer: CliAnswer) -> TaskProgress:
    """Return rows and sum of ``rebalance V status`` or ``remove-brick ... status``; or of stop.

    Raises ``Unreadable``.
    """
    task = _task(answer)
    total = task.find("aggregate")
    if total is None:
        raise Unreadable(f"<{task.tag}> has no <aggregate>; the task's state is not known")
    nodes = tuple(_progress(row, required_text(row, "id")) for row in task.iterfind("node"))
    return TaskProgress(required_text(task, "task-id"), nodes, _progress(total, ""))


def _task(answer: CliAnswer) -> Element:
    for name in ("volRebalance", "volRemoveBrick"):
        if answer.root is not None and (element := answer.root.find(name)) is not None:
            return element
    return answer.element("volRebalance")


def _progress(row: Element, node: str) -> NodeProgress:
    return NodeProgress(
        node=node,
        state=required_number(row, "status"),
        state_text=required_text(row, "statusStr"),
        files=number_or_unknown(row, "files"),
        size=number_or_unknown(row, "size"),
        failures=number_or_unknown(row, "failures"),
        skipped=number_or_unknown(row, "skipped"),
        runtime_s=_seconds(row),
    )


def _seconds(row: Element) -> float | Unknown:
    text = (row.findtext("runtime") or "").strip()
    try:
        return float(text)
    except ValueError:
        return Unknown(f"gluster gave no number in <runtime> ({text!r})")
