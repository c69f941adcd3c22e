#!/usr/bin/env python3
"""Latest per entity against DuckDB's best of three forms, one thread on the same core each, CPU
seconds. Exits 77 where the Python package duckdb is not installed.

    latest.py BUILD [ROWS]

Both sides do the same. In memory: rows that lie in the form of each (Arrow batches; a table) to rows
in that form, the same seven columns, all of them kept until the clock has stopped; the best of as
many tries, within one process. What the result of the try before takes to free is in neither. Ours
comes in the order of the keys, which is not asked of DuckDB. From files: the same Parquet files,
to batches that are let go at once here, to a table there; reported only.
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 3
TRIES = 3  # in each round; also of latest.c
FORMS = {
    "window": "SELECT * EXCLUDE (rank) FROM (SELECT *, row_number() OVER (PARTITION BY {key} "
              "ORDER BY version DESC) AS rank FROM {rows}) WHERE rank = 1",
    "qualify": "SELECT * FROM {rows} QUALIFY row_number() OVER (PARTITION BY {key} "
               "ORDER BY version DESC) = 1",
    "arg_max": "SELECT {key}, max(version), {rest} FROM {rows} GROUP BY {key}",
}
COLUMNS = ["carrier", "number", "origin", "id", "delay", "distance"]
# The rows of latest.c; sparse ids are others there, as random as these.
MAKE = ("CREATE TEMP TABLE flights AS SELECT 'C' || chr(65 + (e % 25)::int) AS carrier, "
        "(e // 7500)::int AS number, 'O' || lpad(((e // 25) % 300)::varchar, 3, '0') AS origin, {id} AS id, "
        "i AS version, i % 977 AS delay, (i % 4001) / 2.0::double AS distance "
        "FROM (SELECT i, (i * 2654435761) % {entities} AS e FROM range({rows}) r(i))")
KINDS = {  # the key, ids, and ours over theirs at most, of merging what is in memory
    "wide": (["carrier", "number", "origin"], "e", 1.0),
    "narrow": (["id"], "e", 0.5),
    "sparse": (["id"], "(hash(e) & 9223372036854775807)::bigint", 0.6),
}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def duck(con, form, key, rows):
    rest = ", ".join(f"arg_max({c}, version) AS {c}" for c in COLUMNS if c not in key)
    query = FORMS[form].format(key=", ".join(key), rest=rest, rows=rows)
    took = []
    for _ in range(TRIES):
        con.execute("DROP TABLE IF EXISTS latest")
        begun = cpu()
        con.execute(f"CREATE TEMP TABLE latest AS {query}")
        took.append(cpu() - begun)
    return con.execute("SELECT count(*) FROM latest").fetchone()[0], min(took)


def compare(con, what, command, key, rows, problems, limit):
    """In turns, so that a noisy machine is noisy for both; the best of each counts."""
    ours, theirs = [], {form: [] for form in FORMS}
    for _ in range(ROUNDS):
        out = subprocess.run(command, check=True, capture_output=True,
                             text=True).stdout.split()
        ours.append(float(out[1]))
        for form in FORMS:
            count, took = duck(con, form, key, rows)
            theirs[form].append(took)
            if count != int(out[0]):
                problems.append(f"{what}: {out[0]} rows, DuckDB's {form} has {count}")
    best = min(theirs, key=lambda form: min(theirs[form]))
    ratio = min(ours) / min(theirs[best])
    told = ", ".join(f"{form} {min(t):.2f} s" for form, t in theirs.items())
    print(f"{what}: {min(ours):.2f} s; DuckDB: {told}; ratio {ratio:.2f}"
          + (f" (at most {limit})" if limit else ""), flush=True)
    if limit and ratio > limit:
        problems.append(f"{what}: {ratio:.2f} times DuckDB's {best}")


def main(build, rows):
    try:
        import duckdb
    except ImportError:
        print("skipped: the Python package duckdb is not installed")
        return 77
    program, entities = build / "bench" / "latest", rows // 4
    problems = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-latest-"))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # and what it starts
    con = duckdb.connect(config={"threads": "1"})
    try:
        for kind, (key, ids, limit) in KINDS.items():
            con.execute("DROP TABLE IF EXISTS flights")
            con.execute(MAKE.format(rows=rows, entities=entities, id=ids))
            url = f"file://{folder}/{kind}?fsync=0"
            subprocess.run([program, "write", url, str(rows), str(entities), kind], check=True)
            what = f"latest of {rows} rows, {entities} entities, {kind} key"
            compare(con, f"{what}, in memory", [program, "merge", str(rows), str(entities), kind], key,
                    "flights", problems, limit)
            files = f"read_parquet('{folder}/{kind}/data/part=all/*.parquet', hive_partitioning=false)"
            compare(con, f"{what}, from files", [program, "read", url], key, files, problems, None)
    finally:
        shutil.rmtree(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000000))
