"""The least that a run can cost: one process that connects, reads the files and hashes them. It imports what
it needs for that and nothing of ours.

    python reading_floor.py DIRECTORY URL
"""

import hashlib
import sys
from pathlib import Path

import psycopg


def main() -> None:
    directory, url = sys.argv[1:]
    with psycopg.connect(url):
        files = [hashlib.sha256(path.read_bytes()).digest() for path in sorted(Path(directory).iterdir())]
    print(f"{len(files)} files")


if __name__ == "__main__":
    main()
