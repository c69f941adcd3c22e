/* cli/records/column.h: column types as text formats see them, and inference. */
#ifndef S3STORE_CLI_RECORDS_COLUMN_H
#define S3STORE_CLI_RECORDS_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3store.h"

typedef enum cli_type {
    CLI_TYPE_NONE = 0, /* only nulls so far */
    CLI_TYPE_BOOL,
    CLI_TYPE_INT,
    CLI_TYPE_UINT, /* inferred only for values above INT64_MAX */
    CLI_TYPE_FLOAT,
    CLI_TYPE_STRING,
    CLI_TYPE_JSON,
    CLI_TYPE_BINARY,
    CLI_TYPE_DATE,
    CLI_TYPE_TIMESTAMP,
    CLI_TYPE_NESTED, /* list, struct, map */
    CLI_TYPE_OTHER,
} cli_type;

cli_type cli_type_of(const struct ArrowSchema *column);
bool cli_schema_is_json(const struct ArrowSchema *column);

/* One value as the parser saw it. */
typedef enum cli_token {
    CLI_TOKEN_NULL,
    CLI_TOKEN_BOOL,   /* text "true" or "false" */
    CLI_TOKEN_NUMBER, /* a JSON number */
    CLI_TOKEN_STRING, /* a JSON string */
    CLI_TOKEN_NESTED, /* the text of a JSON object or array */
    CLI_TOKEN_TEXT,   /* a CSV field: could be anything */
} cli_token;

typedef struct cli_value {
    cli_token token;
    const char *text; /* NUL-terminated, for numbers and CSV fields */
    size_t size;
} cli_value;

/* What a column's values have in common. */
typedef struct cli_inference {
    cli_type type;
    bool negative; /* an integer below zero was seen */
    bool nanos;    /* a timestamp with more than 6 digits */
} cli_inference;
void cli_infer(cli_inference *inference, const cli_value *value);
/* The Arrow format of what was inferred; NULL for only nulls. */
const char *cli_inferred_format(const cli_inference *inference);

/* Appends a value to a column of this type; INVALID_ARGUMENT without place ("abc" is not a int64) when it
 * does not fit: the caller adds file, line and column. */
s3store_status cli_append_value(s3store_builder *builder, size_t column,
                                const struct ArrowSchema *type, const cli_value *value,
                                s3store_error *err);

/* The same for a nested column and the text of a JSON value (nested.c). What was appended before a failure
 * stays in the builders of what is nested. */
s3store_status cli_append_nested(s3store_builder *builder, size_t column,
                                 const struct ArrowSchema *type, const cli_value *value,
                                 s3store_error *err);

/* "YYYY-MM-DD" to days; an RFC 3339 time with zone to seconds and nanoseconds. */
bool cli_parse_date(const char *text, size_t size, int32_t *days);
bool cli_parse_timestamp(const char *text, size_t size, int64_t *seconds, int32_t *nanos,
                         int *digits);

#endif
