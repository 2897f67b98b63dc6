"""All tables of the sampler in one run; each can be run alone: ``python -m benchmarks.sampler.cost`` and so on."""

from benchmarks.sampler import cost, pause, peers, slow_leak, truth

__all__ = ["main"]


def main() -> None:
    """Print the tables."""
    cost.main()
    peers.main()
    truth.main()
    pause.main()
    slow_leak.main()
