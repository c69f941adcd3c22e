#!/usr/bin/env python3
"""Latest per entity in memory against DuckDB's best of three forms, on one core each, CPU seconds, from
the same Parquet files. Exits 77 where the Python package duckdb is not installed.

    latest.py BUILD [ROWS]
"""
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 3
FORMS = {
    "window": "SELECT * EXCLUDE (rank) FROM (SELECT *, row_number() OVER (PARTITION BY {key} "
              "ORDER BY version DESC) AS rank FROM {rows}) WHERE rank = 1",
    "qualify": "SELECT * FROM {rows} QUALIFY row_number() OVER (PARTITION BY {key} "
               "ORDER BY version DESC) = 1",
    "arg_max": "SELECT {key}, max(version), {rest} FROM {rows} GROUP BY {key}",
}
COLUMNS = ["carrier", "number", "origin", "id", "delay", "distance"]
# The rows of latest.c.
MAKE = ("CREATE TEMP TABLE flights AS SELECT 'C' || chr(65 + (e % 25)::int) AS carrier, "
        "(e // 7500)::int AS number, 'O' || lpad(((e // 25) % 300)::varchar, 3, '0') AS origin, e AS id, "
        "i AS version, i % 977 AS delay, (i % 4001) / 2.0::double AS distance "
        "FROM (SELECT i, (i * 2654435761) % {entities} AS e FROM range({rows}) r(i))")
LIMITS = {"wide": 1.0, "narrow": 0.5}  # ours over theirs, of merging what is in memory


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def duck(con, form, key, rows):
    rest = ", ".join(f"arg_max({c}, version) AS {c}" for c in COLUMNS if c not in key)
    query = FORMS[form].format(key=", ".join(key), rest=rest, rows=rows)
    begun = cpu()
    con.execute(f"CREATE OR REPLACE TEMP TABLE latest AS {query}")
    took = cpu() - begun
    return con.execute("SELECT count(*) FROM latest").fetchone()[0], took


def compare(con, what, command, key, rows, problems, limit):
    """In turns, so that a noisy machine is noisy for both; the best of each counts."""
    ours, theirs = [], {form: [] for form in FORMS}
    for _ in range(ROUNDS):
        out = subprocess.run(["taskset", "-c", "0", *command], check=True, capture_output=True,
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
    con = duckdb.connect(config={"threads": "1"})
    con.execute(MAKE.format(rows=rows, entities=entities))
    try:
        for kind, key in (("wide", ["carrier", "number", "origin"]), ("narrow", ["id"])):
            url = f"file://{folder}/{kind}?fsync=0"
            subprocess.run([program, "write", url, str(rows), str(entities), kind], check=True)
            what = f"latest of {rows} rows, {entities} entities, {kind} key"
            compare(con, f"{what}, in memory", [program, "merge", str(rows), str(entities), kind], key,
                    "flights", problems, LIMITS[kind])
            files = f"read_parquet('{folder}/{kind}/data/part=all/*.parquet', hive_partitioning=false)"
            compare(con, f"{what}, from files", [program, "read", url], key, files, problems, None)
    finally:
        shutil.rmtree(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000000))
