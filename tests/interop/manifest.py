"""Other engines read a dataset in place, through export-manifest: DuckDB and pyarrow see exactly the
rows that s3store sees, all versions and the latest ones, and no orphan.

    manifest.py COMMAND FOLDER
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import duckdb
import pyarrow.dataset
import pyarrow.parquet

COMMAND = os.path.abspath(sys.argv[1])
FOLDER = pathlib.Path(sys.argv[2]) / "manifest"
COLUMNS = ["id", "site", "v", "n", "place", "tags", "who", "time"]
NESTED = "tags:list<string>,who:struct<age:int32,at:list<double>>"


def run(*arguments, text=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run([COMMAND, *arguments], input=text, env=env, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.returncode}: {done.stderr}")
    return done.stdout


def make(dice, url):
    """Writes, some of them with the same versions again, some with new columns."""
    run("init", url, "--partition-by", "day=time:day,site", "--entity", "id", "--version", "v")
    for batch in range(12):
        rows = []
        for _ in range(dice.randrange(1, 30)):
            row = {"id": f"e{dice.randrange(12)}", "site": dice.choice(["a", "it's", "b=c", "ü"]),
                   "v": dice.randrange(4), "n": dice.randrange(1000),
                   "time": f"2018-02-0{dice.randrange(1, 4)}T0{dice.randrange(10)}:00:00Z"}
            if batch > 6:
                row["place"] = dice.choice(["Alaska", None])
                row["tags"] = dice.choice([None, [], ["a", None, "ü"]])
                row["who"] = dice.choice([None, {"age": None, "at": [0.5, None]},
                                          {"age": dice.randrange(9), "at": None}])
            rows.append(json.dumps(row))
        run("write", url, "-", "--token", f"batch-{batch:02}",
            *(["--types", NESTED] if batch > 6 else []), text="\n".join(rows) + "\n")


def leave_orphans(dice, store):
    """Attempts that were never committed, and commits that are gone."""
    files = sorted(store.rglob("data/**/*.parquet"))
    for path in dice.sample(files, 5):
        token, attempt = path.stem[:-33], path.stem[-32:]
        other = "".join(dice.choice("0123456789abcdef") for _ in attempt)
        shutil.copy(path, path.with_name(f"{token}-{other}.parquet"))
    for path in dice.sample(sorted(store.rglob("data/**/*.commit")), 3):
        path.unlink()


def as_set(rows):
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


def ours(url, *options):
    rows = [json.loads(line) for line in run("read", url, *options).splitlines()]
    return as_set({name: row.get(name) for name in COLUMNS} for row in rows)


def theirs(connection, view):
    found = connection.execute(
        f"select id, site, v, n, place, tags, who, strftime(time, '%Y-%m-%dT%H:%M:%SZ') as time, day "
        f"from \"{view}\"").fetchall()
    for row in found:
        assert row[7].startswith(row[8]), row  # the column that only the key has
    return as_set(dict(zip(COLUMNS, row)) for row in found)


def check(seed):
    dice = random.Random(seed)
    store = FOLDER / f"s{seed}"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    url = f"file://{store}/quakes?fsync=0"
    make(dice, url)
    run("read", url)  # whole before
    leave_orphans(dice, store)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(run("export-manifest", url, "--format", "duckdb"))
    assert theirs(connection, "quakes_latest") == ours(url), "the latest rows differ"
    # All rows: history collapses replicas, so it is compared by what is distinct in it.
    every = ours(url, "--history")
    assert set(every) <= set(theirs(connection, "quakes")), "rows are missing"
    paths = run("export-manifest", url).splitlines()
    rows = sum(pyarrow.parquet.read_metadata(p).num_rows for p in paths)
    assert rows == len(theirs(connection, "quakes")), "the number of rows differs"
    assert rows == pyarrow.dataset.dataset(paths, format="parquet").count_rows()
    listed = run("ls", url).splitlines()
    assert [str(store / p) for p in listed] == paths, "the files are not those that are committed"
    # What a glob would have shown.
    globbed = len(list(store.rglob("data/**/*.parquet")))
    assert globbed > len(paths), "there were no orphans"
    run("export-manifest", url, "--format", "symlink", "--output", str(store / "m"))
    named = []
    for manifest in (store / "m").rglob("manifest"):
        partition = str(manifest.parent.relative_to(store / "m"))
        for line in manifest.read_text(encoding="utf-8").splitlines():
            assert f"/data/{partition}/" in line
            named.append(line)
    assert sorted(named) == sorted(paths), "the manifests name other files"
    return f"seed {seed}: {rows} rows of {len(paths)} files, {globbed - len(paths)} orphans unseen"


for SEED in range(1, 9):
    print(check(SEED))
