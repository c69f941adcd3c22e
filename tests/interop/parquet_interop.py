"""Compares the codec with pyarrow and DuckDB, in both directions.

What they write, we dump; what we rewrite, they read. Values are compared exactly: floats by their
bits, decimals by their digits, timestamps as integers.
"""
import json
import os
import shutil
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from canonical import canonical
from tables import NESTED, TABLES

TOOL, WORK = sys.argv[1], sys.argv[2]
checks = 0


def run(*args):
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"parquet_tool {' '.join(map(str, args))}: {done.stderr}")
    return done.stdout


def expect(what, table, path, *dump_args):
    global checks
    lines = run("dump", path, *dump_args).splitlines()
    names = [column.split(": ")[0] for column in json.loads(lines[0])]
    rows = [json.loads(line) for line in lines[1:]]
    assert names == table.column_names, f"{what}: columns {names}, expected {table.column_names}"
    assert len(rows) == table.num_rows, f"{what}: {len(rows)} rows, expected {table.num_rows}"
    for i, name in enumerate(names):
        ours, theirs = [row[i] for row in rows], canonical(table.column(name).combine_chunks())
        for k, (a, b) in enumerate(zip(ours, theirs)):
            assert a == b, f"{what}: column {name} row {k}: we say {a}, they say {b}"
    checks += 1


def same(what, ours, theirs):
    global checks
    assert ours.num_rows == theirs.num_rows, f"{what}: {ours.num_rows} rows, not {theirs.num_rows}"
    for name in theirs.column_names:
        a, b = (canonical(t.column(name).combine_chunks()) for t in (ours, theirs))
        assert a == b, f"{what}: column {name} differs"
    checks += 1


def path(name):
    return os.path.join(WORK, name)


def read_pyarrow_files():
    for name, table in TABLES.items():
        for page in ("1.0", "2.0"):
            for dictionary in (True, False):
                for codec in ("none", "snappy", "zstd", "gzip", "brotli", "lz4"):
                    what = f"pyarrow-{name}-v{page}-{dictionary}-{codec}"
                    pq.write_table(table, path("in.parquet"), data_page_version=page,
                                   use_dictionary=dictionary, compression=codec,
                                   data_page_size=8000, row_group_size=1100,
                                   write_page_checksum=dictionary, store_schema=False)
                    expect(what, table, path("in.parquet"))
    required = pa.table(TABLES["dense"].drop(["nothing"]).columns,
                        schema=pa.schema([f.with_nullable(False) for f in
                                          TABLES["dense"].drop(["nothing"]).schema]))
    pq.write_table(required, path("in.parquet"), data_page_size=3000)
    expect("pyarrow-required", required, path("in.parquet"))
    for rows in (1, 7, 1000):
        pq.write_table(TABLES["sparse"], path("in.parquet"), data_page_size=5000)
        expect(f"pyarrow-batches-{rows}", TABLES["sparse"], path("in.parquet"), rows)


def read_nested_files():
    db = duckdb.connect()
    for name, table in NESTED.items():
        for page in ("1.0", "2.0"):
            for size in (200, 5000, 1 << 20):
                for compliant in (True, False):
                    pq.write_table(table, path("in.parquet"), data_page_version=page,
                                   data_page_size=size, write_batch_size=64, row_group_size=400,
                                   use_compliant_nested_type=compliant, store_schema=False)
                    for rows in (0, 37):
                        expect(f"nested-{name}-v{page}-{size}-{compliant}-{rows}", table,
                               path("in.parquet"), rows)
        db.register("part", table)
        for version in ("V1", "V2"):
            db.execute(f"COPY part TO '{path('in.parquet')}' (FORMAT parquet, PARQUET_VERSION "
                       f"{version}, ROW_GROUP_SIZE 2048)")
            expect(f"nested-duckdb-{name}", pq.read_table(path("in.parquet")), path("in.parquet"))
    required = pa.schema([
        pa.field("l", pa.list_(pa.field("element", pa.int64(), False)), False),
        pa.field("s", pa.struct([pa.field("a", pa.int32(), False), pa.field("b", pa.list_(
            pa.field("element", pa.struct([pa.field("c", pa.string(), False)]), False)))]), False)])
    rows = [{"l": list(range(i % 5)), "s": {"a": i, "b": [{"c": str(k)} for k in range(i % 3)]}}
            for i in range(500)]
    table = pa.Table.from_pylist(rows, schema=required)
    pq.write_table(table, path("in.parquet"), data_page_size=300, store_schema=False)
    expect("nested-required", table, path("in.parquet"))


def read_pyarrow_encodings():
    table = TABLES["sparse"]
    for encoding, names in {
            "DELTA_BINARY_PACKED": ["int32", "int64", "uint32", "uint64", "date", "ts_us"],
            "DELTA_LENGTH_BYTE_ARRAY": ["string", "binary"],
            "DELTA_BYTE_ARRAY": ["string", "binary", "fixed"],
            "BYTE_STREAM_SPLIT": ["float", "double", "int32", "int64", "fixed"],
            "RLE": ["bool"]}.items():
        for page in ("1.0", "2.0"):
            for source in ("sparse", "dense", "null", "empty"):
                part = TABLES[source].select(names)
                pq.write_table(part, path("in.parquet"), use_dictionary=False,
                               column_encoding={n: encoding for n in names},
                               data_page_version=page, data_page_size=4000)
                expect(f"pyarrow-{encoding}-{page}-{source}", part, path("in.parquet"))


def durations_are_numbers():
    """Parquet has no durations: pyarrow writes whole numbers, and what they were into metadata of its
    own, which we do not look at."""
    for unit in ("s", "ms", "us", "ns"):
        numbers = pa.array([0, -1, None, 2**62, -2**62], pa.int64())
        table = pa.table({"d": numbers.cast(pa.duration(unit)), "l": pa.array(
            [[1, None], [], None, [2], [3]], pa.list_(pa.duration(unit)))})
        pq.write_table(table, path("in.parquet"))
        assert pq.read_schema(path("in.parquet")).field("d").type == pa.duration(unit)
        plain = pa.table({"d": numbers, "l": table.column("l").cast(pa.list_(pa.int64()))})
        expect(f"pyarrow-duration-{unit}", plain, path("in.parquet"))


def read_duckdb_files():
    db = duckdb.connect()
    for name, table in TABLES.items():
        part = table.drop(["half", "wide_decimal", "nothing", "fixed", "local_ms", "local_ns",
                           "time_ms", "ts_ms", "ts_ns", "time_us"])
        for codec in ("uncompressed", "snappy", "zstd", "gzip", "brotli", "lz4_raw"):
            for version in ("V1", "V2"):
                db.register("part", part)
                db.execute(f"COPY part TO '{path('in.parquet')}' (FORMAT parquet, COMPRESSION "
                           f"{codec}, ROW_GROUP_SIZE 2048, PARQUET_VERSION {version})")
                expect(f"duckdb-{name}-{codec}-{version}", pq.read_table(path("in.parquet")),
                       path("in.parquet"))


def arrow_of(result):
    """The method's name changed between versions of DuckDB."""
    if hasattr(result, "to_arrow_table"):
        return result.to_arrow_table()
    return result.fetch_arrow_table()


def read_foreign_files():
    """Files by many other writers. FOREIGN_FILES: a folder with more of them."""
    folder = os.environ.get("FOREIGN_FILES", os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "data", "parquet"))
    for name in sorted(os.listdir(folder)):
        file = os.path.join(folder, name)
        # Of INT96, pyarrow keeps nanoseconds unless told, and wraps where we do not.
        if not name.endswith(".parquet") or name.startswith("int96"):
            continue
        unit = "ns" if name.startswith("own_int96") else "us"
        try:
            table = pq.read_table(file, coerce_int96_timestamp_unit=unit)
        except (OSError, pa.ArrowException) as error:
            print(f"  {name}: pyarrow cannot read it: {error}")
            continue
        for rows in (0, 3):
            expect(f"foreign-{name}", table, file, rows)


def others_read_ours():
    db = duckdb.connect()
    for name, table in TABLES.items():
        pq.write_table(table, path("in.parquet"), store_schema=False)
        for codec in ("snappy", "zstd", "gzip", "uncompressed"):
            for dictionary in (0, 1):
                for size in ((0, 0), (1500, 40000)):
                    what = f"ours-{name}-{codec}-{dictionary}-{size[0]}"
                    run("rewrite", path("in.parquet"), path("out.parquet"),
                        f"compression={codec}", f"dictionary={dictionary}",
                        f"page_bytes={size[0]}", f"row_group_bytes={size[1]}")
                    same(what, pq.ParquetFile(path("out.parquet"),
                                              page_checksum_verification=True).read(), table)
                    check_metadata(what, path("out.parquet"), table)
                    # DuckDB has neither 256-bit decimals nor float16 columns everywhere.
                    names = [n for n in table.column_names
                             if n not in ("wide_decimal", "half", "nothing", "fixed")]
                    listed = ", ".join(f'"{n}"' for n in names)
                    theirs = arrow_of(db.sql(
                        f"SELECT {listed} FROM read_parquet('{path('out.parquet')}')"))
                    schema = pa.schema([table.schema.field(n) for n in names])
                    same(f"duckdb-{what}", theirs.cast(schema), table.select(names))


def others_read_our_nested():
    db = duckdb.connect()
    for name, table in NESTED.items():
        pq.write_table(table, path("in.parquet"), store_schema=False)
        for dictionary in (0, 1):
            for size in ((0, 0), (1100, 30000)):
                what = f"our-nested-{name}-{dictionary}-{size[0]}"
                run("rewrite", path("in.parquet"), path("out.parquet"), f"dictionary={dictionary}",
                    f"page_bytes={size[0]}", f"row_group_bytes={size[1]}", "batch_rows=333")
                file = pq.ParquetFile(path("out.parquet"), page_checksum_verification=True)
                same(what, file.read(), table)
                for rows in (0, 41):
                    expect(f"{what}-again", table, path("out.parquet"), rows)
                names = ", ".join(f'"{n}"' for n in table.column_names)
                theirs = arrow_of(db.sql(
                    f"SELECT {names} FROM read_parquet('{path('out.parquet')}')"))
                same(f"duckdb-{what}", theirs, table)


def check_metadata(what, file, table):
    meta = pq.ParquetFile(file).metadata
    assert meta.created_by.startswith("s3store version "), what
    assert meta.num_rows == table.num_rows, what
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        assert group.num_columns == table.num_columns, what
        total = 0
        for c in range(group.num_columns):
            chunk = group.column(c)
            total += chunk.total_uncompressed_size
            assert chunk.statistics is None or chunk.statistics.null_count is not None, what
        assert group.total_byte_size == total, what
    # Statistics must agree with the data.
    first = 0
    for g in range(meta.num_row_groups):
        rows = meta.row_group(g).num_rows
        part = table.slice(first, rows)
        first += rows
        for c, name in enumerate(table.column_names):
            stats = meta.row_group(g).column(c).statistics
            kind = table.schema.field(name).type
            if stats is None or not stats.has_min_max or not pa.types.is_integer(kind):
                continue
            values = [v for v in part.column(name).to_pylist() if v is not None]
            assert (stats.min, stats.max) == (min(values), max(values)), f"{what}: {name}"


def predicates_agree():
    """Other readers prune by our statistics and page index: their answers must stay right."""
    table = TABLES["sparse"]
    pq.write_table(table, path("in.parquet"), store_schema=False)
    run("rewrite", path("in.parquet"), path("out.parquet"), "page_bytes=1500",
        "row_group_bytes=40000")
    db = duckdb.connect()
    db.register("t", table.drop(["half", "wide_decimal", "nothing"]))
    global checks
    for where in ("int64 > 1000", "int32 < 0", "uint64 > 9223372036854775807",
                  "uint32 > 3000000000", "string = 'k7'", "string < 'b'", "double > 5e8",
                  "double = 0", "date < '1970-01-01'", "ts_us > '2000-01-01'", "bool",
                  "float < -10", "uint8 = 255", "int8 = -128"):
        ours = db.execute(f"SELECT count(*) FROM '{path('out.parquet')}' WHERE {where}").fetchone()
        theirs = db.execute(f"SELECT count(*) FROM t WHERE {where}").fetchone()
        assert ours == theirs, f"WHERE {where}: {ours} from our file, {theirs} from memory"
        checks += 1


def we_prune_their_files():
    """Statistics, page indexes and bloom filters of others: a value that is there is found, one that
    is not there is mostly known not to be."""
    global checks
    rows = 20000
    table = pa.table({
        "i": pa.array([i * 7919 % 300 * 3 for i in range(rows)], pa.int32()),
        "l": pa.array([i * 7919 % 300 * 3 for i in range(rows)], pa.int64()),
        "t": pa.array([i * 31 % 60 * 2 for i in range(rows)], pa.int8()),
        "s": pa.array([f"k{i * 31 % 300 * 2:05}" for i in range(rows)]),
        "u": pa.array([i // 3 for i in range(rows)], pa.uint32())})
    db = duckdb.connect()
    db.register("t", table)
    db.execute(f"COPY t TO '{path('duckdb.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 10000)")
    pq.write_table(table, path("pyarrow.parquet"), write_page_index=True, data_page_size=2000,
                   row_group_size=10000, write_batch_size=100)
    for file in ("duckdb.parquet", "pyarrow.parquet"):
        for name in table.column_names:
            have = table.column(name).to_pylist()
            some = sorted(set(have))[::7] + [max(have)]
            gone = [v + "x" if name == "s" else v + 1 for v in some[:-1]]
            counts = list(map(int, run("where", path(file), name, *some).split()))
            for value, count in zip(some, counts):
                assert count >= have.count(value) > 0, f"{file}: {name} = {value}: {count} rows"
            left = sum(c > 0 for c in map(int, run("where", path(file), name, *gone).split()))
            assert file != "duckdb.parquet" or name == "u" or left < len(gone) / 4 + 1, \
                f"{file}: {name}: {left} of {len(gone)} values that are not there"
            assert name != "u" or max(counts) < rows, f"{file}: nothing is left out"
            checks += 1


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    for step in (read_nested_files, read_pyarrow_files, read_pyarrow_encodings,
                 durations_are_numbers, read_duckdb_files, read_foreign_files,
                 others_read_ours, others_read_our_nested, predicates_agree,
                 we_prune_their_files):
        before = checks
        step()
        print(f"{step.__name__}: {checks - before} comparisons agree")
    shutil.rmtree(WORK)


print(f"pyarrow {pa.__version__}, DuckDB {duckdb.__version__}")
main()
