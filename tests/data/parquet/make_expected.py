#!/usr/bin/env python3
"""Writes expected/NAME.rows: the rows of each NAME.parquet here as pyarrow (or, where that refuses,
DuckDB) reads them, in the form of tests/support/rows_text.h; for those above 24 KiB of text its
SHA-256 instead. Needs both, which the tests do not.

    make_expected.py            the rows
    make_expected.py --files    also the files that pyarrow itself makes (own_*.parquet)
"""
import decimal
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "interop"))

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from canonical import rows_text  # noqa: E402

TEXT_MAX = 24 * 1024
FINER = ("own_int96_nanoseconds", "own_int96_plain")
# The year 290000 overflows in pyarrow and is refused by DuckDB; Spark wrote 290000-12-30T23:00:00Z.
OVERFLOWS = {"int96_from_spark": ("[-7188624036226874385]", "[9089380393200000000]")}


def make_files():
    stamps = [0, 1, -1, 999, 1234567890123456789, -9223372036854775808, 9223372036854775807, None]
    table = pa.table({"t": pa.array(stamps, pa.timestamp("ns")), "l": pa.array(
        [[s] if i % 2 else None for i, s in enumerate(stamps)], pa.list_(pa.timestamp("ns")))})
    for name, dictionary in (("own_int96_nanoseconds", True), ("own_int96_plain", False)):
        pq.write_table(table, HERE / f"{name}.parquet", use_deprecated_int96_timestamps=True,
                       use_dictionary=dictionary, row_group_size=5)
    digits = [0, 1, -1, 12345, -99999, 99999, None]
    pq.write_table(pa.table({
        f"d{p}": pa.array([None if d is None else decimal.Decimal(d).scaleb(-2) for d in digits],
                          pa.decimal128(p, 2)) for p in (5, 9, 10, 18, 19, 38)}),
        HERE / "own_decimals_as_integers.parquet", store_decimal_as_integer=True)


def read(path):
    """INT96 has no unit: we say microseconds unless a value has finer digits."""
    unit = "ns" if path.stem in FINER else "us"
    try:
        return pq.read_table(path, coerce_int96_timestamp_unit=unit)
    except (OSError, pa.ArrowException) as error:
        print(f"{path.name}: pyarrow cannot read it: {error}")
        return duckdb.sql(f"SELECT * FROM '{path}'").to_arrow_table()


def main():
    if "--files" in sys.argv:
        make_files()
    for path in sorted(HERE.glob("*.parquet")):
        if path.stem == "large_string_map.brotli":
            continue  # 2 GiB of text; test_foreign.c knows what it is
        text = rows_text(read(path))
        if path.stem in OVERFLOWS:
            text = text.replace(*OVERFLOWS[path.stem])
        if len(text) > TEXT_MAX:
            text = f"sha256 {hashlib.sha256(text.encode()).hexdigest()}\n"
        (HERE / "expected" / f"{path.stem}.rows").write_text(text)


main()
