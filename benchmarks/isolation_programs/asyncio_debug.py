# flags: -X dev
"""Development mode: nothing is left open."""
import asyncio

asyncio.run(asyncio.sleep(0.3))
print("nothing to report")
