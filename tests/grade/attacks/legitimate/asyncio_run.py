# problem: Attack/sum
# why: runs an event loop for each call
# verdict: passed
import asyncio


async def later(value):
    await asyncio.sleep(0)
    return value


async def both(a, b):
    return sum(await asyncio.gather(later(a), later(b)))


def solve(a, b):
    return asyncio.run(both(a, b))
