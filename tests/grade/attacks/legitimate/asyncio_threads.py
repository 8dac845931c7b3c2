# problem: Attack/add
# why: hands work from an event loop to threads
# verdict: passed
import asyncio


def solve(a, b):
    async def work():
        return await asyncio.to_thread(lambda: a + b)

    return asyncio.run(work())
