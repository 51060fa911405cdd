"""Attack one target: python -m fuzz.one TARGET SECONDS SEED

A process of its own for each target, so that one that ends takes nothing else with it. Each input
has a seed of its own, written down before it is tried.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from random import Random

from fuzz.findings import Finding
from fuzz.targets import TARGETS

__all__ = ['main']


def main() -> None:
    """Attack until the time is over; a finding is told in one line, with exit status 1."""
    name, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    target = TARGETS[name]()
    end = time.monotonic() + seconds
    number = seed
    try:
        for number in itertools.count(seed):
            os.pwrite(1, f'{number:<20}\n'.encode(), 0)
            target.attack(Random(number))
            if time.monotonic() > end:
                break
        target.close()
    except Finding as finding:
        sys.stderr.write(f'{finding}\n')
        sys.exit(1)


if __name__ == '__main__':
    main()
