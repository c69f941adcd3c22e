/* cli/records/lines.h: text inputs as records of named values, line by line. */
#ifndef S3STORE_CLI_RECORDS_LINES_H
#define S3STORE_CLI_RECORDS_LINES_H

#include <stdio.h>

#include "records/column.h"
#include "records/input.h"

#define CLI_LINE_MAX (64u * 1024 * 1024)

/* An input that can be read twice: a file, or standard input spooled to a temporary one. */
typedef struct cli_source {
    const char *name; /* for messages: the path, or "standard input" */
    FILE *file;
    const s3store_cancel *cancel;
    char *line; /* current line, without its line feed; NUL-terminated */
    size_t line_size, line_capacity;
    uint64_t line_number; /* of the current line, from 1 */
} cli_source;

/* Of options, spill_dir, cancel and progress count. */
s3store_status cli_source_open(const char *path, const cli_input_options *options, cli_source *out,
                               s3store_error *err);
s3store_status cli_source_rewind(cli_source *source, s3store_error *err);
/* OK, or END after the last line. keep_line_end: the line feed stays. */
s3store_status cli_source_next(cli_source *source, bool keep_line_end, s3store_error *err);
void cli_source_close(cli_source *source);
/* INVALID_ARGUMENT "<name>:<line>: ..." */
s3store_status cli_source_fail(const cli_source *source, s3store_status status, s3store_error *err,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Receives one record: count values under names; borrowed for the call. */
typedef s3store_status (*cli_record_fn)(void *ctx, const char *const *names,
                                        const cli_value *values, size_t count,
                                        s3store_error *err);
/* Parsers: one line for each call, which completes none, one or more records. END after the last. */
typedef struct cli_jsonl cli_jsonl;
s3store_status cli_jsonl_new(cli_source *source, cli_jsonl **out, s3store_error *err);
s3store_status cli_jsonl_next(cli_jsonl *parser, cli_record_fn fn, void *ctx, s3store_error *err);
void cli_jsonl_free(cli_jsonl *parser);
typedef struct cli_csv cli_csv;
s3store_status cli_csv_new(cli_source *source, cli_csv **out, s3store_error *err);
s3store_status cli_csv_next(cli_csv *parser, cli_record_fn fn, void *ctx, s3store_error *err);
void cli_csv_free(cli_csv *parser);

#endif
