"""The least that a first apply can cost: one process that parses the files and copies the rows, and decides
nothing. It imports what it needs for that and nothing of ours.

    python floor.py DIRECTORY ROWS URL

DIRECTORY holds the files; ROWS holds a file `NN-TABLE` with each table's rows as `COPY … TO` wrote them.
"""

import gc
import sys
import time
from pathlib import Path

import psycopg
from yaml.cyaml import CParser

BLOCK = 1 << 20


class Composer(CParser):
    """The C parser's own composer, with the cheapest resolver that there can be: every tag is empty."""

    def resolve(self, _kind, _value, _implicit):
        return ""

    def descend_resolver(self, _parent, _index):
        pass

    def ascend_resolver(self):
        pass


def compose(directory: Path) -> int:
    """Compose every file and drop it; how many there were."""
    files = sorted(directory.rglob("*.yaml"))
    for path in files:
        if Composer(path.read_bytes()).get_single_node() is None:
            raise SystemExit(f"{path} is empty")
    return len(files)


def copy(rows: Path, url: str) -> None:
    """Copy every table's rows in one transaction, as `\\copy` does."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for path in sorted(rows.iterdir()):
            table = path.name.partition("-")[2]
            with cursor.copy(f'COPY "{table}" FROM STDIN') as copying, path.open("rb") as file:
                while block := file.read(BLOCK):
                    copying.write(block)


def main() -> None:
    directory, rows, url = sys.argv[1:]
    gc.disable()
    began = time.perf_counter()
    files = compose(Path(directory))
    composed = time.perf_counter()
    copy(Path(rows), url)
    done = time.perf_counter()
    print(f"{files} files (compose {composed - began:.3f} s, copy {done - composed:.3f} s)")


if __name__ == "__main__":
    main()
