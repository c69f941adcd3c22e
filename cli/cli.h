/* cli/cli.h: what the verbs of the command share. The command uses the public header only. */
#ifndef S3STORE_CLI_H
#define S3STORE_CLI_H

#include <stdio.h>

#include "options.h"
#include "s3store.h"

/* Exit codes (s3store --help). */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_LATE = 3,    /* all committed, at least one after the commit timeout */
    CLI_PARTIAL = 4, /* some partitions are not committed */
    CLI_NO = 5,      /* the answer is no */
    CLI_INTERRUPTED = 130,
};

/* Options of every verb. */
typedef struct cli_globals {
    const char *endpoint_url, *region, *profile, *ca_bundle, *consistency, *spill_dir;
    const char *metrics_file;
    int addressing;
    bool no_verify_ssl, no_sign_request;
    int64_t max_inflight;
    uint64_t memory;
    int64_t timeout_us;
    int log_level, log_format;
    bool explain, json, no_progress, help;
    /* for datasets without a descriptor; must agree with one that exists */
    cli_list partition_by, entity;
    const char *version, *inserted_at_column;
} cli_globals;

typedef struct cli_context {
    const char *verb;
    cli_globals globals;
    cli_positionals args; /* without the verb */
    s3store_cancel *cancel; /* triggered by the first Ctrl-C */
    s3store_fence fence;
    s3store_request_counts opened; /* what opening the target cost */
} cli_context;

typedef struct cli_verb {
    const char *name;
    const char *arguments; /* "URL [PATTERN]..." */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs and examples, shown by --help */
    const cli_option *options;
    size_t option_count;
    size_t values_size; /* of the struct that options fill, zeroed before */
    void (*defaults)(void *values); /* NULL = all zero */
    size_t min_args, max_args;
    int (*run)(cli_context *cli, void *values);
} cli_verb;

extern const cli_verb cli_verb_init, cli_verb_write, cli_verb_read, cli_verb_poll,
    cli_verb_tail, cli_verb_ls, cli_verb_info, cli_verb_commit, cli_verb_restamp, cli_verb_parquet,
    cli_verb_view, cli_verb_view_add, cli_verb_backfill, cli_verb_doctor, cli_verb_verify,
    cli_verb_orphans, cli_verb_export_manifest;

/* The target of args[0] with the global options. Prints the error itself; NULL on failure, *exit_code
 * is then set. */
s3store_target *cli_target_open(cli_context *cli, int *exit_code);
s3store_target_config cli_target_config(cli_context *cli);
s3store_call cli_call(const cli_context *cli);
/* --timeout as milliseconds for option structs. */
int64_t cli_timeout_ms(const cli_context *cli);

/* One line on stderr: "s3store VERB: message (key)", and a next step where there is one. Returns the
 * exit code for the status. */
int cli_fail(const cli_context *cli, const s3store_error *err);
int cli_usage(const cli_context *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a target has done, at the end of a verb, also of one that failed: requests, bytes and retries
 * for --explain; metrics where they are wanted. */
void cli_explain(const cli_context *cli, const s3store_target *target);
/* The same, and before it what reading should have cost beside what it did. stream: refs were listed. */
void cli_explain_reading(const cli_context *cli, const s3store_target *target, bool stream);
void cli_explain_requests(const cli_context *cli, const s3store_request_counts *counts);

/* ---- small JSON writer for --json lines on stdout -------------------------------------------------------- */

typedef struct cli_json {
    bool comma;
} cli_json;
void cli_json_begin(cli_json *j);
void cli_json_text(cli_json *j, const char *name, const char *value); /* NULL = null */
void cli_json_int(cli_json *j, const char *name, int64_t value);
void cli_json_bool(cli_json *j, const char *name, bool value);
void cli_json_time(cli_json *j, const char *name, int64_t time_us);
void cli_json_list(cli_json *j, const char *name, const char *const *items, size_t count);
void cli_json_end(cli_json *j);
/* Writes text as a JSON string to any file. */
void cli_json_string(FILE *to, const char *text, size_t size);

/* Flushes stdout. false when that failed; a closed pipe is no error: *exit_code is CLI_OK then. */
bool cli_flush(int *exit_code);

/* Writes text to a file that appears under its name wholly or not at all, on disk. */
bool cli_write_file(const char *path, const char *text, s3store_error *err);
/* Opens a file for reading, again when a signal interrupts it. -1 and errno. */
int cli_open(const char *path);
/* Reads a small text file; trailing newline removed. Caller frees. NULL with err. NOT_FOUND when absent. */
char *cli_read_file(const char *path, size_t max_size, s3store_error *err);

#endif
