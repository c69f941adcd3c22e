/* cli/records/value.h: values of Arrow columns as text. */
#ifndef S3STORE_CLI_RECORDS_VALUE_H
#define S3STORE_CLI_RECORDS_VALUE_H

#include "s3store.h"

/* How a value is written: JSON (quoted, escaped), CSV (quoted where needed), or plain. */
typedef enum cli_style { CLI_STYLE_JSON, CLI_STYLE_CSV, CLI_STYLE_PLAIN } cli_style;

/* A growing text. */
typedef struct cli_text {
    char *data;
    size_t size, capacity;
    bool failed; /* out of memory: sticky */
} cli_text;
void cli_text_add(cli_text *t, const void *data, size_t size);
void cli_text_add_string(cli_text *t, const char *text);
void cli_text_printf(cli_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_text_json_string(cli_text *t, const void *data, size_t size);
void cli_text_free(cli_text *t);

/* Writes a value of one type. row counts from the array's offset. NULL for a type without text form. */
typedef void (*cli_value_fn)(cli_text *out, const struct ArrowSchema *type,
                             const struct ArrowArray *array, int64_t row, cli_style style);
cli_value_fn cli_value_writer(const struct ArrowSchema *type);
bool cli_value_is_null(const struct ArrowArray *array, int64_t row);
/* Text as a JSON string, or for CSV quoted where RFC 4180 asks for it. */
void cli_write_string(cli_text *out, const void *data, size_t size, cli_style style);
/* Digits that read back equal; NaN and Infinity as strings. */
void cli_write_float(cli_text *out, double value, bool single, cli_style style);
void cli_write_base64(cli_text *out, const void *data, size_t size, cli_style style);
/* Types of value_more.c: nested, decimals, float16, fixed-size binaries, durations, intervals. NULL: none
 * of them. */
cli_value_fn cli_value_writer_more(const struct ArrowSchema *type);
bool cli_type_is_number(const struct ArrowSchema *type); /* right-aligned in tables */

#endif
