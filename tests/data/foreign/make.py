#!/usr/bin/env python3
"""Makes this folder: a dataset as other writers leave it, and what reading it gives. Needs pyarrow and
duckdb; the results are checked in, tests need neither.

objects.json   every object of the bucket: key, file (of its body; none = empty), metadata
expected.json  rows as "sku|ver|amount;" in the order in which they are read, by a model of a few lines
"""
import json
import pathlib
import urllib.parse

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
PREFIX = "billing"
objects, commits, refs = [], [], []
stamp = 1710684000123456


def attempt(n):
    return f"0190a8b4d3a87f4ab1c2{n:012x}"


def put(key, file=None, metadata=None):
    objects.append({"key": key, **({"file": file} if file else {}),
                    **({"metadata": metadata} if metadata else {})})


def table(rows, version=pa.int64(), text=pa.string(), amount=True, nested=False, reverse=False):
    columns = {"sku": pa.array([r[0] for r in rows], text), "ver": pa.array([r[1] for r in rows], version)}
    if amount:
        columns["amount"] = pa.array([r[2] for r in rows], pa.float64())
    columns["note"] = pa.array([f"note {i}" * (i % 3) for i in range(len(rows))], pa.string())
    if nested:
        columns["tags"] = pa.array([["a", None][: i % 3] for i in range(len(rows))], pa.list_(pa.string()))
    names = list(columns)[:: -1 if reverse else 1]
    return pa.table({n: columns[n] for n in names})


STYLES = {
    "plain": dict(compression="none", use_dictionary=False),
    "pages": dict(compression="snappy", data_page_size=1, write_batch_size=3, row_group_size=7),
    "v2": dict(compression="zstd", data_page_version="2.0", data_page_size=16, write_batch_size=2,
               use_dictionary=False, column_encoding={"ver": "DELTA_BINARY_PACKED",
                                                      "sku": "DELTA_BYTE_ARRAY",
                                                      "note": "DELTA_LENGTH_BYTE_ARRAY",
                                                      "amount": "BYTE_STREAM_SPLIT"}),
    "gzip": dict(compression="gzip", data_page_version="2.0", write_page_index=True, row_group_size=4),
    "brotli": dict(compression="brotli", write_statistics=False, dictionary_pagesize_limit=8),
    "lz4": dict(compression="lz4", write_page_checksum=True),
}


def write_file(name, rows, style, **how):
    path = HERE / name
    t = table(rows, **how)
    if style == "duckdb":
        con = duckdb.connect()
        con.register("t", t)
        con.execute(f"COPY (SELECT * FROM t) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 5)")
    else:
        pq.write_table(t, path, **STYLES[style])


def write(number, partition, token, rows, style, wins=True, ref=True, again=False, extra=None, **how):
    """One attempt: data, ref and (when it wins) the marker that names it."""
    global stamp
    a = attempt(number)
    token = token or a
    name = f"{number:02d}-{style}.parquet"
    write_file(name, rows, style, **how)
    data = f"{PREFIX}/data/{partition}/{token}-{a}.parquet"
    put(data, name)
    stamp += 1000000
    first = stamp
    escaped = urllib.parse.quote(partition, safe="$&+:=@~").replace("/", "%2F")
    for i in range(1 + again):
        ref_key = f"{PREFIX}/_ref/{first + i * 500000:016d}-{token}-{a};{escaped}.ref"
        if ref:
            put(ref_key)
        if wins:
            refs.append((ref_key, len(commits)))
    if wins:
        amounts = rows if how.get("amount", True) else [(s, v, None) for s, v, _ in rows]
        commits.append((partition, data, amounts))
        put(f"{PREFIX}/data/{partition}/{token}.commit", None,
            {"attemptid": a, "refmicrots": str(first), "insertedat": str(first - 500),
             "rowcount": str(len(rows)), **(extra or {})})


def rows_of(seed, count):
    return [(f"sku-{(i * 7 + seed) % 11}", (i * 3 + seed) % 5 - 1, ((i * 13 + seed) % 40) / 4)
            for i in range(count)]


ABC, ODD, NEXT = ("charge_period=2026-03-17/customer=abc", "charge_period=2026-03-17/customer=x y;z,\u00e9",
                  "charge_period=2026-03-18/customer=abc")
for old in HERE.glob("*.parquet"):
    old.unlink()
write(1, ABC, "job-1", rows_of(1, 9), "plain", wins=False)           # died before its commit
write(2, ABC, "job-1", rows_of(2, 20), "pages", extra={"writer": "other"})
write(3, ABC, "job-1", rows_of(3, 5), "v2", wins=False, ref=False)   # lost
write(4, ABC, None, rows_of(4, 17), "duckdb", again=True)
write(5, ODD, "a:b", rows_of(5, 12), "v2", reverse=True)
write(6, ODD, None, rows_of(6, 0), "gzip")                           # no rows
write(7, NEXT, "2026-04-22T10:15:00Z-batch42", rows_of(7, 15), "gzip", version=pa.int32(), nested=True)
write(8, NEXT, None, rows_of(8, 11), "brotli", amount=False)
write(9, NEXT, "z", rows_of(9, 30), "lz4", text=pa.string())
write(10, "charge_period=2026-03-19/customer=abc", "dead", rows_of(10, 4), "plain", wins=False)
for key in (f"{PREFIX}/data/README.md", f"{PREFIX}/data/{ABC}/.DS_Store", f"{PREFIX}/data/{ABC}/.commit",
            f"{PREFIX}/data/{ABC}/part-0000.parquet", f"{PREFIX}/data/loose-{attempt(99)}.parquet",
            f"{PREFIX}/data/{ABC}/_SUCCESS", f"{PREFIX}/data/{ABC}/x-{attempt(98).upper()}.parquet",
            f"{PREFIX}/data/charge_period=2026-03-17/t-{attempt(97)}.parquet",
            f"{PREFIX}/_ref/0-malformed.ref", f"{PREFIX}/_ref/README",
            f"{PREFIX}/_ref/{stamp:016d}-t-{attempt(96)}.ref",
            f"{PREFIX}/_ref/{stamp:016d}-t-{attempt(95)};charge_period=%zz.ref",
            f"{PREFIX}/_ref/{stamp:016d}-{attempt(94)};charge_period=2026-03-17%2Fcustomer=abc.ref",
            f"{PREFIX}/_matview/by_sku/sku=sku-1/m.matview"):
    put(key)
put(f"{PREFIX}/data/{NEXT}/no-data.commit", None,
    {"attemptid": attempt(93), "refmicrots": "1", "insertedat": "1", "rowcount": "1"})


def text(rows):
    return "".join(f"{s}|{v}|{'-' if a is None else f'{a:g}'};" for s, v, a in rows)


def merged(rows, latest):
    order = sorted(rows, key=lambda r: (r[0].encode(), r[1]))
    if latest:
        return list({r[0]: r for r in order}.values())
    seen = {}
    for r in order:
        seen.setdefault(r[:2], r)
    return list(seen.values())


by_partition = {}
for partition, key, rows in sorted(commits, key=lambda c: (c[0].encode(), c[1].encode())):
    by_partition.setdefault(partition, []).extend(rows)
expected = {
    "written": "".join(text(rows) for rows in by_partition.values()),
    "latest": "".join(text(merged(rows, True)) for rows in by_partition.values()),
    "history": "".join(text(merged(rows, False)) for rows in by_partition.values()),
    "partitions": [p for p, rows in by_partition.items() if rows],
    "stream": [{"ref": r, "data": commits[c][1], "rows": len(commits[c][2])} for r, c in sorted(refs)],
}
for name, value in (("objects", objects), ("expected", expected)):
    (HERE / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n",
                                       encoding="utf-8")
