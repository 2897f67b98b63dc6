"""A thumbnail service with a cache: it grows while the cache fills, and stays flat once the cache is full.

The cache holds a fixed number of pictures and evicts the least recently used one. It is as big as the
pictures that are asked for in the first 40 % of the run; from then on every new picture replaces an old one.
"""

import random
import zlib
from collections import OrderedDict

import memanalysis
from memanalysis.examples.pace import keep_pace, read_arguments
from memanalysis.units import KIB, MIB

SERVICE = "warming_cache"

REQUESTS_PER_SECOND = 60
CACHE_BYTES = 16 * MIB
FILLING_SHARE = 0.4

PICTURES_TO_CACHE = 3
"""Three times as many pictures are asked for as fit."""

MISSES_WHILE_FILLING = 0.82
"""Share of requests for a picture that is not there yet, until a third of all are: (1 - e^-x = 1/3) / x."""


class ThumbnailCache:
    """Holds the most recently used pictures, at most ``capacity`` of them."""

    def __init__(self, capacity: int, picture_bytes: int, rng: random.Random) -> None:
        self.capacity = capacity
        self._picture_bytes = picture_bytes
        self._rng = rng
        self._pictures: OrderedDict[int, bytes] = OrderedDict()

    def serve(self, number: int) -> int:
        """Return the checksum of a picture, from the cache if it is there."""
        picture = self._pictures.get(number)
        if picture is None:
            picture = self._pictures[number] = self._draw(number)
        self._pictures.move_to_end(number)
        while len(self._pictures) > self.capacity:
            self._pictures.popitem(last=False)
        return zlib.crc32(picture)

    def _draw(self, number: int) -> bytes:
        line = self._rng.randbytes(KIB) + number.to_bytes(4, "big")
        return line * (self._picture_bytes // len(line) + 1)


def main() -> None:
    """Serve for as long as was asked."""
    arguments = read_arguments("A small service whose cache warms up and then stays as it is.")
    rng = random.Random(30)  # noqa: S311  the same run every time
    capacity = max(1, round(FILLING_SHARE * arguments.seconds * REQUESTS_PER_SECOND * MISSES_WHILE_FILLING))
    cache = ThumbnailCache(capacity, CACHE_BYTES // capacity, rng)
    with memanalysis.watch(
        SERVICE,
        ledger=arguments.ledger,
        policy=arguments.policy,
        interval=arguments.interval_s,
        snapshot_interval=arguments.snapshot_interval_s,
        check_leaks=False,
        trace="full",
    ):
        for _ in keep_pace(REQUESTS_PER_SECOND, seconds=arguments.seconds):
            cache.serve(rng.randrange(PICTURES_TO_CACHE * capacity))


if __name__ == "__main__":
    main()
