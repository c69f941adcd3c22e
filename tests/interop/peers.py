"""Compares the codec with arrow-rs (parquet-wasm), hyparquet, parquet-go, DuckDB and pyarrow.

    peers.py PARQUET_TOOL BUILD_FOLDER wasm|hyparquet|go...

Files that we write are read by each of them; what arrow-rs and parquet-go write, we read. Values are
those that pyarrow made, compared exactly. Each table goes out in one form, with S3S_FULL in all of them.
"""
import json
import math
import os
import shutil
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from canonical import canonical, rows_text
from tables import NESTED, SORTED, TABLES

TOOL, BUILD, PEERS = sys.argv[1], sys.argv[2], sys.argv[3:]
HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(BUILD, "peer-files")
checks = {}


def run(*args, cwd=None):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, args))}: {done.stdout}{done.stderr}")
    return done.stdout


def path(name):
    return os.path.join(WORK, name)


def node(script, *args):
    return run("node", os.path.join(HERE, "peers", script), *args,
               cwd=os.path.join(BUILD, "npm"))


def same(peer, what, got, wanted):
    assert got.num_rows == wanted.num_rows, f"{peer}: {what}: {got.num_rows} rows"
    for name in wanted.column_names:
        a, b = (canonical(t.column(name).combine_chunks()) for t in (got, wanted))
        for k, (x, y) in enumerate(zip(a, b)):
            assert x == y, f"{peer}: {what}: column {name} row {k}: {x}, not {y}"
    checks[peer] = checks.get(peer, 0) + 1


def we_read(peer, what, file, wanted):
    lines = run(TOOL, "dump", file).split("\n", 1)[1]
    assert lines == rows_text(wanted), f"{peer}: {what}: we read its file differently"
    checks[peer] = checks.get(peer, 0) + 1


def wasm(what, file, table):
    node("wasm.mjs", "read", file, path("out.arrows"))
    with pa.ipc.open_stream(path("out.arrows")) as stream:
        same("arrow-rs", what, stream.read_all(), table)
    node("wasm.mjs", "write", path("out.arrows"), path("peer.parquet"))
    we_read("arrow-rs", what, path("peer.parquet"), table)


def plain(value, kind):
    """As hyparquet.mjs prints it."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {k: plain(v, kind.item_type) for k, v in value}
    if pa.types.is_list(kind):
        return [plain(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {f.name: plain(value[f.name], f.type) for f in kind}
    if pa.types.is_floating(kind):
        if math.isnan(value) or math.isinf(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value
    if pa.types.is_integer(kind):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def agree(a, b):
    if isinstance(b, float):
        return isinstance(a, str) and float(a) == b and \
            math.copysign(1, float(a)) == math.copysign(1, b)
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(agree, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(agree(a[k], b[k]) for k in b)
    return a == b


def hyparquet(what, file, table):
    wanted = {}
    for name in table.column_names:
        column, kind = table.column(name), table.column(name).type
        if pa.types.is_timestamp(kind):
            column, kind = column.cast(pa.int64()), pa.int64()
        elif pa.types.is_date(kind):
            column, kind = column.cast(pa.int32()), pa.int32()
        elif pa.types.is_time(kind) or pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            continue  # becomes a float
        wanted[name] = [plain(v, kind) for v in column.to_pylist()]
    rows = [json.loads(line) for line in node("hyparquet.mjs", file).splitlines()]
    assert len(rows) == table.num_rows, f"hyparquet: {what}: {len(rows)} rows"
    for name, values in wanted.items():
        for k, (row, value) in enumerate(zip(rows, values)):
            assert agree(row[name], value), \
                f"hyparquet: {what}: column {name} row {k}: {row[name]}, not {value}"
    checks["hyparquet"] = checks.get("hyparquet", 0) + 1


def go(what, file, table):
    run(os.path.join(BUILD, "go", "pqcheck"), "copy", file, path("peer.parquet"))
    same("parquet-go", what, pq.read_table(path("peer.parquet")), table)
    we_read("parquet-go", what, path("peer.parquet"), table)


def our_files():
    sizes = ((0, 0), (1500, 40000))
    codecs = list(enumerate(("snappy", "zstd", "gzip", "uncompressed")))
    full = os.environ.get("S3S_FULL")
    for turn, (name, table) in enumerate(list(TABLES.items()) + [(f"nested-{n}", t) for n, t in NESTED.items()]):
        nothing = [n for n in ("nothing",) if n in table.column_names]
        table = table.drop(nothing)
        pq.write_table(table, path("in.parquet"), store_schema=False)
        for i, codec in codecs if full else (codecs[turn % 4],):
            page, group = sizes[i % 2]
            what = f"{name}-{codec}-{page}"
            first = "id" if "id" in table.column_names else "int64"
            run(TOOL, "rewrite", path("in.parquet"), path("ours.parquet"), f"compression={codec}",
                f"dictionary={i // 2 % 2}", f"page_bytes={page}", f"row_group_bytes={group}",
                f"bloom={first}")
            yield what, path("ours.parquet"), table


def sorted_files():
    """Bloom filters, sorting columns, strings that leave out what they share with the one before."""
    for turn, (name, table) in enumerate(SORTED.items()):
        pq.write_table(table, path("in.parquet"), store_schema=False)
        for i, codec in enumerate(("snappy", "zstd", "gzip", "uncompressed")):
            what = f"sorted-{name}-{codec}"
            run(TOOL, "rewrite", path("in.parquet"), path("ours.parquet"), f"compression={codec}",
                f"dictionary={(i + turn) % 2}", "page_bytes=9000", "row_group_bytes=150000",
                "bloom=path", "sorted=path")
            meta = pq.ParquetFile(path("ours.parquet")).metadata
            assert meta.num_row_groups > 1, what
            for g in range(meta.num_row_groups):
                group = meta.row_group(g)
                assert group.sorting_columns[0].column_index == 0, what
                assert not group.sorting_columns[0].descending, what
                assert "DELTA_BYTE_ARRAY" in group.column(0).encodings, what
                assert "DELTA_BYTE_ARRAY" in group.column(1).encodings, what
            yield what, path("ours.parquet"), table


def pyarrow(what, file, table):
    whole = pq.ParquetFile(file, page_checksum_verification=True)
    same("pyarrow", what, whole.read(), table)


def arrow_of(result):
    """The method's name changed between versions of DuckDB."""
    return result.to_arrow_table() if hasattr(result, "to_arrow_table") \
        else result.fetch_arrow_table()


def in_duckdb(what, file, table):
    db = duckdb.connect()
    same("DuckDB", what, arrow_of(db.sql(f"SELECT * FROM '{file}'")), table)
    for value in table.column("path").to_pylist()[::500]:
        if value is not None:
            found = db.execute(f"SELECT count(*) FROM '{file}' WHERE path = ?", [value]).fetchone()
            assert found == (1,), f"DuckDB: {what}: {value}: {found}"


def bloom_filters():
    """What others say of our filters: all that is there, little of what is not."""
    table = pa.table({"n": pa.array([i * 7919 % 20000 * 2 for i in range(20000)], pa.int64())})
    pq.write_table(table, path("in.parquet"))
    run(TOOL, "rewrite", path("in.parquet"), path("ours.parquet"), "bloom=n",
        "row_group_bytes=40000")
    if "go" in PEERS:
        tool = os.path.join(BUILD, "go", "pqcheck")
        there = int(run(tool, "bloom", path("ours.parquet"), "n", 0, 40000, 2))
        assert there == 20000, f"parquet-go: {there} of 20000 values are in the bloom filters"
        wrong = int(run(tool, "bloom", path("ours.parquet"), "n", 100001, 104001, 2))
        assert wrong < 400, f"parquet-go: {wrong} of 2000 values that are not there"
        checks["parquet-go"] += 2
    db = duckdb.connect()
    probe = f"SELECT count(*) FROM parquet_bloom_probe('{path('ours.parquet')}', 'n', {{}}) " \
        "WHERE NOT bloom_filter_excludes"
    groups = pq.ParquetFile(path("ours.parquet")).metadata.num_row_groups
    assert groups > 3
    hits = [db.execute(probe.format(n)).fetchone()[0] for n in range(0, 40000, 998)]
    assert min(hits) >= 1 and max(hits) <= groups, "DuckDB misses values of our bloom filters"
    odd = sum(db.execute(probe.format(n)).fetchone()[0] for n in range(100001, 101001, 10))
    assert odd < groups * 100 // 10, f"DuckDB: {odd} of {groups * 100} filters"
    checks["DuckDB bloom"] = 2


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    for what, file, table in our_files():
        for peer in PEERS:
            {"wasm": wasm, "hyparquet": hyparquet, "go": go}[peer](what, file, table)
    for what, file, table in sorted_files():
        pyarrow(what, file, table)
        in_duckdb(what, file, table)
        for peer in PEERS:
            {"wasm": wasm, "hyparquet": hyparquet, "go": go}[peer](what, file, table)
    bloom_filters()
    for peer, count in checks.items():
        print(f"{peer}: {count} comparisons agree")
    shutil.rmtree(WORK)


main()
