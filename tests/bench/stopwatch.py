"""Runs one command and notes what it took, as a process of its own: a child's peak memory starts at that of
whoever started it, and this one is as small as Python gets.

    python -I -S stopwatch.py NOTE COMMAND ARGUMENT...
"""

import json
import os
import sys
import time


def main() -> int:
    """Run the command, write the figures (seconds and bytes) to the file NOTE, and end as the command did."""
    note, *words = sys.argv[1:]
    began = time.perf_counter()
    child = os.posix_spawn(words[0], words, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {"wall": wall, "user": used.ru_utime, "system": used.ru_stime, "peak": used.ru_maxrss * unit}
    with open(note, "w", encoding="utf-8") as file:  # noqa: PTH123 pathlib would be the largest import here
        json.dump(figures, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
