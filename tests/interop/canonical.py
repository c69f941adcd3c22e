"""Rows of pyarrow as tests/support/rows_text.h prints ours."""
import decimal
import json
import struct

import pyarrow as pa
import pyarrow.compute as pc


def canonical(array):
    """The values of a column as parquet_tool prints them."""
    t = array.type
    if pa.types.is_boolean(t) or pa.types.is_integer(t):
        return array.to_pylist()
    if pa.types.is_null(t):
        return [None] * len(array)
    if pa.types.is_date32(t) or pa.types.is_time32(t):
        return array.cast(pa.int32()).to_pylist()
    if pa.types.is_timestamp(t) or pa.types.is_time64(t):
        return array.cast(pa.int64()).to_pylist()
    if pa.types.is_float16(t):
        return [None if v is None else struct.pack("<e", v).hex() for v in array.to_pylist()]
    if pa.types.is_float32(t):
        return [None if v is None else struct.pack("<f", v).hex() for v in array.to_pylist()]
    if pa.types.is_float64(t):
        return [None if v is None else struct.pack("<d", v).hex() for v in array.to_pylist()]
    if pa.types.is_decimal(t):
        with decimal.localcontext() as context:
            context.prec = 80
            size = 16 if t.precision <= 38 else 32
            return [None if v is None else
                    int(v.scaleb(t.scale)).to_bytes(size, "little", signed=True).hex()
                    for v in array.to_pylist()]
    if pa.types.is_struct(t):
        members = [canonical(pc.struct_field(array, [i])) for i in range(t.num_fields)]
        rows = zip(*members) if members else ([] for _ in range(len(array)))
        return [list(row) if valid else None
                for row, valid in zip(rows, array.is_valid().to_pylist())]
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_map(t):
        if pa.types.is_map(t):
            first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
            items = [list(pair) for pair in zip(canonical(array.keys), canonical(array.items))]
            base = 0 if len(items) != last - first else first
        else:
            items, base = canonical(array.values), 0
        offsets = array.offsets.to_pylist()
        return [items[a - base:b - base] if valid else None
                for a, b, valid in zip(offsets, offsets[1:], array.is_valid().to_pylist())]
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return [None if v is None else v.encode().hex() for v in array.to_pylist()]
    return [None if v is None else v.hex() for v in array.to_pylist()]


def rows_text(table):
    """A line for each row; combine_chunks keeps what nested columns share."""
    columns = [canonical(table.column(i).combine_chunks()) for i in range(table.num_columns)]
    if not columns:
        return "]\n" * table.num_rows
    return "".join(json.dumps(list(row)) + "\n" for row in zip(*columns))
