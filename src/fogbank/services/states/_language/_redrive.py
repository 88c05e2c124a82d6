"""Redrive: an execution that ended without success goes on where it stopped.

States that were left stay as they are. A state that failed, timed out or was aborted is run again with the same input:
of a Parallel or an inline Map only the branches and iterations that did not succeed, of a distributed Map only such
child executions; all of them where the state's result was too large. Retriers begin anew, and so does the time that
TimeoutSeconds of the state machine gives.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from collections.abc import Callable

from fogbank.services.states._language._joins import JoinSteps
from fogbank.services.states._language._threads import Join, Thread
from fogbank.services.states._language.definition import Kind
from fogbank.services.states._language.failures import DATA_LIMIT


class RedriveSteps(JoinSteps):
    """The steps of a redrive."""

    def run_state(self, thread: Thread) -> Callable[[], None]:
        """What its state does, once it was entered."""
        raise NotImplementedError

    def redrive(self) -> None:
        """Go on."""
        self.redrives += 1
        self.began = self.now
        self.status, self.output, self.error, self.cause = "RUNNING", None, None, None
        self.main.cursor = self.sink.count
        self.emit(self.main, "ExecutionRedriven", {"redriveCount": self.redrives})
        self._redrive_thread(self.main, self.main.cursor)

    def _redrive_thread(self, thread: Thread, cursor: int) -> None:
        thread.cursor = cursor
        thread.redriven = self.redrives
        thread.attempts = {}
        thread.retried = 0
        thread.waiting = None
        join, thread.broken = thread.join or thread.broken, None
        thread.join = None
        failed, thread.failed = thread.failed, None
        if join is None or failed == DATA_LIMIT:
            self._again(thread)
        elif join.run is not None:
            self.guarded(thread, lambda: self.redrive_run(join))
        else:
            self._redrive_join(thread, join)

    def _redrive_join(self, thread: Thread, join: Join) -> None:
        thread.join = join
        join.cursor = join.last = thread.cursor
        children = {**join.broken, **join.children}
        join.broken, join.children = {}, dict(sorted(children.items()))
        for child in list(join.children.values()):
            if thread.join is join and child.index in join.children:
                self._redrive_thread(child, thread.cursor)
        if thread.join is not join or thread.state.kind is not Kind.MAP:
            return
        if join.finished == len(join.items):
            self._map_ended(join)
        else:
            self.guarded(thread, lambda: self.start_iterations(join))

    def _again(self, thread: Thread) -> None:
        """Run its state again. One that was never entered is entered; Fail is entered once more."""
        if thread.entered == 0 or thread.state.kind is Kind.FAIL:
            self.ready.append(thread)
            return
        thread.entered_at = self.now
        self.guarded(thread, self.run_state(thread))
