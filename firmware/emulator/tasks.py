"""Tasks and their queue for the frozen asyncio, on the emulated clock: equal times run in the order they came.

This takes the place of the built-in `_asyncio`, which stamps tasks with real ticks. The interface is the one that
MicroPython's asyncio core uses. `state` of a task is True while it runs and nobody waits for it, a TaskQueue of those
who do, None when it has ended unawaited, False when it has ended and that is known, or a callable."""

from emulator.chip import ticks_diff, ticks_ms


class TaskQueue:
    """Tasks in the order of their times: a linked list through the tasks, so that pushing allocates nothing."""

    def __init__(self):
        self._first = None

    def peek(self):
        return self._first

    def push(self, task, time_ms=None):
        task.data = None
        task.ph_key = ticks_ms() if time_ms is None else time_ms
        before, after = None, self._first
        while after is not None and ticks_diff(after.ph_key, task.ph_key) <= 0:
            before, after = after, after._next
        task._next = after
        if before is None:
            self._first = task
        else:
            before._next = task

    def pop(self):
        task = self._first
        if task is None:
            raise IndexError("empty heap")
        self._first = task._next
        task._next = None
        return task

    def remove(self, task):
        if self._first is task:
            self._first = task._next
        else:
            before = self._first
            while before is not None and before._next is not task:
                before = before._next
            if before is not None:
                before._next = task._next
        task._next = None


class Task:
    """A coroutine on its way. `context` holds the core's cur_task, _task_queue and CancelledError."""

    def __init__(self, coro, context=None):
        self.coro = coro
        self.data = None  # what it waits on; an exception to raise in it; its result
        self.state = True
        self.ph_key = 0
        self._next = None
        self._context = context

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        waiting = self._context["cur_task"]
        self.state.push(waiting)
        waiting.data = self

    def done(self):
        return not self.state

    def cancel(self):
        """Raise CancelledError in it, or in what it waits for. Returns False when it has already ended."""
        if not self.state:
            return False
        if self is self._context["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        run_queue = self._context["_task_queue"]
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            run_queue.push(task)
        elif ticks_diff(task.ph_key, ticks_ms()) > 0:
            run_queue.remove(task)
            run_queue.push(task)
        task.data = self._context["CancelledError"]
        return True
