"""Put questions to Salt in one thread that lives as long as the process.

Salt's client leaves an event loop, three descriptors, in each thread that has ever used it
(facts.md#S-10.2): a thread for each question ends at the limit of 1,024 within the hour.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class AskingThread:
    """One question at a time; the thread begins with the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._questions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()

    @property
    def is_busy(self) -> bool:
        """Whether a question is under way."""
        return not self._is_idle.is_set()

    def begin(self, question: Callable[[], None]) -> bool:
        """Begin it, unless another one is under way; whether it was begun."""
        with self._guard:
            if self.is_busy:
                return False
            self._is_idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._questions.put(question)
        return True

    def wait(self, within_s: float) -> bool:
        """Wait until nothing is under way; whether that was so in time."""
        return self._is_idle.wait(within_s)

    def _run(self) -> None:
        while True:
            question = self._questions.get()
            try:
                question()
            except Exception:  # the next question needs this thread
                log.exception("a question failed")
            finally:
                self._is_idle.set()


class AskingTrouble:
    """Why nobody can be asked, once that has lasted: silence of minions is none of it.

    ``after_s``: a master that has just been started is not there at once. Not one failure alone.
    """

    def __init__(self, after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._after_s, self._clock = after_s, clock
        self._failures, self._since, self._why = 0, 0.0, ""

    def failed(self, why: str) -> None:
        """Note that a question could not be put."""
        if not self._failures:
            self._since = self._clock()
        self._failures, self._why = self._failures + 1, why

    def succeeded(self) -> None:
        """Note that a question went out."""
        self._failures = 0

    @property
    def why(self) -> str:
        """Say why no minion can be asked from here, or ""."""
        lasting = self._failures > 1 and self._clock() - self._since >= self._after_s
        return f"this master cannot ask its minions: {self._why}" if lasting else ""
