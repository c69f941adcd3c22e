"""Tables of every type and shape, the same at each run."""
import decimal
import random

import pyarrow as pa


def make_table(rows, null_share, seed):
    r = random.Random(seed)

    def column(kind, make):
        values = [None if r.random() < null_share else make() for _ in range(rows)]
        return pa.array(values, type=kind)

    def integer(bits, signed):
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - 1 if signed else bits)) - 1
        return lambda: r.choice([low, high, 0, 1, r.randint(low, high), r.randint(0, 9)])

    def text():
        return r.choice(["", "a", "äöü", "日本語", "x" * r.randint(0, 100), f"k{r.randint(0, 20)}"])

    columns = {"bool": column(pa.bool_(), lambda: r.random() < 0.5)}
    for bits in (8, 16, 32, 64):
        columns[f"int{bits}"] = column(getattr(pa, f"int{bits}")(), integer(bits, True))
        columns[f"uint{bits}"] = column(getattr(pa, f"uint{bits}")(), integer(bits, False))
    special = [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan")]
    columns["float"] = column(pa.float32(), lambda: r.choice(special + [r.randint(-999, 999) / 8]))
    columns["double"] = column(pa.float64(), lambda: r.choice(special + [r.random() * 1e9]))
    columns["string"] = column(pa.string(), text)
    columns["binary"] = column(pa.binary(), lambda: r.randbytes(r.randint(0, 40)))
    columns["date"] = column(pa.date32(), lambda: r.randint(-100000, 100000))
    for unit in ("ms", "us", "ns"):
        stamp = integer(50, True)
        columns[f"ts_{unit}"] = column(pa.timestamp(unit, "UTC"), stamp)
        columns[f"local_{unit}"] = column(pa.timestamp(unit), stamp)
    columns["time_ms"] = column(pa.time32("ms"), lambda: r.randint(0, 86399999))
    columns["time_us"] = column(pa.time64("us"), lambda: r.randint(0, 86399999999))
    columns["half"] = column(pa.float16(), lambda: r.randint(-100, 100) / 4)
    columns["fixed"] = column(pa.binary(7), lambda: r.randbytes(7))
    columns["decimal"] = column(pa.decimal128(20, 3),
                                lambda: decimal.Decimal(r.randint(-10**19, 10**19)).scaleb(-3))
    columns["wide_decimal"] = column(
        pa.decimal256(60, 0), lambda: decimal.Decimal(r.randint(-10**40, 10**40)))
    columns["nothing"] = pa.nulls(rows)
    return pa.table(columns)


def make_nested(rows, null_share, seed):
    """Lists, structs and maps in each other; lists from empty to longer than a page."""
    r = random.Random(seed)

    def maybe(make):
        return None if r.random() < null_share else make()

    def many(make):
        return [make() for _ in range(r.choice([0, 0, 1, 1, 2, 3, 5, r.randint(0, 40)]))]

    def number():
        return maybe(lambda: r.randint(-9, 9))

    def text():
        return maybe(lambda: r.choice(["", "a", "äöü", "x" * r.randint(0, 30)]))

    def point():
        return {"x": number(), "y": {"z": text(), "l": maybe(lambda: many(number))}}

    def pairs(make):
        return [(f"k{i}", make()) for i in range(r.choice([0, 1, 2, 9]))]

    i64, point_type = pa.int64(), pa.struct([
        ("x", pa.int64()), ("y", pa.struct([("z", pa.string()), ("l", pa.list_(pa.int64()))]))])
    columns = {
        "id": (i64, lambda: r.randint(0, 99)),
        "ints": (pa.list_(i64), lambda: many(number)),
        "texts": (pa.list_(pa.string()), lambda: many(text)),
        "flags": (pa.list_(pa.bool_()), lambda: many(lambda: maybe(lambda: r.random() < 0.5))),
        "deep": (pa.list_(pa.list_(pa.list_(pa.int32()))), lambda: many(
            lambda: maybe(lambda: many(lambda: maybe(lambda: many(number)))))),
        "point": (point_type, point),
        "points": (pa.list_(point_type), lambda: many(lambda: maybe(point))),
        "map": (pa.map_(pa.string(), i64), lambda: pairs(number)),
        "maps": (pa.map_(pa.string(), pa.list_(pa.map_(pa.string(), pa.float64()))),
                 lambda: pairs(lambda: maybe(
                     lambda: many(lambda: maybe(lambda: pairs(lambda: r.random())))))),
    }
    return pa.table({name: pa.array([maybe(make) for _ in range(rows)], type=kind)
                     for name, (kind, make) in columns.items()})


def make_sorted(rows, nullable, seed):
    """Rows in the order of a path; the paths begin alike, and nothing else of them repeats."""
    r = random.Random(seed)

    def maybe(make):
        return None if nullable and r.random() < 0.2 else make()

    def path(i):
        return f"warehouse/events/region={i // 900:02}/day=2026-{i // 90 % 10:02}/part-{i:09}"

    item = pa.field("element", pa.struct([pa.field("name", pa.string(), nullable),
                                          pa.field("marks", pa.list_(pa.field(
                                              "element", pa.string(), nullable)), nullable)]),
                    nullable)
    values = {
        pa.field("path", pa.string(), nullable): path,
        pa.field("key", pa.binary(), nullable): lambda i: b"customer-\xff-%012d" % (i * 97),
        pa.field("items", pa.list_(item), nullable): lambda i: [
            maybe(lambda: {"name": maybe(lambda: path(i + k)),
                           "marks": maybe(lambda: [maybe(lambda: path(k)) for k in range(i % 3)])})
            for k in range(i % 4)],
    }
    columns = {}
    for field, make in values.items():
        column = [maybe(lambda: make(i)) for i in range(rows)]
        if field.name == "path":
            column.sort(key=lambda v: (v is not None, v))
        columns[field] = column
    return pa.table([pa.array(v, type=f.type) for f, v in columns.items()],
                    schema=pa.schema(list(columns)))


SORTED = {
    "required": make_sorted(2500, False, 6),
    "nullable": make_sorted(2500, True, 7),
}

NESTED = {
    "empty": make_nested(0, 0, 1),
    "one": make_nested(1, 0, 2),
    "dense": make_nested(700, 0, 3),
    "sparse": make_nested(700, 0.3, 4),
    "null": make_nested(300, 1, 5),
}

TABLES = {
    "empty": make_table(0, 0, 1),
    "one": make_table(1, 0, 2),
    "dense": make_table(3000, 0, 3),
    "sparse": make_table(3000, 0.3, 4),
    "null": make_table(500, 1, 5),
}
