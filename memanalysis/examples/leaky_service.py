"""A web shop's session service that leaks: each login registers a session, and logging out forgets to remove it.

Users log in, view a few products and log out again. At most a few dozen are logged in. The sessions of those who left
stay in the registry, with the page that was rendered for them: about 0.8 MB per second.
"""

import random
from dataclasses import dataclass, field

import memanalysis
from memanalysis.examples.pace import keep_pace, read_arguments

SERVICE = "leaky_service"

REQUESTS_PER_SECOND = 60
LOGIN_SHARE = 1 / 3
MAX_LOGGED_IN = 30

PRODUCTS = 2_000
PRODUCTS_A_PAGE = 80

ROW = "<tr><td>{name}</td><td>{text}</td><td>{price:.2f}</td></tr>\n"


@dataclass(slots=True)
class Session:
    """One user's visit."""

    user: str
    page: str
    seen: set[int] = field(default_factory=set)


class Shop:
    """The products, and the sessions of those who are logged in."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._products = [
            {"name": f"product {number}", "text": rng.randbytes(220).hex(), "price": rng.uniform(1, 500)}
            for number in range(PRODUCTS)
        ]
        self._sessions: dict[str, Session] = {}
        self._logged_in: list[str] = []

    def handle(self, number: int) -> str:
        """Answer one request."""
        if not self._logged_in or self._rng.random() < LOGIN_SHARE:
            return self._log_in(f"user {number}")
        token = self._rng.choice(self._logged_in)
        if len(self._logged_in) > MAX_LOGGED_IN or self._rng.random() < LOGIN_SHARE:
            return self._log_out(token)
        return self._view(token, self._rng.randrange(len(self._products)))

    def _log_in(self, user: str) -> str:
        token = self._rng.randbytes(16).hex()
        rows = [ROW.format(**product) for product in self._rng.choices(self._products, k=PRODUCTS_A_PAGE)]
        self._sessions[token] = Session(user, page="".join(rows))  # the leak
        self._logged_in.append(token)
        return token

    def _view(self, token: str, product: int) -> str:
        self._sessions[token].seen.add(product)
        return ROW.format(**self._products[product])

    def _log_out(self, token: str) -> str:
        self._logged_in.remove(token)  # and its session? Nobody thought of it.
        return "goodbye"


def main() -> None:
    """Serve for as long as was asked."""
    arguments = read_arguments("A small service that leaks through a registry nobody empties.")
    shop = Shop(random.Random(20))  # noqa: S311  the same run every time
    with memanalysis.watch(
        SERVICE,
        ledger=arguments.ledger,
        policy=arguments.policy,
        interval=arguments.interval_s,
        snapshot_interval=arguments.snapshot_interval_s,
        check_leaks=False,
        trace="full",
    ):
        for number in keep_pace(REQUESTS_PER_SECOND, seconds=arguments.seconds):
            shop.handle(number)


if __name__ == "__main__":
    main()
