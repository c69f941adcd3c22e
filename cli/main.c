/* The command: a table of verbs. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "completion.h"

static const cli_verb *const verbs[] = {
    &cli_verb_init, &cli_verb_write, &cli_verb_read,   &cli_verb_poll,    &cli_verb_tail,
    &cli_verb_ls,   &cli_verb_info,  &cli_verb_commit, &cli_verb_restamp,
    &cli_verb_view, &cli_verb_view_add, &cli_verb_backfill, &cli_verb_parquet,
    &cli_verb_doctor, &cli_verb_verify, &cli_verb_orphans, &cli_verb_export_manifest,
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static const char *const addressing_choices[] = {"auto", "path", "virtual", NULL};
static const char *const level_choices[] = {"off", "error", "warn", "info", "debug", NULL};
static const char *const log_format_choices[] = {"text", "json", NULL};

#define GLOBAL(member) offsetof(cli_globals, member)
static const cli_option global_options[] = {
    {"--endpoint-url", 0, "URL", "S3 endpoint (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL)", CLI_TEXT,
     GLOBAL(endpoint_url), NULL},
    {"--region", 0, "NAME", "S3 region (AWS_REGION)", CLI_TEXT, GLOBAL(region), NULL},
    {"--profile", 0, "NAME", "profile of the shared AWS files (AWS_PROFILE)", CLI_TEXT,
     GLOBAL(profile), NULL},
    {"--addressing-style", 0, "STYLE", "auto, path or virtual", CLI_CHOICE, GLOBAL(addressing),
     addressing_choices},
    {"--ca-bundle", 0, "FILE", "PEM file of trusted authorities (AWS_CA_BUNDLE)", CLI_TEXT,
     GLOBAL(ca_bundle), NULL},
    {"--no-verify-ssl", 0, NULL, "do not verify the server's certificate (unsafe)", CLI_FLAG,
     GLOBAL(no_verify_ssl), NULL},
    {"--no-sign-request", 0, NULL, "send unsigned requests, for public buckets", CLI_FLAG,
     GLOBAL(no_sign_request), NULL},
    {"--consistency", 0, "LEVEL", "Consistency-Control header (default strong-global)", CLI_TEXT,
     GLOBAL(consistency), NULL},
    {"--max-inflight", 0, "N", "requests at once (default 32)", CLI_INT, GLOBAL(max_inflight),
     NULL},
    {"--memory", 0, "SIZE", "memory budget (default 256M)", CLI_BYTES, GLOBAL(memory), NULL},
    {"--spill-dir", 0, "DIR", "directory for temporary files (TMPDIR)", CLI_TEXT,
     GLOBAL(spill_dir), NULL},
    {"--timeout", 0, "DURATION", "give up after this long", CLI_DURATION, GLOBAL(timeout_us),
     NULL},
    {"--partition-by", 0, "P,...", "partition columns: part[=column[:format]]", CLI_LIST,
     GLOBAL(partition_by), NULL},
    {"--entity", 0, "C,...", "columns that identify an entity", CLI_LIST, GLOBAL(entity), NULL},
    {"--version", 0, "C", "column with an entity's version", CLI_TEXT, GLOBAL(version), NULL},
    {"--inserted-at-column", 0, "C", "column that receives the insertion time", CLI_TEXT,
     GLOBAL(inserted_at_column), NULL},
    {"--log-level", 0, "LEVEL", "off, error (default), warn, info or debug", CLI_CHOICE,
     GLOBAL(log_level), level_choices},
    {"--log-format", 0, "FORMAT", "text or json", CLI_CHOICE, GLOBAL(log_format),
     log_format_choices},
    {"--metrics-file", 0, "FILE", "write metrics there at the end, for Prometheus", CLI_TEXT,
     GLOBAL(metrics_file), NULL},
    {"--explain", 0, NULL, "say what it cost: requests, bytes, retries", CLI_FLAG,
     GLOBAL(explain), NULL},
    {"--json", 0, NULL, "results as JSON lines", CLI_FLAG, GLOBAL(json), NULL},
    {"--no-progress", 0, NULL, "no progress on the terminal", CLI_FLAG, GLOBAL(no_progress), NULL},
    {"--help", 'h', NULL, "this help", CLI_FLAG, GLOBAL(help), NULL},
};
#define GLOBAL_COUNT (sizeof global_options / sizeof global_options[0])

static void print_overview(FILE *to)
{
    fputs("s3store: append-only, versioned data storage on S3\n\n"
          "Usage: s3store VERB URL [ARGUMENTS] [OPTIONS]\n"
          "       URL is s3://bucket/prefix or file:///directory/prefix\n\nVerbs:\n",
          to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(to, "  %-15s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("\nExamples:\n"
          "  s3store init  file:///tmp/demo/quakes --partition-by day --entity id --version updated\n"
          "  s3store write file:///tmp/demo/quakes quakes.jsonl\n"
          "  s3store read  file:///tmp/demo/quakes 'day=2018-02-07'\n"
          "  s3store poll  file:///tmp/demo/quakes --since -10m\n\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 3 committed but late, 4 some partitions not\n"
          "committed, 5 the answer is no, 130 interrupted.\n"
          "`s3store VERB --help` explains a verb; `s3store --version` prints the version;\n"
          "`s3store completion bash|zsh|fish` prints a script that completes verbs and options,\n"
          "`s3store manual` the manual page.\n",
          to);
}

static void print_verb_help(const cli_verb *verb)
{
    printf("s3store %s: %s\n\nUsage: s3store %s %s [OPTIONS]\n\n%s\n", verb->name, verb->summary,
           verb->name, verb->arguments, verb->help);
    if (verb->option_count > 0) {
        puts("\nOptions:");
        cli_options_help(verb->options, verb->option_count);
    }
    puts("\nOptions of every verb:");
    cli_options_help(global_options, GLOBAL_COUNT);
}

/* ---- interruption: a thread waits for signals, so that the handler may do anything ---------------------- */

static void *wait_for_signals(void *arg)
{
    cli_context *cli = arg;
    sigset_t set;
    int signal_number;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (int seen = 0; sigwait(&set, &signal_number) == 0; seen++) {
        if (seen > 0)
            _exit(CLI_INTERRUPTED);
        s3store_cancel_trigger(cli->cancel);
    }
    return NULL;
}

static bool start_signals(cli_context *cli)
{
    sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 &&
           pthread_create(&thread, NULL, wait_for_signals, cli) == 0 &&
           pthread_detach(thread) == 0;
}

static const cli_verb *find_verb(const char *name)
{
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
        names[i] = verbs[i]->name;
    }
    const char *closest = cli_closest(name, names, VERB_COUNT);
    if (closest != NULL)
        fprintf(stderr, "s3store: unknown verb %s; did you mean %s?\n", name, closest);
    else
        fprintf(stderr, "s3store: unknown verb %s; `s3store --help` lists the verbs\n", name);
    return NULL;
}

static int run_verb(const cli_verb *verb, int argc, char **argv)
{
    static cli_context cli; /* the signal thread outlives main */
    cli.verb = verb->name;
    cli.globals.log_level = S3STORE_LOG_ERROR;
    void *values = calloc(1, verb->values_size + 1);
    if (values == NULL) {
        fprintf(stderr, "s3store %s: out of memory\n", verb->name);
        return CLI_FAILED;
    }
    if (verb->defaults != NULL)
        verb->defaults(values);
    /* The verb's table first: it may give an option of its own meaning to a global name. */
    cli_table tables[] = {{verb->options, verb->option_count, values},
                          {global_options, GLOBAL_COUNT, &cli.globals}};
    int code = CLI_USAGE;
    s3store_error err = {0};
    if (!cli_options_parse(argc, argv, tables, 2, &cli.args)) {
        if (cli.args.items != NULL)
            fprintf(stderr, "Try `s3store %s --help`.\n", verb->name);
        else
            code = CLI_FAILED;
    } else if (cli.globals.help) {
        print_verb_help(verb);
        code = CLI_OK;
    } else if (cli.args.count < verb->min_args) {
        code = cli_usage(&cli, "%s is missing", cli.args.count == 0 ? "the URL" : "an argument");
    } else if (cli.args.count > verb->max_args) {
        code = cli_usage(&cli, "unexpected argument %s", cli.args.items[verb->max_args]);
    } else if (s3store_cancel_new(&cli.cancel, &err) != S3STORE_OK || !start_signals(&cli)) {
        fprintf(stderr, "s3store %s: cannot start: %s\n", verb->name,
                err.message[0] != '\0' ? err.message : "no thread for signals");
        code = CLI_FAILED;
    } else {
        code = verb->run(&cli, values);
        if (!cli_flush(&code) && code == CLI_OK)
            code = CLI_FAILED;
    }
    cli_options_free(tables, 2, &cli.args);
    free(values);
    return code;
}

/* What is freed goes back: without this every thread keeps a heap of its own, and large buffers that
 * were freed stay in it, beside the budget that --memory sets. */
static void return_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 2);
#endif
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("s3store %s\n", s3store_version());
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_overview(stdout);
        return CLI_OK;
    }
    static const cli_commands commands = {verbs, VERB_COUNT, global_options, GLOBAL_COUNT};
    if (strcmp(argv[1], "completion") == 0)
        return cli_completion(&commands, argc == 3 ? argv[2] : NULL);
    if (strcmp(argv[1], "manual") == 0 && argc == 2)
        return cli_manual(&commands);
    bool help = strcmp(argv[1], "help") == 0;
    const cli_verb *verb = find_verb(argv[help ? 2 : 1]);
    if (verb == NULL)
        return CLI_USAGE;
    if (help) {
        print_verb_help(verb);
        return CLI_OK;
    }
    return run_verb(verb, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    return_memory();
    int code = run(argc, argv);
    /* What was printed has arrived, also of help; a verb has seen to it before. */
    bool told = !ferror(stdout);
    if (told && !cli_flush(&code) && code == CLI_OK)
        code = CLI_FAILED;
    return code;
}
