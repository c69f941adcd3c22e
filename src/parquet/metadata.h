/* parquet/metadata.h: the Thrift structs of footer, page headers and page index, as C structs with
 * their descriptions. In each, bit i of `has` says that the i-th member after it is present,
 * counting in the order of declaration, which is that of the field ids.
 */
#ifndef S3S_PARQUET_METADATA_H
#define S3S_PARQUET_METADATA_H

#include "parquet/format.h"
#include "parquet/thrift/compact.h"

#define S3S_PQ_HAS(value, bit) (((value)->has & (UINT64_C(1) << (bit))) != 0)
#define S3S_PQ_SET(value, bit) ((value)->has |= UINT64_C(1) << (bit))

typedef struct s3s_pq_empty {
    uint64_t has;
} s3s_pq_empty;

enum {
    S3S_STATS_MAX, S3S_STATS_MIN, S3S_STATS_NULL_COUNT, S3S_STATS_DISTINCT_COUNT,
    S3S_STATS_MAX_VALUE, S3S_STATS_MIN_VALUE, S3S_STATS_MAX_EXACT, S3S_STATS_MIN_EXACT,
};
typedef struct s3s_pq_statistics {
    uint64_t has;
    s3s_thrift_binary max, min; /* deprecated: signed comparison whatever the type */
    int64_t null_count, distinct_count;
    s3s_thrift_binary max_value, min_value;
    bool is_max_value_exact, is_min_value_exact;
} s3s_pq_statistics;

enum { S3S_UNIT_MILLIS, S3S_UNIT_MICROS, S3S_UNIT_NANOS };
typedef struct s3s_pq_time_unit {
    uint64_t has;
    s3s_pq_empty millis, micros, nanos;
} s3s_pq_time_unit;

typedef struct s3s_pq_decimal_type {
    uint64_t has;
    int32_t scale, precision;
} s3s_pq_decimal_type;

typedef struct s3s_pq_time_type { /* TIME and TIMESTAMP */
    uint64_t has;
    bool is_adjusted_to_utc;
    s3s_pq_time_unit unit;
} s3s_pq_time_type;

typedef struct s3s_pq_int_type {
    uint64_t has;
    int8_t bit_width;
    bool is_signed;
} s3s_pq_int_type;

enum {
    S3S_LOGICAL_STRING, S3S_LOGICAL_MAP, S3S_LOGICAL_LIST, S3S_LOGICAL_ENUM, S3S_LOGICAL_DECIMAL,
    S3S_LOGICAL_DATE, S3S_LOGICAL_TIME, S3S_LOGICAL_TIMESTAMP, S3S_LOGICAL_INTEGER,
    S3S_LOGICAL_UNKNOWN, S3S_LOGICAL_JSON, S3S_LOGICAL_BSON, S3S_LOGICAL_UUID, S3S_LOGICAL_FLOAT16,
};
typedef struct s3s_pq_logical_type { /* a union */
    uint64_t has;
    s3s_pq_decimal_type decimal;
    s3s_pq_time_type time, timestamp;
    s3s_pq_int_type integer;
    s3s_pq_empty empty; /* stands for every kind without members */
} s3s_pq_logical_type;

enum {
    S3S_ELEMENT_TYPE, S3S_ELEMENT_TYPE_LENGTH, S3S_ELEMENT_REPETITION, S3S_ELEMENT_NAME,
    S3S_ELEMENT_NUM_CHILDREN, S3S_ELEMENT_CONVERTED, S3S_ELEMENT_SCALE, S3S_ELEMENT_PRECISION,
    S3S_ELEMENT_FIELD_ID, S3S_ELEMENT_LOGICAL,
};
typedef struct s3s_pq_schema_element {
    uint64_t has;
    int32_t type, type_length, repetition;
    s3s_thrift_binary name;
    int32_t num_children, converted, scale, precision, field_id;
    s3s_pq_logical_type logical;
    bool int96_nanos; /* not in the file: what its values ask for (int96.h) */
} s3s_pq_schema_element;

enum {
    S3S_DATA_VALUES, S3S_DATA_ENCODING, S3S_DATA_DEF_ENCODING, S3S_DATA_REP_ENCODING,
    S3S_DATA_STATS,
};
typedef struct s3s_pq_data_header {
    uint64_t has;
    int32_t num_values, encoding, def_encoding, rep_encoding;
    s3s_pq_statistics statistics;
} s3s_pq_data_header;

enum { S3S_DICT_VALUES, S3S_DICT_ENCODING, S3S_DICT_SORTED };
typedef struct s3s_pq_dictionary_header {
    uint64_t has;
    int32_t num_values, encoding;
    bool is_sorted;
} s3s_pq_dictionary_header;

enum {
    S3S_DATA2_VALUES, S3S_DATA2_NULLS, S3S_DATA2_ROWS, S3S_DATA2_ENCODING, S3S_DATA2_DEF_SIZE,
    S3S_DATA2_REP_SIZE, S3S_DATA2_COMPRESSED, S3S_DATA2_STATS,
};
typedef struct s3s_pq_data_header_v2 {
    uint64_t has;
    int32_t num_values, num_nulls, num_rows, encoding, def_size, rep_size;
    bool is_compressed; /* absent: true */
    s3s_pq_statistics statistics;
} s3s_pq_data_header_v2;

enum {
    S3S_PAGE_TYPE, S3S_PAGE_UNCOMPRESSED, S3S_PAGE_COMPRESSED, S3S_PAGE_CRC, S3S_PAGE_DATA,
    S3S_PAGE_DICTIONARY, S3S_PAGE_DATA_V2,
};
typedef struct s3s_pq_page_header {
    uint64_t has;
    int32_t type, uncompressed_size, compressed_size, crc;
    s3s_pq_data_header data;
    s3s_pq_dictionary_header dictionary;
    s3s_pq_data_header_v2 data_v2;
} s3s_pq_page_header;

typedef struct s3s_pq_encoding_stats {
    uint64_t has;
    int32_t page_type, encoding, count;
} s3s_pq_encoding_stats;

enum {
    S3S_COLUMN_TYPE, S3S_COLUMN_ENCODINGS, S3S_COLUMN_PATH, S3S_COLUMN_CODEC, S3S_COLUMN_VALUES,
    S3S_COLUMN_UNCOMPRESSED, S3S_COLUMN_COMPRESSED, S3S_COLUMN_DATA_OFFSET, S3S_COLUMN_INDEX_OFFSET,
    S3S_COLUMN_DICT_OFFSET, S3S_COLUMN_STATS, S3S_COLUMN_ENCODING_STATS, S3S_COLUMN_BLOOM_OFFSET,
    S3S_COLUMN_BLOOM_SIZE,
};
typedef struct s3s_pq_column {
    uint64_t has;
    int32_t type;
    s3s_thrift_list encodings; /* int32_t */
    s3s_thrift_list path;      /* s3s_thrift_binary */
    int32_t codec;
    int64_t num_values, uncompressed_size, compressed_size;
    int64_t data_page_offset, index_page_offset, dictionary_page_offset;
    s3s_pq_statistics statistics;
    s3s_thrift_list encoding_stats; /* s3s_pq_encoding_stats */
    int64_t bloom_filter_offset;
    int32_t bloom_filter_size;
} s3s_pq_column;

enum {
    S3S_CHUNK_FILE_PATH, S3S_CHUNK_FILE_OFFSET, S3S_CHUNK_COLUMN, S3S_CHUNK_OFFSET_INDEX,
    S3S_CHUNK_OFFSET_INDEX_SIZE, S3S_CHUNK_COLUMN_INDEX, S3S_CHUNK_COLUMN_INDEX_SIZE,
    S3S_CHUNK_CRYPTO,
};
typedef struct s3s_pq_chunk {
    uint64_t has;
    s3s_thrift_binary file_path;
    int64_t file_offset;
    s3s_pq_column column;
    int64_t offset_index_offset;
    int32_t offset_index_size;
    int64_t column_index_offset;
    int32_t column_index_size;
    s3s_pq_empty crypto;
} s3s_pq_chunk;

typedef struct s3s_pq_sorting {
    uint64_t has;
    int32_t column;
    bool descending, nulls_first;
} s3s_pq_sorting;

enum {
    S3S_GROUP_COLUMNS, S3S_GROUP_BYTES, S3S_GROUP_ROWS, S3S_GROUP_SORTING, S3S_GROUP_OFFSET,
    S3S_GROUP_COMPRESSED, S3S_GROUP_ORDINAL,
};
typedef struct s3s_pq_row_group {
    uint64_t has;
    s3s_thrift_list columns; /* s3s_pq_chunk */
    int64_t total_byte_size, num_rows;
    s3s_thrift_list sorting; /* s3s_pq_sorting */
    int64_t file_offset, total_compressed_size;
    int16_t ordinal;
} s3s_pq_row_group;

typedef struct s3s_pq_key_value {
    uint64_t has;
    s3s_thrift_binary key, value;
} s3s_pq_key_value;

typedef struct s3s_pq_column_order { /* a union */
    uint64_t has;
    s3s_pq_empty type_order;
} s3s_pq_column_order;

enum {
    S3S_FOOTER_VERSION, S3S_FOOTER_SCHEMA, S3S_FOOTER_ROWS, S3S_FOOTER_GROUPS,
    S3S_FOOTER_KEY_VALUES, S3S_FOOTER_CREATED_BY, S3S_FOOTER_COLUMN_ORDERS,
    S3S_FOOTER_ENCRYPTION,
};
typedef struct s3s_pq_footer {
    uint64_t has;
    int32_t version;
    s3s_thrift_list schema; /* s3s_pq_schema_element */
    int64_t num_rows;
    s3s_thrift_list row_groups; /* s3s_pq_row_group */
    s3s_thrift_list key_values; /* s3s_pq_key_value */
    s3s_thrift_binary created_by;
    s3s_thrift_list column_orders; /* s3s_pq_column_order */
    s3s_pq_empty encryption;
} s3s_pq_footer;

typedef struct s3s_pq_page_location {
    uint64_t has;
    int64_t offset;
    int32_t compressed_size;
    int64_t first_row;
} s3s_pq_page_location;

typedef struct s3s_pq_offset_index {
    uint64_t has;
    s3s_thrift_list locations; /* s3s_pq_page_location */
} s3s_pq_offset_index;

typedef struct s3s_pq_column_index {
    uint64_t has;
    s3s_thrift_list null_pages; /* bool */
    s3s_thrift_list min_values; /* s3s_thrift_binary */
    s3s_thrift_list max_values;
    int32_t boundary_order;      /* 0 unordered, 1 ascending, 2 descending */
    s3s_thrift_list null_counts; /* int64_t */
} s3s_pq_column_index;

typedef struct s3s_pq_one_choice { /* a union with one known member, the first */
    uint64_t has;
    s3s_pq_empty known;
} s3s_pq_one_choice;

typedef struct s3s_pq_bloom_header {
    uint64_t has;
    int32_t bytes;
    s3s_pq_one_choice algorithm; /* BLOCK */
    s3s_pq_one_choice hash;      /* XXHASH */
    s3s_pq_one_choice compression; /* UNCOMPRESSED */
} s3s_pq_bloom_header;

extern const s3s_thrift_struct s3s_pq_bloom_header_struct;
extern const s3s_thrift_struct s3s_pq_footer_struct;
extern const s3s_thrift_struct s3s_pq_page_header_struct;
extern const s3s_thrift_struct s3s_pq_offset_index_struct;
extern const s3s_thrift_struct s3s_pq_column_index_struct;

#endif
