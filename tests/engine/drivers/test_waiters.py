"""Coroutines that wait for something to come about in a chart."""

from __future__ import annotations

import asyncio
import threading

from farscope.engine.drivers.waiters import Waiters


def test_who_waits_is_asked_again_each_time_and_goes_when_it_no_longer_holds():
    async def main():
        waiters = Waiters()
        left = 3

        def holds():
            return left > 0

        task = asyncio.create_task(waiters.wait_while(holds))
        while left:
            await asyncio.sleep(0)
            left -= len(waiters.futures)
            waiters.release()
        await task
        assert not waiters.futures

    asyncio.run(main())


def test_who_gives_up_waiting_leaves_nothing_behind():
    async def main():
        waiters = Waiters()
        task = asyncio.create_task(waiters.wait_while(lambda: True))
        await asyncio.sleep(0)
        assert waiters.futures
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert not waiters.futures

    asyncio.run(main())


def test_letting_go_reaches_other_loops_and_passes_over_closed_ones():
    waiters = Waiters()
    closed = asyncio.new_event_loop()
    waiters.futures.append(closed.create_future())
    closed.close()
    holds = threading.Event()

    def elsewhere():
        asyncio.run(waiters.wait_while(lambda: not holds.is_set()))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    while len(waiters.futures) < 2:
        thread.join(0.001)
    holds.set()
    waiters.release()
    thread.join()
    assert not waiters.futures
