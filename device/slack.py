"""Spends the time between two deadlines on small jobs. Knows no job by name and never waits."""

from __future__ import annotations

from collections.abc import Callable

from device.health import Health
from hw.timing import Time

NS_PER_US = 1000
STARVED_NS = 250_000_000


class Job:
    """Something to do every `every_ms`, which takes at the most `worst_us`."""

    def __init__(self, do: Callable[[], None], every_ms: float, worst_us: float):
        self.do = do
        self.every_ns = int(every_ms * 1_000_000)
        self.worst_ns = int(worst_us * NS_PER_US)
        self.next_ns = 0


class Slack:
    """Runs the jobs that are due and that fit before the next deadline.

    Music may be so dense that a job never fits: one that has waited for a quarter of a second runs all the
    same, since a box that can no longer be stopped is worse than one late hit.

    On stage a fault in a job must not stop the music: `on_fault` is told, and the other jobs go on.
    """

    def __init__(self, time: Time, jobs: list[Job], health: Health):
        self.time = time
        self.jobs = jobs
        self.health = health
        self.on_fault: Callable[[Job, Exception], None] | None = None  # None: a fault is raised

    def spend(self, until: int) -> None:
        for job in self.jobs:
            now = self.time.now()
            starved = now - job.next_ns > STARVED_NS and now < until
            if now < job.next_ns or (now + job.worst_ns > until and not starved):
                continue
            try:
                job.do()
            except Exception as error:
                if self.on_fault is None:
                    raise
                self.on_fault(job, error)
            done = self.time.now()
            job.next_ns = now + job.every_ns
            if done - now > job.worst_ns:
                self.health.overruns += 1
