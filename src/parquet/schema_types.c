/* parquet/schema_types.c: physical type and annotation <-> Arrow type.
 *
 * The old converted types and the logical types are first brought to one form. An annotation that
 * does not fit its physical type is left aside: the values are then what they physically are.
 */
#include "parquet/schema.h"

#include "base/error.h"
#include "parquet/convert.h"

typedef enum annotation_kind {
    NOTE_NONE,
    NOTE_STRING,
    NOTE_ENUM,
    NOTE_JSON,
    NOTE_BSON,
    NOTE_UUID,
    NOTE_DECIMAL,
    NOTE_DATE,
    NOTE_TIME,
    NOTE_TIMESTAMP,
    NOTE_INTEGER,
    NOTE_INTERVAL,
    NOTE_FLOAT16,
    NOTE_UNKNOWN,
} annotation_kind;

typedef struct annotation {
    annotation_kind kind;
    int bits;
    bool is_signed, utc;
    s3s_unit unit;
    int32_t precision, scale;
} annotation;

static const annotation converted_notes[] = {
    [S3S_PQ_UTF8] = {.kind = NOTE_STRING},
    [S3S_PQ_ENUM] = {.kind = NOTE_ENUM},
    [S3S_PQ_DECIMAL] = {.kind = NOTE_DECIMAL},
    [S3S_PQ_DATE] = {.kind = NOTE_DATE},
    [S3S_PQ_TIME_MILLIS] = {.kind = NOTE_TIME, .utc = true, .unit = S3S_MILLI},
    [S3S_PQ_TIME_MICROS] = {.kind = NOTE_TIME, .utc = true, .unit = S3S_MICRO},
    [S3S_PQ_TIMESTAMP_MILLIS] = {.kind = NOTE_TIMESTAMP, .utc = true, .unit = S3S_MILLI},
    [S3S_PQ_TIMESTAMP_MICROS] = {.kind = NOTE_TIMESTAMP, .utc = true, .unit = S3S_MICRO},
    [S3S_PQ_UINT_8] = {.kind = NOTE_INTEGER, .bits = 8},
    [S3S_PQ_UINT_16] = {.kind = NOTE_INTEGER, .bits = 16},
    [S3S_PQ_UINT_32] = {.kind = NOTE_INTEGER, .bits = 32},
    [S3S_PQ_UINT_64] = {.kind = NOTE_INTEGER, .bits = 64},
    [S3S_PQ_INT_8] = {.kind = NOTE_INTEGER, .bits = 8, .is_signed = true},
    [S3S_PQ_INT_16] = {.kind = NOTE_INTEGER, .bits = 16, .is_signed = true},
    [S3S_PQ_INT_32] = {.kind = NOTE_INTEGER, .bits = 32, .is_signed = true},
    [S3S_PQ_INT_64] = {.kind = NOTE_INTEGER, .bits = 64, .is_signed = true},
    [S3S_PQ_JSON] = {.kind = NOTE_JSON},
    [S3S_PQ_BSON] = {.kind = NOTE_BSON},
    [S3S_PQ_INTERVAL] = {.kind = NOTE_INTERVAL},
};

static const annotation_kind logical_kinds[] = {
    [S3S_LOGICAL_STRING] = NOTE_STRING,       [S3S_LOGICAL_MAP] = NOTE_NONE,
    [S3S_LOGICAL_LIST] = NOTE_NONE,           [S3S_LOGICAL_ENUM] = NOTE_ENUM,
    [S3S_LOGICAL_DECIMAL] = NOTE_DECIMAL,     [S3S_LOGICAL_DATE] = NOTE_DATE,
    [S3S_LOGICAL_TIME] = NOTE_TIME,           [S3S_LOGICAL_TIMESTAMP] = NOTE_TIMESTAMP,
    [S3S_LOGICAL_INTEGER] = NOTE_INTEGER,     [S3S_LOGICAL_UNKNOWN] = NOTE_UNKNOWN,
    [S3S_LOGICAL_JSON] = NOTE_JSON,           [S3S_LOGICAL_BSON] = NOTE_BSON,
    [S3S_LOGICAL_UUID] = NOTE_UUID,           [S3S_LOGICAL_FLOAT16] = NOTE_FLOAT16,
};

static bool read_unit(const s3s_pq_time_type *time, annotation *note)
{
    note->utc = time->is_adjusted_to_utc;
    if (S3S_PQ_HAS(&time->unit, S3S_UNIT_MILLIS))
        note->unit = S3S_MILLI;
    else if (S3S_PQ_HAS(&time->unit, S3S_UNIT_MICROS))
        note->unit = S3S_MICRO;
    else if (S3S_PQ_HAS(&time->unit, S3S_UNIT_NANOS))
        note->unit = S3S_NANO;
    else
        return false;
    return true;
}

static annotation read_annotation(const s3s_pq_schema_element *e)
{
    annotation note = {.kind = NOTE_NONE};
    if (S3S_PQ_HAS(e, S3S_ELEMENT_LOGICAL) && e->logical.has != 0) {
        const s3s_pq_logical_type *l = &e->logical;
        note.kind = logical_kinds[__builtin_ctzll(l->has)];
        if (note.kind == NOTE_TIME && !read_unit(&l->time, &note))
            note.kind = NOTE_NONE;
        else if (note.kind == NOTE_TIMESTAMP && !read_unit(&l->timestamp, &note))
            note.kind = NOTE_NONE;
        note.bits = l->integer.bit_width;
        note.is_signed = l->integer.is_signed;
        note.precision = l->decimal.precision;
        note.scale = l->decimal.scale;
    } else if (S3S_PQ_HAS(e, S3S_ELEMENT_CONVERTED) && e->converted >= 0 &&
               (size_t)e->converted < sizeof converted_notes / sizeof *converted_notes) {
        note = converted_notes[e->converted];
        note.precision = e->precision;
        note.scale = e->scale;
    }
    return note;
}

/* ---- reading: annotation and physical type to field ------------------------------------------ */

static void physical_field(s3s_field *field, const s3s_leaf *leaf,
                           const s3s_pq_schema_element *element)
{
    static const s3s_type types[] = {
        [S3S_PQ_BOOLEAN] = S3S_TYPE_BOOL,      [S3S_PQ_INT32] = S3S_TYPE_INT32,
        [S3S_PQ_INT64] = S3S_TYPE_INT64,       [S3S_PQ_INT96] = S3S_TYPE_TIMESTAMP,
        [S3S_PQ_FLOAT] = S3S_TYPE_FLOAT,       [S3S_PQ_DOUBLE] = S3S_TYPE_DOUBLE,
        [S3S_PQ_BYTE_ARRAY] = S3S_TYPE_BINARY, [S3S_PQ_FIXED] = S3S_TYPE_FIXED_BINARY,
    };
    *field = (s3s_field){.type = types[leaf->physical]};
    if (leaf->physical == S3S_PQ_FIXED)
        field->width = (int32_t)leaf->type_length;
    if (leaf->physical == S3S_PQ_INT96)
        field->unit = element->int96_nanos ? S3S_NANO : S3S_MICRO;
}

static bool integer_field(s3s_field *field, const s3s_leaf *leaf, const annotation *note)
{
    static const s3s_type types[2][4] = {
        {S3S_TYPE_UINT8, S3S_TYPE_UINT16, S3S_TYPE_UINT32, S3S_TYPE_UINT64},
        {S3S_TYPE_INT8, S3S_TYPE_INT16, S3S_TYPE_INT32, S3S_TYPE_INT64}};
    bool wide = leaf->physical == S3S_PQ_INT64;
    if (note->bits == 64 ? !wide : leaf->physical != S3S_PQ_INT32)
        return false;
    size_t size = note->bits == 8 ? 0 : note->bits == 16 ? 1 : note->bits == 32 ? 2 : 3;
    if (size == 3 && note->bits != 64)
        return false;
    field->type = types[note->is_signed][size];
    return true;
}

static bool decimal_field(s3s_field *field, const s3s_leaf *leaf, const annotation *note)
{
    static const int32_t digits[] = {[S3S_PQ_INT32] = S3S_DECIMAL_INT32_DIGITS,
                                     [S3S_PQ_INT64] = S3S_DECIMAL_INT64_DIGITS};
    int32_t max = 76;
    if (leaf->physical == S3S_PQ_INT32 || leaf->physical == S3S_PQ_INT64)
        max = digits[leaf->physical];
    else if (leaf->physical != S3S_PQ_BYTE_ARRAY && leaf->physical != S3S_PQ_FIXED)
        return false;
    if (note->precision < 1 || note->precision > max || note->scale < 0 ||
        note->scale > note->precision)
        return false;
    field->type = S3S_TYPE_DECIMAL;
    field->width = note->precision <= 38 ? 16 : 32;
    field->precision = note->precision;
    field->scale = note->scale;
    return true;
}

static bool bytes_field(s3s_field *field, const s3s_leaf *leaf, annotation_kind kind)
{
    static const struct {
        s3s_type type;
        s3s_hint hint;
    } types[] = {
        [NOTE_STRING] = {S3S_TYPE_STRING, S3S_HINT_NONE},
        [NOTE_ENUM] = {S3S_TYPE_STRING, S3S_HINT_ENUM},
        [NOTE_JSON] = {S3S_TYPE_STRING, S3S_HINT_JSON},
        [NOTE_BSON] = {S3S_TYPE_BINARY, S3S_HINT_BSON},
    };
    if (leaf->physical != S3S_PQ_BYTE_ARRAY)
        return false;
    field->type = types[kind].type;
    field->hint = types[kind].hint;
    return true;
}

static bool time_field(s3s_field *field, const s3s_leaf *leaf, const annotation *note)
{
    bool stamp = note->kind == NOTE_TIMESTAMP;
    s3s_physical fits =
        !stamp && note->unit == S3S_MILLI ? S3S_PQ_INT32 : S3S_PQ_INT64;
    if (leaf->physical != fits)
        return false;
    field->type = stamp ? S3S_TYPE_TIMESTAMP
                        : fits == S3S_PQ_INT32 ? S3S_TYPE_TIME32 : S3S_TYPE_TIME64;
    field->unit = note->unit;
    field->utc = stamp && note->utc;
    return true;
}

static bool fixed_field(s3s_field *field, const s3s_leaf *leaf, annotation_kind kind)
{
    static const struct {
        size_t width;
        s3s_type type;
        s3s_hint hint;
    } types[] = {
        [NOTE_UUID] = {16, S3S_TYPE_FIXED_BINARY, S3S_HINT_UUID},
        [NOTE_INTERVAL] = {12, S3S_TYPE_INTERVAL, S3S_HINT_NONE},
        [NOTE_FLOAT16] = {2, S3S_TYPE_FLOAT16, S3S_HINT_NONE},
    };
    if (leaf->physical != S3S_PQ_FIXED || leaf->type_length != types[kind].width)
        return false;
    field->type = types[kind].type;
    field->hint = types[kind].hint;
    return true;
}

static bool annotated_field(s3s_field *field, const s3s_leaf *leaf, const annotation *note)
{
    switch (note->kind) {
    case NOTE_STRING:
    case NOTE_ENUM:
    case NOTE_JSON:
    case NOTE_BSON:
        return bytes_field(field, leaf, note->kind);
    case NOTE_UUID:
    case NOTE_INTERVAL:
    case NOTE_FLOAT16:
        return fixed_field(field, leaf, note->kind);
    case NOTE_TIME:
    case NOTE_TIMESTAMP:
        return time_field(field, leaf, note);
    case NOTE_INTEGER:
        return integer_field(field, leaf, note);
    case NOTE_DECIMAL:
        return decimal_field(field, leaf, note);
    case NOTE_DATE:
        field->type = S3S_TYPE_DATE32;
        return leaf->physical == S3S_PQ_INT32;
    case NOTE_UNKNOWN:
        field->type = S3S_TYPE_NULL;
        return true;
    default:
        return false;
    }
}

s3store_status s3s_leaf_type(const s3s_pq_schema_element *element, s3s_field *field, s3s_leaf *leaf,
                             s3store_error *err)
{
    if (element->type < 0 || element->type >= S3S_PQ_PHYSICAL_COUNT)
        return s3s_fail(err, S3STORE_CORRUPT, "there is no physical type %d", (int)element->type);
    leaf->physical = (s3s_physical)element->type;
    leaf->type_length = 0;
    if (leaf->physical == S3S_PQ_FIXED) {
        if (!S3S_PQ_HAS(element, S3S_ELEMENT_TYPE_LENGTH) || element->type_length <= 0)
            return s3s_fail(err, S3STORE_CORRUPT, "FIXED_LEN_BYTE_ARRAY without a length");
        leaf->type_length = (size_t)element->type_length;
    }
    annotation note = read_annotation(element);
    physical_field(field, leaf, element);
    s3s_field annotated = *field;
    annotated.width = 0;
    if (annotated_field(&annotated, leaf, &note)) {
        if (annotated.type == S3S_TYPE_FIXED_BINARY)
            annotated.width = field->width;
        *field = annotated;
    }
    s3s_choose_conversion(field, leaf);
    return S3STORE_OK;
}

/* ---- writing: field to element --------------------------------------------------------------- */

typedef struct written_type {
    int8_t physical; /* -1: not written */
    int8_t converted; /* -1: none */
    int8_t logical;   /* -1: none */
    int8_t bits;
    bool is_signed;
} written_type;

static const written_type written_types[S3S_TYPE_COUNT] = {
    [S3S_TYPE_NULL] = {S3S_PQ_INT32, -1, S3S_LOGICAL_UNKNOWN, 0, false},
    [S3S_TYPE_BOOL] = {S3S_PQ_BOOLEAN, -1, -1, 0, false},
    [S3S_TYPE_INT8] = {S3S_PQ_INT32, S3S_PQ_INT_8, S3S_LOGICAL_INTEGER, 8, true},
    [S3S_TYPE_INT16] = {S3S_PQ_INT32, S3S_PQ_INT_16, S3S_LOGICAL_INTEGER, 16, true},
    [S3S_TYPE_INT32] = {S3S_PQ_INT32, S3S_PQ_INT_32, S3S_LOGICAL_INTEGER, 32, true},
    [S3S_TYPE_INT64] = {S3S_PQ_INT64, S3S_PQ_INT_64, S3S_LOGICAL_INTEGER, 64, true},
    [S3S_TYPE_UINT8] = {S3S_PQ_INT32, S3S_PQ_UINT_8, S3S_LOGICAL_INTEGER, 8, false},
    [S3S_TYPE_UINT16] = {S3S_PQ_INT32, S3S_PQ_UINT_16, S3S_LOGICAL_INTEGER, 16, false},
    [S3S_TYPE_UINT32] = {S3S_PQ_INT32, S3S_PQ_UINT_32, S3S_LOGICAL_INTEGER, 32, false},
    [S3S_TYPE_UINT64] = {S3S_PQ_INT64, S3S_PQ_UINT_64, S3S_LOGICAL_INTEGER, 64, false},
    [S3S_TYPE_FLOAT16] = {S3S_PQ_FIXED, -1, S3S_LOGICAL_FLOAT16, 0, false},
    [S3S_TYPE_FLOAT] = {S3S_PQ_FLOAT, -1, -1, 0, false},
    [S3S_TYPE_DOUBLE] = {S3S_PQ_DOUBLE, -1, -1, 0, false},
    [S3S_TYPE_STRING] = {S3S_PQ_BYTE_ARRAY, S3S_PQ_UTF8, S3S_LOGICAL_STRING, 0, false},
    [S3S_TYPE_LARGE_STRING] = {S3S_PQ_BYTE_ARRAY, S3S_PQ_UTF8, S3S_LOGICAL_STRING, 0, false},
    [S3S_TYPE_BINARY] = {S3S_PQ_BYTE_ARRAY, -1, -1, 0, false},
    [S3S_TYPE_LARGE_BINARY] = {S3S_PQ_BYTE_ARRAY, -1, -1, 0, false},
    [S3S_TYPE_FIXED_BINARY] = {S3S_PQ_FIXED, -1, -1, 0, false},
    [S3S_TYPE_DATE32] = {S3S_PQ_INT32, S3S_PQ_DATE, S3S_LOGICAL_DATE, 0, false},
    [S3S_TYPE_DATE64] = {S3S_PQ_INT32, S3S_PQ_DATE, S3S_LOGICAL_DATE, 0, false},
    [S3S_TYPE_TIME32] = {S3S_PQ_INT32, -1, S3S_LOGICAL_TIME, 0, false},
    [S3S_TYPE_TIME64] = {S3S_PQ_INT64, -1, S3S_LOGICAL_TIME, 0, false},
    [S3S_TYPE_TIMESTAMP] = {S3S_PQ_INT64, -1, S3S_LOGICAL_TIMESTAMP, 0, false},
    [S3S_TYPE_DURATION] = {-1, -1, -1, 0, false},
    [S3S_TYPE_DECIMAL] = {S3S_PQ_FIXED, S3S_PQ_DECIMAL, S3S_LOGICAL_DECIMAL, 0, false},
    [S3S_TYPE_INTERVAL] = {S3S_PQ_FIXED, S3S_PQ_INTERVAL, -1, 0, false},
    [S3S_TYPE_LIST] = {-1, -1, -1, 0, false},
    [S3S_TYPE_LARGE_LIST] = {-1, -1, -1, 0, false},
    [S3S_TYPE_STRUCT] = {-1, -1, -1, 0, false},
    [S3S_TYPE_MAP] = {-1, -1, -1, 0, false},
};

static const struct {
    int8_t converted, logical;
} written_hints[] = {
    [S3S_HINT_NONE] = {-1, -1},
    [S3S_HINT_JSON] = {S3S_PQ_JSON, S3S_LOGICAL_JSON},
    [S3S_HINT_BSON] = {S3S_PQ_BSON, S3S_LOGICAL_BSON},
    [S3S_HINT_ENUM] = {S3S_PQ_ENUM, S3S_LOGICAL_ENUM},
    [S3S_HINT_UUID] = {-1, S3S_LOGICAL_UUID},
};

static void set_time(const s3s_field *field, s3s_pq_schema_element *out)
{
    bool stamp = field->type == S3S_TYPE_TIMESTAMP;
    s3s_pq_time_type *time = stamp ? &out->logical.timestamp : &out->logical.time;
    bool utc = stamp && field->utc;
    S3S_PQ_SET(time, 0);
    S3S_PQ_SET(time, 1);
    time->is_adjusted_to_utc = utc;
    /* Parquet has no seconds: they are written as milliseconds. */
    unsigned unit = field->unit == S3S_NANO    ? S3S_UNIT_NANOS
                    : field->unit == S3S_MICRO ? S3S_UNIT_MICROS
                                               : S3S_UNIT_MILLIS;
    S3S_PQ_SET(&time->unit, unit);
    /* The converted types mean UTC, and there is none for nanoseconds. */
    if (utc && unit != S3S_UNIT_NANOS) {
        S3S_PQ_SET(out, S3S_ELEMENT_CONVERTED);
        out->converted =
            unit == S3S_UNIT_MILLIS ? S3S_PQ_TIMESTAMP_MILLIS : S3S_PQ_TIMESTAMP_MICROS;
    }
}

static void set_details(const s3s_field *field, const written_type *type,
                        s3s_pq_schema_element *out)
{
    switch (field->type) {
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64:
    case S3S_TYPE_TIMESTAMP:
        set_time(field, out);
        break;
    case S3S_TYPE_DECIMAL:
        S3S_PQ_SET(&out->logical.decimal, 0);
        S3S_PQ_SET(&out->logical.decimal, 1);
        S3S_PQ_SET(out, S3S_ELEMENT_SCALE);
        S3S_PQ_SET(out, S3S_ELEMENT_PRECISION);
        out->scale = out->logical.decimal.scale = field->scale;
        out->precision = out->logical.decimal.precision = field->precision;
        break;
    default:
        if (type->logical == S3S_LOGICAL_INTEGER) {
            S3S_PQ_SET(&out->logical.integer, 0);
            S3S_PQ_SET(&out->logical.integer, 1);
            out->logical.integer.bit_width = type->bits;
            out->logical.integer.is_signed = type->is_signed;
        }
        break;
    }
}

static s3s_physical written_physical(const s3s_field *field)
{
    if (field->type == S3S_TYPE_DECIMAL && field->precision <= S3S_DECIMAL_INT64_DIGITS)
        return field->precision <= S3S_DECIMAL_INT32_DIGITS ? S3S_PQ_INT32 : S3S_PQ_INT64;
    return (s3s_physical)written_types[field->type].physical;
}

static int32_t written_length(const s3s_field *field)
{
    return field->type == S3S_TYPE_FLOAT16 ? 2 : field->type == S3S_TYPE_INTERVAL ? 12
                                                                                  : field->width;
}

s3store_status s3s_element_for_field(const s3s_field *field, s3s_pq_schema_element *out,
                                     s3store_error *err)
{
    char text[128];
    memset(out, 0, sizeof *out);
    const written_type *type = &written_types[field->type];
    if (field->type == S3S_TYPE_DURATION)
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column \"%s\": Parquet has no durations: write an int64, and the unit into "
                        "its name",
                        field->name);
    if (type->physical < 0 || (field->type == S3S_TYPE_DECIMAL && field->scale < 0))
        return s3s_fail(err, S3STORE_UNSUPPORTED, "column \"%s\": type %s cannot be written yet",
                        field->name, s3s_field_type_text(field, text, sizeof text));
    int8_t converted = type->converted, logical = type->logical;
    bool uuid_fits = field->type == S3S_TYPE_FIXED_BINARY && field->width == 16;
    if (field->hint != S3S_HINT_NONE &&
        (field->hint == S3S_HINT_UUID ? uuid_fits : s3s_type_is_bytes(field->type))) {
        converted = written_hints[field->hint].converted;
        logical = written_hints[field->hint].logical;
    }
    S3S_PQ_SET(out, S3S_ELEMENT_TYPE);
    out->type = (int32_t)written_physical(field);
    if (out->type == S3S_PQ_FIXED) {
        S3S_PQ_SET(out, S3S_ELEMENT_TYPE_LENGTH);
        out->type_length = written_length(field);
    }
    S3S_PQ_SET(out, S3S_ELEMENT_REPETITION);
    out->repetition =
        field->nullable || field->type == S3S_TYPE_NULL ? S3S_PQ_OPTIONAL : S3S_PQ_REQUIRED;
    S3S_PQ_SET(out, S3S_ELEMENT_NAME);
    out->name = (s3s_thrift_binary){(const uint8_t *)field->name, strlen(field->name)};
    if (converted >= 0) {
        S3S_PQ_SET(out, S3S_ELEMENT_CONVERTED);
        out->converted = converted;
    }
    if (logical >= 0) {
        S3S_PQ_SET(out, S3S_ELEMENT_LOGICAL);
        S3S_PQ_SET(&out->logical, (unsigned)logical);
    }
    set_details(field, type, out);
    return S3STORE_OK;
}
