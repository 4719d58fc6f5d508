"""The parent of `threadbridge run --workers`: it holds the listening sockets, and keeps workers behind them.

It imports Python's own library alone, so it takes a fifth of a worker's memory. A connection that arrives while a
worker is replaced waits in the socket, which is open all the time.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from bridge.workers.activation import notify
from bridge.workers.asking import Askers
from bridge.workers.child import Child, Stage, started
from bridge.workers.lines import Lines
from bridge.workers.post import LEAVE_SECONDS, Post
from bridge.workers.words import GO, LEFT, PREPARED, SERVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.workers.child import Spawn

PREPARE_SECONDS: Final = 60.0
"""For a successor to import, load and check, before its deploy is given up."""
_FORCED: Final = 1
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a parent has to know.

    `command` begins a worker in `folder`, a path that is looked up for each anew. `side_by_side`: two processes may
    have the store at the same time.
    """

    listening: Sequence[int]
    workers: int
    side_by_side: bool
    command: Sequence[str]
    folder: str
    address: str
    greeting: str
    as_json: bool

    def encoded(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


class Parent:
    """Runs until every worker has ended."""

    def __init__(self, plan: Plan, spawn: Spawn = started) -> None:
        """Nothing is begun yet. `spawn` makes a process out of a command, a folder and a descriptor to inherit."""
        self._plan = plan
        self._spawn = spawn
        self._lines = Lines(as_json=plan.as_json)
        self._posts = [Post(number, side_by_side=plan.side_by_side) for number in range(1, plan.workers + 1)]
        self._selector = selectors.DefaultSelector()
        self._askers = Askers(self._selector, self._status, self.deploy)
        self._signalled: list[int] = []
        self._has_terminal = os.isatty(0)
        self._was_ready = False
        self._stops = 0
        self._code = 0
        self._rollout: list[Post] = []
        """Posts whose worker is to be replaced; the first one's successor is under way."""
        self._began = 0.0
        """When this deploy began."""
        self._deploy_again = False

    def run(self) -> int:
        """The exit code."""
        self._watch_signals()
        if not self._askers.listen(self._plan.address):
            self._lines.write("warning", "deploy_by_signal_only", pid=os.getpid())
        for post in self._posts:
            post.current = self._begin(post)
        while any(post.is_manned for post in self._posts):
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._hear_signals()
            for post in self._posts:
                self._look_at(post)
        self._askers.close()
        self._lines.write("info", "stopped", pid=os.getpid())
        return self._code

    def _watch_signals(self) -> None:
        """Signals wake up the selector, and are heard after it: no handler runs in the middle of anything."""
        reading, writing = self._wakeup = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, lambda: reading.recv(4096))
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, lambda number, _: self._signalled.append(number))

    def _timeout(self) -> float | None:
        times = [post.again_at for post in self._posts] + [child.until for child in self._children()]
        due = min((at for at in times if at is not None), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _children(self) -> list[Child]:
        return [child for post in self._posts for child in post.children()]

    def _hear_signals(self) -> None:
        heard, self._signalled = self._signalled, []
        for number in heard:
            if number == signal.SIGHUP and not self._is_hung_up():
                self.deploy()
            elif number != signal.SIGCHLD:
                self._stop(signal.Signals(number).name)

    def _is_hung_up(self) -> bool:
        """Whether the terminal is gone that this process was started in: then SIGHUP says so, and asks for nothing."""
        if not self._has_terminal:
            return False
        with suppress(OSError):
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
            return False
        return True

    def _stop(self, reason: str) -> None:
        """Let every worker drain; the second time, let it go at once."""
        self._stops += 1
        self._lines.write("info", "stopping", signal=reason, pid=os.getpid())
        notify("STOPPING=1")
        self._end_deploy("the bridge is stopping")
        for post in self._posts:
            post.again_at = None
        for child in self._children():
            if self._stops == 1:
                child.stop()
                child.until = time.monotonic() + LEAVE_SECONDS
            else:
                child.process.send_signal(signal.SIGTERM)
                self._code = self._code or _FORCED

    def _begin(self, post: Post) -> Child:
        child = Child(post.number, self._plan.command, self._plan.folder, self._spawn)
        post.again_at = None
        child.listen(self._plan.listening)
        self._selector.register(child.link, selectors.EVENT_READ, lambda: self._hear(post, child))
        self._tell("worker_started", child)
        return child

    def _hear(self, post: Post, child: Child) -> None:
        words = child.hear()
        if words is None:
            self._selector.unregister(child.link)
            return
        for word in words if not self._stops else b"":
            if word == PREPARED[0]:
                self._prepared(post, child)
            elif word == LEFT[0]:
                self._tell("worker_left", child)
            elif word == SERVING[0]:
                self._serves(post, child)

    def _prepared(self, post: Post, child: Child) -> None:
        child.stage, child.until = Stage.PREPARED, None
        self._tell("worker_prepared", child)
        if child is post.successor:
            post.let_go()
        else:
            child.go(GO)

    def _serves(self, post: Post, child: Child) -> None:
        child.stage = Stage.SERVING
        self._tell("worker_serves", child)
        if child is post.successor:
            post.promote()
            self._rollout.remove(post)
            self._roll_on()
        else:
            post.let_go()
        if not self._was_ready and all(each.is_served for each in self._posts):
            self._was_ready = True
            with suppress(OSError):
                sys.stdout.write(f"{self._plan.greeting}\n")
                sys.stdout.flush()
            notify("READY=1")  # last: who hears it finds all else done

    def _look_at(self, post: Post) -> None:
        now = time.monotonic()
        for child in post.children():
            if child.ended():
                self._ended(post, child)
            elif child.until is not None and child.until <= now:
                child.until = None
                self._tell("worker_killed", child, level="error")
                child.process.send_signal(signal.SIGKILL)
        if post.again_at is not None and post.again_at <= now:
            post.current = self._begin(post)

    def _ended(self, post: Post, child: Child) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(child.link)
        child.link.close()
        was_successor = child is post.successor
        post.remove(child)
        self._tell("worker_ended", child, level="error" if child.code else "info", status=child.code)
        if self._stops:
            if child.stage is not Stage.STARTING:  # which had nothing to drain
                self._code = self._code or child.code or 0
            return
        if was_successor:
            self._end_deploy(f"worker {child.number} ended with exit code {child.code} before it served")
        post.let_go()
        if not post.children():
            self._replace(post, child)

    def _replace(self, post: Post, dead: Child) -> None:
        """Begin the next one; a bridge whose first start fails ends as it does."""
        if not self._was_ready and dead.stage is not Stage.SERVING:
            self._code = dead.code or _FORCED
            self._stop("SIGCHLD")
            return
        pause = post.begin_again(dead)
        self._lines.write("warning", "worker_restarts", worker=post.number, seconds=pause)

    def deploy(self) -> bool:
        """Replace every worker by a new process, one after the other; False: the bridge is stopping.

        Asked for while it is done, it is done once more: what the first workers read may have changed since.
        """
        if self._stops:
            return False
        if self._rollout:
            self._deploy_again = True
            return True
        self._rollout = [*self._posts]
        self._began = time.monotonic()
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._note("info", "deploy_began", pid=os.getpid())
        self._roll_on()
        return True

    def _roll_on(self) -> None:
        if not self._rollout:
            self._end_deploy()
            return
        post = self._rollout[0]
        post.successor = self._begin(post)
        post.successor.until = time.monotonic() + PREPARE_SECONDS

    def _end_deploy(self, reason: str | None = None) -> None:
        """It is done, or for a reason is not; workers that are replaced already stay."""
        if self._rollout or reason is None:
            self._rollout = []
            seconds = round(time.monotonic() - self._began, 3)
            if reason is None:
                self._note("info", "deployed", seconds=seconds)
            else:
                self._note("error", "deploy_failed", seconds=seconds, reason=reason)
            if not self._stops:
                notify("READY=1")
        if self._deploy_again and not self._stops:
            self._deploy_again = False
            self.deploy()
        else:
            self._askers.finish()

    def _tell(self, action: str, child: Child, level: str = "info", **fields: object) -> None:
        """What became of a worker, with the seconds since the deploy began, or since its own beginning."""
        seconds = time.monotonic() - self._began if self._rollout else child.age
        self._note(level, action, worker=child.number, pid=child.pid, seconds=round(seconds, 3), **fields)

    def _note(self, level: str, action: str, **fields: object) -> None:
        self._lines.write(level, action, **fields)
        self._askers.tell({"action": action, **fields})

    def _status(self) -> dict[str, object]:
        """See words.STATUS."""
        workers = [
            {"worker": child.number, "pid": child.pid, "stage": child.stage.value, "seconds": round(child.age, 1)}
            for child in self._children()
        ]
        return {"pid": os.getpid(), "deploying": bool(self._rollout), "workers": workers}


def main() -> None:
    """Run as the last argument says: see Plan."""
    sys.exit(Parent(Plan(**json.loads(sys.argv[-1]))).run())
