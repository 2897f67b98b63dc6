"""Tasks, a time limit and a child of asyncio's."""
import asyncio


async def main():
    results = await asyncio.gather(*(asyncio.sleep(0.01, n) for n in range(10)))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except TimeoutError:
        results.append("late")
    child = await asyncio.create_subprocess_exec("sh", "-c", "exit 3")
    print(results, await child.wait())


asyncio.run(main())
