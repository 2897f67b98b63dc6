"""Which tasks of a real loop nothing can wake: each case by what the program still refers to."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from memanalysis.capture.holders import find_holders
from memanalysis.capture.objects import name_type
from memanalysis.capture.stranded_tasks import find_stranded_tasks

pytestmark = pytest.mark.slow  # what refers to a task is sought among all objects of the suite's process

QUEUES: list["asyncio.Queue[int]"] = []
FUTURES: list["asyncio.Future[None]"] = []
TASKS: set["asyncio.Task[Any]"] = set()

Waiting = Callable[[], Coroutine[Any, Any, Any]]


async def _future() -> None:
    await asyncio.get_running_loop().create_future()


async def _own_queue() -> None:
    await asyncio.Queue[int]().get()


async def _own_event() -> None:
    await asyncio.Event().wait()


async def _lock_of_its_own() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def _child() -> None:
    await asyncio.create_task(_future())


async def _children() -> None:
    await asyncio.gather(_future(), _own_event())


async def _forgotten_callback() -> None:
    future = asyncio.get_running_loop().create_future()
    wake = lambda: future.set_result(None)  # noqa: E731
    await future
    wake()


async def _sleep() -> None:
    await asyncio.sleep(1000)


async def _time_limit() -> None:
    await asyncio.wait_for(_future(), 1000)


async def _time_limit_of_a_block() -> None:
    async with asyncio.timeout(1000):
        await _future()


async def _time_limit_without_end() -> None:
    async with asyncio.timeout(None):
        await _future()


async def _known_queue() -> None:
    QUEUES.append(asyncio.Queue())
    await QUEUES[-1].get()


async def _known_future() -> None:
    FUTURES.append(asyncio.get_running_loop().create_future())
    await FUTURES[-1]


async def _child_that_sleeps() -> None:
    await asyncio.gather(_future(), _sleep())


async def _timer() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(1000, lambda: future.set_result(None))
    await future


async def _thread() -> None:
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.5)


async def _connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


STRANDED: list[Waiting] = [
    _future,
    _own_queue,
    _own_event,
    _lock_of_its_own,
    _child,
    _children,
    _forgotten_callback,
    _time_limit_without_end,
]
WAKEABLE: list[Waiting] = [
    _sleep,
    _time_limit,
    _time_limit_of_a_block,
    _known_queue,
    _known_future,
    _child_that_sleeps,
    _timer,
    _thread,
    _connection,
]


def run_beside(make: list[Waiting], check: Callable[[list["asyncio.Task[Any]"]], Any]) -> Any:
    """Start tasks, let them wait, give the answer of the check, and end them."""
    gc.collect()  # what earlier tests left

    async def main() -> Any:
        tasks = [asyncio.create_task(each(), name=each.__name__) for each in make]
        TASKS.update(tasks)
        for _ in range(20):  # children start
            await asyncio.sleep(0.005)
        try:
            return check(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    try:
        return asyncio.run(main())
    finally:
        TASKS.clear()
        FUTURES.clear()
        QUEUES.clear()


def test_a_task_is_stranded_where_only_tasks_of_the_same_fate_refer_to_what_it_waits_for() -> None:
    def check(tasks: list["asyncio.Task[Any]"]) -> list[str]:
        stranded = find_stranded_tasks(tasks, seconds=30)
        return [task.get_name() for task in tasks if id(task) in stranded]

    found = run_beside(STRANDED + WAKEABLE, check)

    assert found == [each.__name__ for each in STRANDED]


@pytest.mark.parametrize("keep", ["future", "queue"])
def test_a_reference_of_a_running_function_is_a_way_to_wake_it(keep: str) -> None:
    """A local variable of the function that checks: no object that the collector sees refers to it."""

    async def main() -> set[int]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def wait() -> None:
            await (future if keep == "future" else queue.get())

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        found = find_stranded_tasks([task], seconds=30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return found

    assert asyncio.run(main()) == set()


def test_tasks_of_a_loop_that_goes_on_in_another_thread_are_never_stranded() -> None:
    """Each wakes a thousand times a second, also while its references are followed."""
    tasks: list[asyncio.Task[Any]] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)

    async def main(started: threading.Event, ended: asyncio.Event) -> None:
        tasks.extend(asyncio.create_task(tick()) for _ in range(10))
        started.set()
        await ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop, started, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[main(started, ended)])
    thread.start()
    assert started.wait(timeout=30)
    found = [find_stranded_tasks(tasks, seconds=30) for _ in range(10)]
    loop.call_soon_threadsafe(ended.set)
    thread.join(timeout=30)
    loop.close()

    assert found == [set()] * 10


def test_where_the_time_is_over_nothing_is_called_stranded() -> None:
    assert run_beside([_own_queue], lambda tasks: find_stranded_tasks(tasks, seconds=0)) == set()


@pytest.mark.parametrize("kind", [asyncio.Task, asyncio.Queue])
def test_the_chain_that_holds_tasks_says_how_many_nothing_can_wake(kind: type) -> None:
    """Sixty tasks that nothing can wake, each with a queue, and then sixty that wait for queues of the module."""

    def check(_tasks: list["asyncio.Task[Any]"]) -> list[str]:
        found = find_holders(name_type(kind), seconds=30, newest=120, sample=120)
        return [chain.text for chain in found if "Task" in chain.text]

    (text,) = run_beside([_own_queue] * 60 + [_known_queue] * 60, check)

    assert f"-> list -> {name_type(asyncio.Task)}" in text
    assert text.endswith(f"{kind.__name__} (nothing can wake 5 of 10 tasks checked)")


def test_what_is_no_task_is_passed_over() -> None:
    assert find_stranded_tasks([1, "text", None, find_stranded_tasks]) == set()
