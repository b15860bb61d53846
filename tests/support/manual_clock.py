"""A clock that a test moves, and the sleep that moves it."""


class ManualClock:
    """Starts at `now_ms`; `sleep` passes the time at once and remembers how long it was."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = float(now_ms)
        self.slept: list[float] = []

    def now(self) -> int:
        return int(self._now_ms)

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def pass_seconds(self, seconds: float) -> None:
        """Moves the time on."""
        self._now_ms += seconds * 1000

    async def sleep(self, seconds: float) -> None:
        """Stands in for `asyncio.sleep`."""
        self.slept.append(seconds)
        self.pass_seconds(seconds)
