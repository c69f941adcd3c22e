"""The blocks of the guides that other engines run: sql by DuckDB, python by Python with pyarrow, in the
order of the document, after and between its shell blocks. What they find is what s3store finds.

    engines.py COMMAND FOLDER
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import duckdb

COMMAND = os.path.abspath(sys.argv[1])
FOLDER = pathlib.Path(sys.argv[2]).resolve() / "guides"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KINDS = {"sh", "sql", "python"}


def blocks(path):
    return re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)


class Reader:
    """A folder in which one document is followed."""

    def __init__(self, name):
        self.folder = FOLDER / name
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "examples").symlink_to(ROOT / "examples")
        (self.folder / "bin" / "s3store").symlink_to(COMMAND)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.env["PATH"] = f"{self.folder}/bin:{self.env['PATH']}"
        self.script = "set -euo pipefail\n"
        self.names = {}
        self.found = []

    def sh(self, text):
        """Variables of earlier blocks hold: they are kept in a file."""
        subprocess.run(["bash", "-euo", "pipefail", "-c",
                        f"[ ! -e .vars ] || . ./.vars\n{text}\ndeclare -p URL >.vars"],
                       cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def sql(self, text):
        connection = duckdb.connect()
        for init in sorted(self.folder.glob("*.sql")):
            connection.execute(init.read_text(encoding="utf-8"))
        self.found = connection.execute(text).fetchall()

    def python(self, text):
        os.chdir(self.folder)
        exec(compile(text, "guide", "exec"), self.names)  # pylint: disable=exec-used

    def ours(self, *arguments):
        url = re.search(r'URL="(.*)"', (self.folder / ".vars").read_text(encoding="utf-8")).group(1)
        out = subprocess.run([COMMAND, "read", url, *arguments], env=self.env, check=True,
                             capture_output=True, text=True).stdout
        return [json.loads(line) for line in out.splitlines()]


def check_engines(reader):
    """docs/guides/engines.md: the answers."""
    want = {}
    for row in reader.ours():
        count, top = want.get(row["day"], (0, None))
        values = [m for m in (top, row["mag"]) if m is not None]
        want[row["day"]] = (count + 1, max(values) if values else None)
    got = {str(day): (count, top) for day, count, top in reader.found}
    assert got == want and len(want) > 3, f"DuckDB: {got}, s3store: {want}"
    table = reader.names["table"]
    rows = reader.ours("day=2018-02-0*", "--history", "--columns", "id,mag")
    assert table.column_names == ["id", "mag"], table.column_names
    assert sorted(map(str, table.to_pylist())) == sorted(map(str, rows)), "pyarrow: other rows"


def main():
    followed = 0
    for path in sorted((ROOT / "docs/guides").glob("*.md")):
        found = blocks(path)
        if not any(kind in ("sql", "python") for kind, _ in found):
            continue
        reader = Reader(path.stem)
        for kind, text in found:
            if kind in KINDS:
                getattr(reader, kind)(text)
                followed += 1
        check = globals().get(f"check_{path.stem}")
        assert check, f"{path}: nothing looks at what its engines find"
        check(reader)
    assert followed > 3
    print(f"{followed} blocks")


main()
