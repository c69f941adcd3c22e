/* cli/records/input.h: files and standard input as a stream of record batches. */
#ifndef S3STORE_CLI_RECORDS_INPUT_H
#define S3STORE_CLI_RECORDS_INPUT_H

#include "options.h"
#include "s3store.h"

typedef enum cli_format {
    CLI_FORMAT_AUTO = 0, /* by the first file name that says it, else jsonl */
    CLI_FORMAT_JSONL,
    CLI_FORMAT_CSV,
    CLI_FORMAT_PARQUET,
    CLI_FORMAT_TABLE, /* output only */
} cli_format;

typedef struct cli_input_options {
    cli_format format;
    bool is_guess; /* that it is JSON Lines: set here, not by the caller */
    const char *const *types; /* "column:type"; see docs/CLI.md "Types" */
    size_t type_count;
    /* Constant columns "a=1/b=2" (NULL = none): added where the input lacks them; where it has them,
     * every row must agree. names and values are split by the caller. */
    const char *const *constant_names;
    const char *const *constant_values;
    size_t constant_count;
    const struct ArrowSchema *recorded; /* the dataset's schema: its types bind; NULL = none */
    const char *spill_dir;              /* where standard input is spooled; NULL = TMPDIR, /tmp */
    uint64_t memory_bytes;              /* for decoding Parquet; 0 = the library's default */
    s3store_cancel *cancel;
    /* Told while text is looked at for the first time: bytes of an input that is spooled, then records of
     * all of it. NULL = nobody. */
    void (*progress)(void *ctx, uint64_t spooled_bytes, uint64_t records);
    void *progress_ctx;
} cli_input_options;

/* Opens the files ("-" = standard input; none = standard input) as one stream, in order. Types are those
 * of the recorded schema, then --types, then inferred from the whole input (a file is read twice, standard
 * input is spooled). Errors name file and line (jsonl, csv) or file and column. The whole input is parsed
 * once before this returns, so that a broken line is found before anything is written. */
s3store_status cli_input_open(const char *const *paths, size_t path_count,
                              const cli_input_options *options, struct ArrowArrayStream *out,
                              s3store_error *err);

#endif
