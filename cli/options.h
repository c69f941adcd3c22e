/* cli/options.h: command-line options as tables. */
#ifndef S3STORE_CLI_OPTIONS_H
#define S3STORE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an option's value is, and the C type of the member that receives it. */
typedef enum cli_kind {
    CLI_FLAG,     /* bool; no value */
    CLI_TEXT,     /* const char *, borrowed from argv */
    CLI_LIST,     /* cli_list: "a,b,c", and repeated options add up */
    CLI_REPEAT,   /* cli_list: one entry for each time it is given, commas included */
    CLI_INT,      /* int64_t, >= 0 */
    CLI_BYTES,    /* uint64_t: "64M", "1G", "4096" */
    CLI_TIME,     /* int64_t us: RFC 3339, or "-10m" before now (ages take d and w too) */
    CLI_DURATION, /* int64_t us: "15s", "1.5s" (the grammar of the configuration objects) */
    CLI_CHOICE,   /* int: index into choices */
} cli_kind;

typedef struct cli_list {
    char **items;
    size_t count;
} cli_list;

typedef struct cli_option {
    const char *name; /* "--token" */
    char letter;      /* 'l' for -l, 0 = none */
    const char *value; /* name of the value in help, NULL for flags */
    const char *help;
    cli_kind kind;
    size_t offset; /* of the member in the struct that the table is parsed into */
    const char *const *choices; /* CLI_CHOICE, NULL-terminated */
} cli_option;

/* A table and where its values go. */
typedef struct cli_table {
    const cli_option *options;
    size_t count;
    void *values;
} cli_table;

typedef struct cli_positionals {
    const char **items;
    size_t count;
} cli_positionals;

/* Parses arguments against several tables. On a mistake prints one line on stderr, with a suggestion
 * where a name is close, and returns false. */
bool cli_options_parse(int argc, char **argv, const cli_table *tables, size_t table_count,
                       cli_positionals *positionals);
void cli_options_free(const cli_table *tables, size_t table_count, cli_positionals *positionals);
void cli_options_help(const cli_option *options, size_t count);

/* The closest candidate to a mistyped name, NULL when none is close. */
const char *cli_closest(const char *name, const char *const *candidates, size_t count);

/* "7d", "2w", "36h", "1h30m" */
bool cli_parse_age(const char *text, int64_t *age_us);
bool cli_parse_time(const char *text, int64_t *time_us);
bool cli_parse_bytes(const char *text, uint64_t *bytes);

#endif
