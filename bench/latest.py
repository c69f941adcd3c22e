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
              "ORDER BY version DESC) AS rank FROM {files}) WHERE rank = 1",
    "qualify": "SELECT * FROM {files} QUALIFY row_number() OVER (PARTITION BY {key} "
               "ORDER BY version DESC) = 1",
    "arg_max": "SELECT {key}, max(version), {rest} FROM {files} GROUP BY {key}",
}
COLUMNS = ["carrier", "number", "origin", "id", "delay", "distance"]
# What each is bounded by: ours over theirs.
LIMITS = {"wide": 1.0, "narrow": 0.5}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def duck(duckdb, form, key, files):
    con = duckdb.connect(config={"threads": "1"})
    rest = ", ".join(f"arg_max({c}, version) AS {c}" for c in COLUMNS if c not in key)
    query = FORMS[form].format(key=", ".join(key), rest=rest,
                               files=f"read_parquet('{files}', hive_partitioning=false)")
    begun = cpu()
    con.execute(f"CREATE TEMP TABLE latest AS {query}")
    took = cpu() - begun
    rows = con.execute("SELECT count(*) FROM latest").fetchone()[0]
    con.close()
    return rows, took


def main(build, rows):
    try:
        import duckdb
    except ImportError:
        print("skipped: the Python package duckdb is not installed")
        return 77
    program = build / "bench" / "latest"
    problems = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-latest-"))
    try:
        for kind, key in (("wide", ["carrier", "number", "origin"]), ("narrow", ["id"])):
            url = f"file://{folder}/{kind}?fsync=0"
            subprocess.run([program, "write", url, str(rows), str(rows // 4), kind], check=True)
            files = f"{folder}/{kind}/data/part=all/*.parquet"
            ours, theirs = [], {form: [] for form in FORMS}
            for _ in range(ROUNDS):  # in turns: a noisy machine is noisy for both
                out = subprocess.run(["taskset", "-c", "0", program, "read", url], check=True,
                                     capture_output=True, text=True).stdout.split()
                ours.append(float(out[1]))
                for form in FORMS:
                    count, took = duck(duckdb, form, key, files)
                    theirs[form].append(took)
                    if count != int(out[0]):
                        problems.append(f"{kind}: {out[0]} rows, DuckDB's {form} has {count}")
            best = min(theirs, key=lambda form: min(theirs[form]))
            ratio = min(ours) / min(theirs[best])
            told = ", ".join(f"{form} {min(t):.2f} s" for form, t in theirs.items())
            print(f"latest of {rows} rows, {rows // 4} entities, {kind} key: {min(ours):.2f} s; "
                  f"DuckDB {duckdb.__version__}: {told}; ratio {ratio:.2f} (limit {LIMITS[kind]})",
                  flush=True)
            if ratio > LIMITS[kind]:
                problems.append(f"{kind}: {ratio:.2f} times DuckDB's {best}")
    finally:
        shutil.rmtree(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000000))
