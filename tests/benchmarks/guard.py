"""How long the guard takes for 2 KB of text, in one thread, without the web around it."""

import time
from itertools import cycle
from typing import Any

from app.scanners.guard import assess, preload
from tests.scanners.guard.evaluate import HELD_APART, read

SIZE = 2_048
GOAL = 5.0
PROSE = "The quarterly report shows that revenue grew by 4.2 percent, while shipment 8812 was late until 14 March. "


def figures() -> list[dict[str, Any]]:
    """Milliseconds of one `assess` of 2,048 characters: labelled texts mixed, half with findings; and plain prose."""
    preload()
    found = []
    for name, samples in (("mixed texts", _mixed()), ("prose", [(PROSE * 20)[:SIZE]] * 100)):
        elapsed, core = _times(samples)
        for clock, times in (("elapsed", elapsed), ("of a core", core)):
            found.append(_figure(f"guard: assess 2 KB of {name}, {clock}, p50", _at(times, 0.50), None))
            found.append(_figure(f"guard: assess 2 KB of {name}, {clock}, p95", _at(times, 0.95), GOAL))
    return found


def _mixed() -> list[str]:
    texts = [text.text for text in read(HELD_APART)]
    samples = []
    for first in range(0, len(texts), 2):
        following = cycle(texts[first:] + texts[:first])
        sample = ""
        while len(sample) < SIZE:
            sample += next(following) + "\n"
        samples.append(sample[:SIZE])
    return samples


def _times(samples: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds on the clock, and of processor time, which other processes do not lengthen; both sorted."""
    elapsed, core = [], []
    for sample in samples:
        assess(sample)
    for sample in samples * 3:
        start, start_core = time.perf_counter(), time.thread_time()
        assess(sample)
        elapsed.append((time.perf_counter() - start) * 1000)
        core.append((time.thread_time() - start_core) * 1000)
    return sorted(elapsed), sorted(core)


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def _figure(name: str, value: float, goal: float | None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": "ms", "baseline": None, "ratio": None, "goal": goal}


if __name__ == "__main__":
    for figure in figures():
        print(figure)
