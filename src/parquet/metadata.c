/* parquet/metadata.c: descriptions of the structs in parquet.thrift: one line for each field. */
#include "parquet/metadata.h"

#define FIELD(T, number, k, member)                                                                \
    {.id = number, .kind = S3S_THRIFT_##k, .offset = offsetof(T, member), .name = #member}
#define NEEDED(T, number, k, member)                                                               \
    {.id = number, .kind = S3S_THRIFT_##k, .required = true, .offset = offsetof(T, member),        \
     .name = #member}
#define STRUCT(T, number, member, s)                                                               \
    {.id = number, .kind = S3S_THRIFT_STRUCT, .offset = offsetof(T, member), .sub = &s,            \
     .name = #member}
#define LIST(T, number, k, member)                                                                 \
    {.id = number, .kind = S3S_THRIFT_LIST, .item = S3S_THRIFT_##k, .offset = offsetof(T, member), \
     .name = #member}
#define NEEDED_LIST(T, number, k, member)                                                          \
    {.id = number, .kind = S3S_THRIFT_LIST, .item = S3S_THRIFT_##k, .required = true,              \
     .offset = offsetof(T, member), .name = #member}
#define STRUCTS(T, number, member, s)                                                              \
    {.id = number, .kind = S3S_THRIFT_LIST, .item = S3S_THRIFT_STRUCT,                             \
     .offset = offsetof(T, member), .sub = &s, .name = #member}
#define NEEDED_STRUCTS(T, number, member, s)                                                       \
    {.id = number, .kind = S3S_THRIFT_LIST, .item = S3S_THRIFT_STRUCT, .required = true,           \
     .offset = offsetof(T, member), .sub = &s, .name = #member}
#define DESCRIBE(title, type, list)                                                                \
    {.name = title, .size = sizeof(type), .fields = list, .field_count = sizeof list / sizeof *list}

static const s3s_thrift_struct empty_struct = {"Empty", sizeof(s3s_pq_empty), NULL, 0};

#define T s3s_pq_statistics
static const s3s_thrift_field statistics_fields[] = {
    FIELD(T, 1, BINARY, max),          FIELD(T, 2, BINARY, min),
    FIELD(T, 3, I64, null_count),      FIELD(T, 4, I64, distinct_count),
    FIELD(T, 5, BINARY, max_value),    FIELD(T, 6, BINARY, min_value),
    FIELD(T, 7, BOOL, is_max_value_exact), FIELD(T, 8, BOOL, is_min_value_exact),
};
static const s3s_thrift_struct statistics_struct =
    DESCRIBE("Statistics", T, statistics_fields);
#undef T

#define T s3s_pq_time_unit
static const s3s_thrift_field time_unit_fields[] = {
    STRUCT(T, 1, millis, empty_struct),
    STRUCT(T, 2, micros, empty_struct),
    STRUCT(T, 3, nanos, empty_struct),
};
static const s3s_thrift_struct time_unit_struct =
    DESCRIBE("TimeUnit", T, time_unit_fields);
#undef T

#define T s3s_pq_decimal_type
static const s3s_thrift_field decimal_fields[] = {
    NEEDED(T, 1, I32, scale),
    NEEDED(T, 2, I32, precision),
};
static const s3s_thrift_struct decimal_struct =
    DESCRIBE("DecimalType", T, decimal_fields);
#undef T

#define T s3s_pq_time_type
static const s3s_thrift_field time_fields[] = {
    NEEDED(T, 1, BOOL, is_adjusted_to_utc),
    STRUCT(T, 2, unit, time_unit_struct),
};
static const s3s_thrift_struct time_struct = DESCRIBE("TimeType", T, time_fields);
#undef T

#define T s3s_pq_int_type
static const s3s_thrift_field int_fields[] = {
    NEEDED(T, 1, I8, bit_width),
    NEEDED(T, 2, BOOL, is_signed),
};
static const s3s_thrift_struct int_struct = DESCRIBE("IntType", T, int_fields);
#undef T

#define T s3s_pq_logical_type
static const s3s_thrift_field logical_fields[] = {
    STRUCT(T, 1, empty, empty_struct),     STRUCT(T, 2, empty, empty_struct),
    STRUCT(T, 3, empty, empty_struct),     STRUCT(T, 4, empty, empty_struct),
    STRUCT(T, 5, decimal, decimal_struct), STRUCT(T, 6, empty, empty_struct),
    STRUCT(T, 7, time, time_struct),       STRUCT(T, 8, timestamp, time_struct),
    STRUCT(T, 10, integer, int_struct),    STRUCT(T, 11, empty, empty_struct),
    STRUCT(T, 12, empty, empty_struct),    STRUCT(T, 13, empty, empty_struct),
    STRUCT(T, 14, empty, empty_struct),    STRUCT(T, 15, empty, empty_struct),
};
static const s3s_thrift_struct logical_struct =
    DESCRIBE("LogicalType", T, logical_fields);
#undef T

#define T s3s_pq_schema_element
static const s3s_thrift_field element_fields[] = {
    FIELD(T, 1, I32, type),       FIELD(T, 2, I32, type_length),
    FIELD(T, 3, I32, repetition), NEEDED(T, 4, BINARY, name),
    FIELD(T, 5, I32, num_children), FIELD(T, 6, I32, converted),
    FIELD(T, 7, I32, scale),      FIELD(T, 8, I32, precision),
    FIELD(T, 9, I32, field_id),   STRUCT(T, 10, logical, logical_struct),
};
static const s3s_thrift_struct element_struct =
    DESCRIBE("SchemaElement", T, element_fields);
#undef T

#define T s3s_pq_data_header
static const s3s_thrift_field data_fields[] = {
    NEEDED(T, 1, I32, num_values),   NEEDED(T, 2, I32, encoding),
    NEEDED(T, 3, I32, def_encoding), NEEDED(T, 4, I32, rep_encoding),
    STRUCT(T, 5, statistics, statistics_struct),
};
static const s3s_thrift_struct data_struct =
    DESCRIBE("DataPageHeader", T, data_fields);
#undef T

#define T s3s_pq_dictionary_header
static const s3s_thrift_field dictionary_fields[] = {
    NEEDED(T, 1, I32, num_values),
    NEEDED(T, 2, I32, encoding),
    FIELD(T, 3, BOOL, is_sorted),
};
static const s3s_thrift_struct dictionary_struct =
    DESCRIBE("DictionaryPageHeader", T, dictionary_fields);
#undef T

#define T s3s_pq_data_header_v2
static const s3s_thrift_field data_v2_fields[] = {
    NEEDED(T, 1, I32, num_values), NEEDED(T, 2, I32, num_nulls), NEEDED(T, 3, I32, num_rows),
    NEEDED(T, 4, I32, encoding),   NEEDED(T, 5, I32, def_size),  NEEDED(T, 6, I32, rep_size),
    FIELD(T, 7, BOOL, is_compressed), STRUCT(T, 8, statistics, statistics_struct),
};
static const s3s_thrift_struct data_v2_struct =
    DESCRIBE("DataPageHeaderV2", T, data_v2_fields);
#undef T

#define T s3s_pq_page_header
static const s3s_thrift_field page_fields[] = {
    NEEDED(T, 1, I32, type),
    NEEDED(T, 2, I32, uncompressed_size),
    NEEDED(T, 3, I32, compressed_size),
    FIELD(T, 4, I32, crc),
    STRUCT(T, 5, data, data_struct),
    STRUCT(T, 7, dictionary, dictionary_struct),
    STRUCT(T, 8, data_v2, data_v2_struct),
};
const s3s_thrift_struct s3s_pq_page_header_struct =
    DESCRIBE("PageHeader", T, page_fields);
#undef T

#define T s3s_pq_encoding_stats
static const s3s_thrift_field encoding_stats_fields[] = {
    NEEDED(T, 1, I32, page_type),
    NEEDED(T, 2, I32, encoding),
    NEEDED(T, 3, I32, count),
};
static const s3s_thrift_struct encoding_stats_struct =
    DESCRIBE("PageEncodingStats", T, encoding_stats_fields);
#undef T

#define T s3s_pq_column
static const s3s_thrift_field column_fields[] = {
    NEEDED(T, 1, I32, type),
    NEEDED_LIST(T, 2, I32, encodings),
    NEEDED_LIST(T, 3, BINARY, path),
    NEEDED(T, 4, I32, codec),
    NEEDED(T, 5, I64, num_values),
    NEEDED(T, 6, I64, uncompressed_size),
    NEEDED(T, 7, I64, compressed_size),
    NEEDED(T, 9, I64, data_page_offset),
    FIELD(T, 10, I64, index_page_offset),
    FIELD(T, 11, I64, dictionary_page_offset),
    STRUCT(T, 12, statistics, statistics_struct),
    STRUCTS(T, 13, encoding_stats, encoding_stats_struct),
    FIELD(T, 14, I64, bloom_filter_offset),
    FIELD(T, 15, I32, bloom_filter_size),
};
static const s3s_thrift_struct column_struct =
    DESCRIBE("ColumnMetaData", T, column_fields);
#undef T

#define T s3s_pq_chunk
static const s3s_thrift_field chunk_fields[] = {
    FIELD(T, 1, BINARY, file_path),         NEEDED(T, 2, I64, file_offset),
    STRUCT(T, 3, column, column_struct),    FIELD(T, 4, I64, offset_index_offset),
    FIELD(T, 5, I32, offset_index_size),    FIELD(T, 6, I64, column_index_offset),
    FIELD(T, 7, I32, column_index_size),    STRUCT(T, 8, crypto, empty_struct),
};
static const s3s_thrift_struct chunk_struct =
    DESCRIBE("ColumnChunk", T, chunk_fields);
#undef T

#define T s3s_pq_sorting
static const s3s_thrift_field sorting_fields[] = {
    NEEDED(T, 1, I32, column),
    NEEDED(T, 2, BOOL, descending),
    NEEDED(T, 3, BOOL, nulls_first),
};
static const s3s_thrift_struct sorting_struct =
    DESCRIBE("SortingColumn", T, sorting_fields);
#undef T

#define T s3s_pq_row_group
static const s3s_thrift_field group_fields[] = {
    NEEDED_STRUCTS(T, 1, columns, chunk_struct), NEEDED(T, 2, I64, total_byte_size),
    NEEDED(T, 3, I64, num_rows),                 STRUCTS(T, 4, sorting, sorting_struct),
    FIELD(T, 5, I64, file_offset),               FIELD(T, 6, I64, total_compressed_size),
    FIELD(T, 7, I16, ordinal),
};
static const s3s_thrift_struct group_struct = DESCRIBE("RowGroup", T, group_fields);
#undef T

#define T s3s_pq_key_value
static const s3s_thrift_field key_value_fields[] = {
    NEEDED(T, 1, BINARY, key),
    FIELD(T, 2, BINARY, value),
};
static const s3s_thrift_struct key_value_struct =
    DESCRIBE("KeyValue", T, key_value_fields);
#undef T

#define T s3s_pq_column_order
static const s3s_thrift_field order_fields[] = {STRUCT(T, 1, type_order, empty_struct)};
static const s3s_thrift_struct order_struct =
    DESCRIBE("ColumnOrder", T, order_fields);
#undef T

#define T s3s_pq_footer
static const s3s_thrift_field footer_fields[] = {
    NEEDED(T, 1, I32, version),
    NEEDED_STRUCTS(T, 2, schema, element_struct),
    NEEDED(T, 3, I64, num_rows),
    NEEDED_STRUCTS(T, 4, row_groups, group_struct),
    STRUCTS(T, 5, key_values, key_value_struct),
    FIELD(T, 6, BINARY, created_by),
    STRUCTS(T, 7, column_orders, order_struct),
    STRUCT(T, 8, encryption, empty_struct),
};
const s3s_thrift_struct s3s_pq_footer_struct =
    DESCRIBE("FileMetaData", T, footer_fields);
#undef T

#define T s3s_pq_page_location
static const s3s_thrift_field location_fields[] = {
    NEEDED(T, 1, I64, offset),
    NEEDED(T, 2, I32, compressed_size),
    NEEDED(T, 3, I64, first_row),
};
static const s3s_thrift_struct location_struct =
    DESCRIBE("PageLocation", T, location_fields);
#undef T

#define T s3s_pq_offset_index
static const s3s_thrift_field offset_index_fields[] = {
    NEEDED_STRUCTS(T, 1, locations, location_struct)};
const s3s_thrift_struct s3s_pq_offset_index_struct =
    DESCRIBE("OffsetIndex", T, offset_index_fields);
#undef T

#define T s3s_pq_column_index
static const s3s_thrift_field column_index_fields[] = {
    NEEDED_LIST(T, 1, BOOL, null_pages),   NEEDED_LIST(T, 2, BINARY, min_values),
    NEEDED_LIST(T, 3, BINARY, max_values), NEEDED(T, 4, I32, boundary_order),
    LIST(T, 5, I64, null_counts),
};
const s3s_thrift_struct s3s_pq_column_index_struct =
    DESCRIBE("ColumnIndex", T, column_index_fields);
#undef T

#define T s3s_pq_one_choice
static const s3s_thrift_field choice_fields[] = {STRUCT(T, 1, known, empty_struct)};
static const s3s_thrift_struct choice_struct = DESCRIBE("Choice", T, choice_fields);
#undef T

#define T s3s_pq_bloom_header
static const s3s_thrift_field bloom_fields[] = {
    NEEDED(T, 1, I32, bytes),
    STRUCT(T, 2, algorithm, choice_struct),
    STRUCT(T, 3, hash, choice_struct),
    STRUCT(T, 4, compression, choice_struct),
};
const s3s_thrift_struct s3s_pq_bloom_header_struct =
    DESCRIBE("BloomFilterHeader", T, bloom_fields);
#undef T
