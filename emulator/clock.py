"""Virtual time: one clock for moto's timers, the pump and functions that run in this process.

`time-machine` moves the wall clock of the whole process. It ticks as usual, or stands still if it
was set to a moment; `skip` jumps forward, so that a batch window or a visibility timeout costs
nothing. `time.monotonic` stays real, and so do the clocks of other processes.
"""

from datetime import UTC, datetime, timedelta

import time_machine


class Clock:
    """The process's wall clock, shifted. Start and stop it once; it never goes back.

    One that begins `at` a moment stands still between jumps: whatever is done twice takes as long.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._travel = time_machine.travel(at or timedelta(0), tick=at is None)
        self._traveller: time_machine.Traveller | None = None

    def start(self) -> None:
        self._traveller = self._travel.start()

    def stop(self) -> None:
        if self._traveller is not None:
            self._travel.stop()
            self._traveller = None

    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return datetime.now(UTC)

    def skip(self, seconds: float) -> None:
        """Jump forward. Raises ValueError for a negative number, RuntimeError when not started."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        if self._traveller is None:
            raise RuntimeError("the clock is not started")
        self._traveller.shift(float(seconds))

    def skip_to(self, when: datetime) -> None:
        """Jump to a moment; nothing happens when it has passed."""
        self.skip(max(0.0, (when - self.now()).total_seconds()))
