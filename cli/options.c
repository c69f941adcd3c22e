#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "s3store.h"

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance, for names up to 63 bytes; longer ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t row[64];
    if (la > 63 || lb > 63)
        return 64;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j];
            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = up;
        }
    }
    return row[lb];
}

const char *cli_closest(const char *name, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(name, candidates[i]);
        if (d <= best_distance && d < strlen(candidates[i])) {
            best = candidates[i];
            best_distance = d > 0 ? d - 1 : 0;
        }
    }
    return best;
}

/* ---- values ------------------------------------------------------------------------------------------ */

static bool parse_u64(const char *text, char **end, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, end, 10);
    return errno == 0;
}

bool cli_parse_bytes(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    char *end;
    uint64_t value;
    if (!parse_u64(text, &end, &value))
        return false;
    if (*end != '\0') {
        char c = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
        const char *at = strchr(suffixes, c);
        if (at == NULL || (strcmp(end + 1, "") != 0 && strcmp(end + 1, "iB") != 0 &&
                           strcmp(end + 1, "B") != 0))
            return false;
        for (const char *s = suffixes; s <= at; s++)
            if (__builtin_mul_overflow(value, (uint64_t)1024, &value))
                return false;
    }
    *bytes = value;
    return true;
}

/* "10m", "1h30m", and whole days and weeks: "7d", "2w". */
bool cli_parse_age(const char *text, int64_t *age_us)
{
    char *end;
    uint64_t value;
    if (parse_u64(text, &end, &value) && (end[0] == 'd' || end[0] == 'w') && end[1] == '\0') {
        uint64_t days = end[0] == 'w' ? 7 : 1;
        if (value > 100000)
            return false;
        *age_us = (int64_t)(value * days * 86400) * 1000000;
        return true;
    }
    int64_t ns;
    if (s3store_duration_parse(text, &ns, NULL) != S3STORE_OK || ns < 0)
        return false;
    *age_us = ns / 1000;
    return true;
}

bool cli_parse_time(const char *text, int64_t *time_us)
{
    if (text[0] != '-')
        return s3store_time_parse(text, time_us, NULL) == S3STORE_OK;
    int64_t age_us;
    struct timespec now;
    if (!cli_parse_age(text + 1, &age_us))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    *time_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - age_us;
    return true;
}

static bool list_add(cli_list *list, const char *text, size_t size)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    list->items = items;
    items[list->count] = strndup(text, size);
    return items[list->count] != NULL && ++list->count > 0;
}

/* Up to a comma, but those between "<" and its ">": "a:struct<b:int64,c:string>,d:int64". */
static size_t item_size(const char *text)
{
    size_t size = 0;
    for (;;) {
        size += strcspn(text + size, ",<");
        if (text[size] != '<')
            return size;
        size_t end = size, depth = 0;
        do {
            depth += text[end] == '<';
            depth -= text[end] == '>';
        } while (depth > 0 && text[++end] != '\0');
        size = text[end] != '\0' ? end + 1 : size + 1; /* one without its ">" means nothing */
    }
}

static bool split_list(cli_list *list, const char *text)
{
    for (;;) {
        size_t size = item_size(text);
        if (size == 0 || !list_add(list, text, size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

static bool set_choice(const cli_option *o, const char *text, int *out)
{
    for (int i = 0; o->choices[i] != NULL; i++)
        if (strcmp(o->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool set_value(const cli_option *o, void *values, const char *text)
{
    void *member = (char *)values + o->offset;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)member = true;
        return true;
    case CLI_TEXT:
        *(const char **)member = text;
        return true;
    case CLI_LIST:
        return split_list(member, text);
    case CLI_REPEAT:
        return list_add(member, text, strlen(text));
    case CLI_INT: {
        char *end;
        uint64_t value;
        if (!parse_u64(text, &end, &value) || *end != '\0' || value > INT64_MAX)
            return false;
        *(int64_t *)member = (int64_t)value;
        return true;
    }
    case CLI_BYTES:
        return cli_parse_bytes(text, member);
    case CLI_TIME:
        return cli_parse_time(text, member);
    case CLI_DURATION: {
        int64_t ns;
        if (s3store_duration_parse(text, &ns, NULL) != S3STORE_OK)
            return false;
        *(int64_t *)member = ns / 1000;
        return true;
    }
    case CLI_CHOICE:
        return set_choice(o, text, member);
    }
    return false;
}

static void explain_value(const cli_option *o, const char *text)
{
    static const char *const forms[] = {
        [CLI_LIST] = "a list like a,b,c",
        [CLI_INT] = "a whole number, not negative",
        [CLI_BYTES] = "a size like 4096, 64M or 1G",
        [CLI_TIME] = "a time like 2018-02-07T01:26:13Z, or -10m for ten minutes ago",
        [CLI_DURATION] = "a duration like 15s, 500ms or 1h30m",
    };
    if (o->kind == CLI_CHOICE) {
        fprintf(stderr, "s3store: %s %s: must be one of", o->name, text);
        for (int i = 0; o->choices[i] != NULL; i++)
            fprintf(stderr, "%s %s", i > 0 ? "," : "", o->choices[i]);
        fputc('\n', stderr);
        return;
    }
    fprintf(stderr, "s3store: %s %s: must be %s\n", o->name, text,
            forms[o->kind] != NULL ? forms[o->kind] : "a value");
}

/* ---- parsing ------------------------------------------------------------------------------------------- */

static const cli_option *find_option(const cli_table *tables, size_t table_count, const char *arg,
                                     size_t size, void **values)
{
    for (size_t t = 0; t < table_count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const cli_option *o = &tables[t].options[i];
            bool same = arg[1] == '-' ? strlen(o->name) == size && strncmp(o->name, arg, size) == 0
                                      : o->letter != 0 && size == 2 && arg[1] == o->letter;
            if (same) {
                *values = tables[t].values;
                return o;
            }
        }
    return NULL;
}

static void explain_unknown(const cli_table *tables, size_t table_count, const char *arg,
                            size_t size)
{
    const char *names[128];
    size_t count = 0;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(size < 63 ? size : 63), arg);
    for (size_t t = 0; t < table_count; t++)
        for (size_t i = 0; i < tables[t].count && count < 128; i++)
            names[count++] = tables[t].options[i].name;
    const char *closest = cli_closest(name, names, count);
    fprintf(stderr, "s3store: unknown option %s%s%s%s\n", name,
            closest != NULL ? "; did you mean " : "", closest != NULL ? closest : "",
            closest != NULL ? "?" : "");
}

bool cli_options_parse(int argc, char **argv, const cli_table *tables, size_t table_count,
                       cli_positionals *positionals)
{
    positionals->count = 0;
    positionals->items = calloc((size_t)argc + 1, sizeof *positionals->items);
    if (positionals->items == NULL) {
        fputs("s3store: out of memory\n", stderr);
        return false;
    }
    bool options_end = false;
    for (int i = 0; i < argc; i++) {
        char *arg = argv[i];
        if (options_end || arg[0] != '-' || arg[1] == '\0') {
            positionals->items[positionals->count++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            options_end = true;
            continue;
        }
        size_t size = arg[1] == '-' ? strcspn(arg, "=") : strlen(arg);
        void *values;
        const cli_option *o = find_option(tables, table_count, arg, size, &values);
        if (o == NULL) {
            explain_unknown(tables, table_count, arg, size);
            return false;
        }
        const char *text = arg[size] == '=' ? arg + size + 1 : NULL;
        if (o->kind == CLI_FLAG && text != NULL) {
            fprintf(stderr, "s3store: %s takes no value\n", o->name);
            return false;
        }
        if (o->kind != CLI_FLAG && text == NULL) {
            if (i + 1 == argc) {
                fprintf(stderr, "s3store: %s needs a value: %s\n", o->name, o->value);
                return false;
            }
            text = argv[++i];
        }
        if (!set_value(o, values, text)) {
            explain_value(o, text);
            return false;
        }
    }
    return true;
}

void cli_options_free(const cli_table *tables, size_t table_count, cli_positionals *positionals)
{
    for (size_t t = 0; t < table_count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const cli_option *o = &tables[t].options[i];
            if (o->kind != CLI_LIST && o->kind != CLI_REPEAT)
                continue;
            cli_list *list = (void *)((char *)tables[t].values + o->offset);
            for (size_t k = 0; k < list->count; k++)
                free(list->items[k]);
            free(list->items);
            *list = (cli_list){0};
        }
    free(positionals->items);
    positionals->items = NULL;
}

void cli_options_help(const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        char left[64];
        int n = o->letter != 0 ? snprintf(left, sizeof left, "-%c, %s", o->letter, o->name)
                               : snprintf(left, sizeof left, "%s", o->name);
        if (o->value != NULL)
            snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
        if (strlen(left) > 30)
            printf("  %s\n  %-30s %s\n", left, "", o->help);
        else
            printf("  %-30s %s\n", left, o->help);
    }
}
