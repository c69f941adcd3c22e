/* test_faults CASE-FILE [FAULT]: one verb of the store against every fault of the table
 * (README.md). The stack is the one of a target: meter > retry > limit > S3. For each fault are
 * checked: the status, what the message (or the result) names, how many requests the server saw,
 * how long the retry layer slept, and that memory and file descriptors are back to what they were.
 * With FAULT only that one, and what happened is shown. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "faults/virtual_env.h"
#include "objstore/s3/s3.h"
#include "support/failure_server.h"

#define STALL_LIMIT_US 200000
#define NO_LIMIT_US 20000000
#define LINE_SIZE 1024
#define ROWS_MAX 256

typedef struct row {
    unsigned line;
    char fault[FAILURE_NAME_SIZE];
    char status[32];
    unsigned attempts;
    int waits_ms; /* the retry layer sleeps at least this long */
    char *text;   /* that the message or the result has */
} row;

typedef struct case_file {
    const char *path;
    char verb[32];
    char key[1100];
    size_t body_size;
    failure_step good;
    row rows[ROWS_MAX];
    size_t row_count;
    failure_script *faults;
    size_t fault_count;
    char *faults_text;
} case_file;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "test_faults: %s%s%s\n", what, which != NULL ? ": " : "",
            which != NULL ? which : "");
    exit(1);
}

/* ---- reading the files ----------------------------------------------------------------------- */

static char *read_file(const char *path, char *before)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die("cannot read", path);
    size_t size = before != NULL ? strlen(before) : 0;
    char *text = realloc(before, size + (1 << 20));
    if (text == NULL)
        abort();
    size += fread(text + size, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* "500_once  OK  2  waits=100  "text"": the text is the rest, without its quotes. */
static void read_row(case_file *c, const char *line, unsigned number)
{
    if (c->row_count == ROWS_MAX)
        die("too many rows", c->path);
    row *r = &c->rows[c->row_count++];
    r->line = number;
    int used = 0;
    if (sscanf(line, "%47s %31s %u %n", r->fault, r->status, &r->attempts, &used) != 3)
        die("not a row", line);
    line += used;
    if (sscanf(line, "waits=%d %n", &r->waits_ms, &used) == 1)
        line += used;
    size_t size = strlen(line);
    if (size < 2 || line[0] != '"' || line[size - 1] != '"')
        die("the text of a row is not in quotes", line);
    r->text = strndup(line + 1, size - 2);
}

static void read_line(case_file *c, const char *line, unsigned number, int *section)
{
    char name[LINE_SIZE];
    char why[512];
    if (strcmp(line, "good") == 0) {
        *section = 1;
    } else if (strcmp(line, "rows") == 0) {
        *section = 2;
    } else if (*section == 2) {
        read_row(c, line, number);
    } else if (*section == 1) {
        if (!failure_step_add(&c->good, line, NULL, why, sizeof why))
            die(c->path, why);
    } else if (sscanf(line, "faults %1000s", name) == 1) {
        c->faults_text = read_file(name, c->faults_text);
    } else if (sscanf(line, "verb %31s", c->verb) != 1 && sscanf(line, "key %1023s", c->key) != 1 &&
               sscanf(line, "body %zu", &c->body_size) != 1) {
        die("not a line of a case file", line);
    }
}

static case_file *read_case_file(const char *path)
{
    case_file *c = calloc(1, sizeof *c);
    char *text = read_file(path, NULL);
    c->path = path;
    failure_step_init(&c->good);
    int section = 0;
    unsigned number = 0;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        number++;
        line += strspn(line, " \t");
        for (size_t n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
            line[n - 1] = '\0';
        if (*line != '\0' && *line != '#')
            read_line(c, line, number, &section);
        line = end;
    }
    free(text);
    char why[512];
    c->faults = failure_scripts_parse(c->faults_text != NULL ? c->faults_text : "", &c->good,
                                      &c->fault_count, why, sizeof why);
    if (c->faults == NULL)
        die("table of faults", why);
    return c;
}

static void free_case_file(case_file *c)
{
    for (size_t i = 0; i < c->row_count; i++)
        free(c->rows[i].text);
    failure_scripts_free(c->faults, c->fault_count);
    failure_step_deinit(&c->good);
    free(c->faults_text);
    free(c);
}

/* Each fault has one row and each row a fault. */
static unsigned check_matrix(const case_file *c)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < c->fault_count; i++) {
        unsigned rows = 0;
        for (size_t k = 0; k < c->row_count; k++)
            rows += strcmp(c->rows[k].fault, c->faults[i].name) == 0;
        if (rows != 1) {
            printf("%s: fault %s has %u rows instead of 1\n", c->path, c->faults[i].name, rows);
            wrong++;
        }
    }
    return wrong;
}

static const failure_script *find_fault(const case_file *c, const char *name)
{
    for (size_t i = 0; i < c->fault_count; i++)
        if (strcmp(c->faults[i].name, name) == 0)
            return &c->faults[i];
    return NULL;
}

/* ---- one case -------------------------------------------------------------------------------- */

typedef struct rig {
    const case_file *file;
    s3s_env *env;
    s3s_env *sleepless; /* of the retry layer */
    failure_server *server;
    s3store_object_store s3, limit, retry, meter;
    char *body;
    char result[2048]; /* of a success, in words */
} rig;

/* New credentials once the server has refused the first ones. */
static const char *lookup(void *ctx, const char *name)
{
    const rig *r = ctx;
    bool later = r->server != NULL && failure_server_played(r->server) > 0;
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return later ? "SECONDID" : "FIRSTID";
    if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
        return "hidden-secret";
    if (strcmp(name, "AWS_SESSION_TOKEN") == 0)
        return later ? "second-token" : "first-token";
    return strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0 ? "true" : NULL;
}

static void must(s3store_status status, const s3store_error *err)
{
    if (status != S3STORE_OK)
        die("cannot build the stack", err->message);
}

static bool stalls(const failure_script *script)
{
    for (size_t i = 0; i < script->step_count; i++)
        if (script->steps[i].end == FAILURE_STALL)
            return true;
    return false;
}

/* Each failed attempt that is repeated, where one row is shown. */
static void show_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    (void)ctx;
    (void)level;
    printf("    %s:", message);
    for (size_t i = 0; i < field_count; i++)
        printf(" %s=%s", fields[i].key, fields[i].value);
    printf("\n");
}

static void open_rig(rig *r, const case_file *c, const failure_script *script)
{
    s3store_error err = {0};
    memset(r, 0, sizeof *r);
    r->file = c;
    must(s3s_env_new_real(&r->env, &err), &err);
    r->sleepless = virtual_env_new();
    r->server = failure_server_start(script);
    if (r->server == NULL)
        die("cannot start the server", NULL);
    int64_t limit_us = stalls(script) ? STALL_LIMIT_US : NO_LIMIT_US;
    s3s_environment environment = {lookup, r};
    s3s_http_options http = {.first_byte_timeout_us = limit_us, .idle_timeout_us = limit_us};
    s3s_s3_options options = {.bucket = "bucket", .endpoint_url = failure_server_url(r->server)};
    must(s3s_s3_store_new_with(r->env, &options, &environment, &http, &r->s3, &err), &err);
    must(s3s_layer_limit_new(r->env, &r->s3, 4, &r->limit, &err), &err);
    must(s3s_layer_retry_new(r->sleepless, &r->limit, NULL, &r->retry, &err), &err);
    s3s_meter *meter = NULL;
    must(s3s_layer_meter_new(r->env, &r->retry, &r->meter, &meter, &err), &err);
    r->body = malloc(c->body_size + 1);
    for (size_t i = 0; i < c->body_size; i++)
        r->body[i] = (char)('a' + i % 26);
}

/* Everything given back; returns what leaked in words, or NULL. */
static const char *close_rig(rig *r)
{
    s3s_store_deinit(&r->meter);
    s3s_store_deinit(&r->retry);
    s3s_store_deinit(&r->limit);
    s3s_store_deinit(&r->s3);
    failure_server_stop(r->server);
    free(r->body);
    bool leaked =
        s3s_env_live_allocs(r->env) != 0 || s3s_env_live_allocs(r->sleepless) != 0;
    s3s_env_release(r->env);
    virtual_env_free(r->sleepless);
    return leaked ? "memory" : NULL;
}

static const char *given(int64_t time_us)
{
    return time_us != S3STORE_TIME_NONE ? "yes" : "no";
}

static s3store_status run_put(rig *r, s3store_error *err)
{
    static const s3store_metadata_entry metadata[] = {{"rows", "3"}};
    bool fenced = strcmp(r->file->verb, "put_fenced") == 0;
    int64_t now_us = s3s_wall_us(r->sleepless);
    s3store_put_request request = {.size = sizeof request,
                                   .key = r->file->key,
                                   .body = r->body,
                                   .body_size = r->file->body_size,
                                   .metadata = metadata,
                                   .metadata_count = 1,
                                   .if_none_match = strcmp(r->file->verb, "put") != 0,
                                   .fenced = fenced,
                                   .valid_from_us = fenced ? now_us - 1000000 : 0,
                                   .expires_at_us = fenced ? now_us + 60000000 : 0};
    s3store_put_reply reply;
    s3store_status status = s3s_put(&r->meter, NULL, &request, &reply, err);
    snprintf(r->result, sizeof r->result, "stored etag=%s date=%s", reply.etag,
             given(reply.date_us));
    return status;
}

static s3store_status run_get(rig *r, s3store_error *err)
{
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, r->env, 1 << 20);
    s3store_sink sink = s3s_buffer_sink(&buffer);
    bool range = strcmp(r->file->verb, "get_range") == 0;
    s3store_get_request request = {.size = sizeof request,
                                   .key = r->file->key,
                                   .offset = range ? 3 : 0,
                                   .length = range ? 10 : S3STORE_LENGTH_ALL};
    s3store_object_info info;
    s3store_status status = s3s_get(&r->meter, NULL, &request, &sink, &info, err);
    snprintf(r->result, sizeof r->result, "got '%.*s' of %llu etag=%s date=%s modified=%s rows=%s",
             (int)(buffer.size < 200 ? buffer.size : 200),
             buffer.data != NULL ? (const char *)buffer.data : "",
             (unsigned long long)info.object_size, info.etag, given(info.date_us),
             given(info.last_modified_us),
             s3store_metadata_get(&info.metadata, "rows") != NULL ? "yes" : "no");
    s3s_buffer_deinit(&buffer);
    return status;
}

static s3store_status run_head(rig *r, s3store_error *err)
{
    s3store_object_info info;
    s3store_status status = s3s_head(&r->meter, NULL, r->file->key, &info, err);
    snprintf(r->result, sizeof r->result, "size=%llu etag=%s date=%s modified=%s rows=%s",
             (unsigned long long)info.object_size, info.etag, given(info.date_us),
             given(info.last_modified_us),
             s3store_metadata_get(&info.metadata, "rows") != NULL ? "yes" : "no");
    return status;
}

static bool take_entry(void *ctx, const s3store_list_entry *entry)
{
    rig *r = ctx;
    size_t used = strlen(r->result);
    snprintf(r->result + used, sizeof r->result - used, " %s", entry->key);
    return true;
}

static s3store_status run_list(rig *r, s3store_error *err)
{
    s3store_list_request request = {.size = sizeof request, .prefix = r->file->key};
    s3store_list_reply reply;
    snprintf(r->result, sizeof r->result, "listed");
    s3store_status status = s3s_list(&r->meter, NULL, &request, take_entry, r, &reply, err);
    size_t used = strlen(r->result);
    snprintf(r->result + used, sizeof r->result - used, " date=%s more=%s",
             given(reply.date_us), reply.truncated ? "yes" : "no");
    return status;
}

static s3store_status run_delete(rig *r, s3store_error *err)
{
    s3store_status status = s3s_remove(&r->meter, NULL, r->file->key, err);
    snprintf(r->result, sizeof r->result, "removed");
    return status;
}

/* The four requests of an upload in parts. */
static s3store_status run_create(rig *r, s3store_error *err)
{
    char upload_id[S3STORE_UPLOAD_ID_MAX] = "";
    s3store_put_request request = {.size = sizeof request, .key = r->file->key};
    s3store_status status = s3s_create_multipart(&r->meter, NULL, &request, upload_id, err);
    snprintf(r->result, sizeof r->result, "began %.100s", upload_id);
    return status;
}

static s3store_status run_part(rig *r, s3store_error *err)
{
    s3store_part_request request = {.size = sizeof request,
                                    .key = r->file->key,
                                    .upload_id = "upload-1",
                                    .number = 2,
                                    .body = r->body,
                                    .body_size = r->file->body_size};
    s3store_put_reply reply;
    s3store_status status = s3s_put_part(&r->meter, NULL, &request, &reply, err);
    snprintf(r->result, sizeof r->result, "part etag=%s", reply.etag);
    return status;
}

static s3store_status run_complete(rig *r, s3store_error *err)
{
    static const s3store_put_reply parts[] = {{.etag = "one"}, {.etag = "two"}};
    s3store_complete_request request = {.size = sizeof request,
                                        .key = r->file->key,
                                        .upload_id = "upload-1",
                                        .parts = parts,
                                        .part_count = 2};
    s3store_put_reply reply;
    s3store_status status = s3s_complete_multipart(&r->meter, NULL, &request, &reply, err);
    snprintf(r->result, sizeof r->result, "completed etag=%s date=%s", reply.etag,
             given(reply.date_us));
    return status;
}

static s3store_status run_abort(rig *r, s3store_error *err)
{
    s3store_status status = s3s_abort_multipart(&r->meter, NULL, r->file->key, "upload-1", err);
    snprintf(r->result, sizeof r->result, "aborted");
    return status;
}

static const struct {
    const char *name;
    s3store_status (*run)(rig *r, s3store_error *err);
} verbs[] = {{"put", run_put},         {"put_conditional", run_put}, {"put_fenced", run_put},
             {"get", run_get},         {"get_range", run_get},       {"head", run_head},
             {"list", run_list},       {"delete", run_delete},
             {"create", run_create},   {"part", run_part},
             {"complete", run_complete}, {"abort", run_abort}};

static s3store_status run_verb(rig *r, s3store_error *err)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, r->file->verb) == 0)
            return verbs[i].run(r, err);
    die("there is no verb", r->file->verb);
    return S3STORE_INTERNAL;
}

static unsigned count_fds(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

/* No answer of a server brings a secret into a message. */
static bool tells_secrets(const s3store_error *err)
{
    return strstr(err->message, "hidden-secret") != NULL ||
           strstr(err->message, "-token") != NULL || strstr(err->message, "Signature=") != NULL;
}

/* "A" or "A|B": where it depends on which packet comes first. */
static bool status_is_one_of(s3store_status status, const char *names)
{
    const char *name = s3store_status_name(status);
    size_t size = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, name, size) == 0 && (at[size] == '\0' || at[size] == '|'))
            return true;
    }
    return false;
}

static bool run_row(const case_file *c, const row *expected, bool show)
{
    const failure_script *script = find_fault(c, expected->fault);
    if (script == NULL) {
        printf("%s:%u: there is no fault \"%s\"\n", c->path, expected->line, expected->fault);
        return false;
    }
    unsigned fds_before = count_fds();
    rig r;
    s3store_error err = {0};
    open_rig(&r, c, script);
    if (show)
        s3s_env_set_log(r.sleepless, show_log, NULL, S3STORE_LOG_WARN);
    if (script->warm) {
        (void)run_verb(&r, &err);
        failure_server_wait_settled(r.server);
        memset(&err, 0, sizeof err);
    }
    unsigned warm = failure_server_played(r.server);
    int64_t slept_before_us = virtual_env_slept_us(r.sleepless);
    s3store_status status = run_verb(&r, &err);
    unsigned attempts = failure_server_played(r.server) - warm;
    int64_t slept_ms = (virtual_env_slept_us(r.sleepless) - slept_before_us) / 1000;
    const char *leak = close_rig(&r);
    if (leak == NULL && count_fds() != fds_before)
        leak = "file descriptors";
    const char *words = status == S3STORE_OK ? r.result : err.message;
    bool right = status_is_one_of(status, expected->status) &&
                 attempts == expected->attempts && strstr(words, expected->text) != NULL &&
                 slept_ms >= expected->waits_ms && (expected->attempts > 1 || slept_ms == 0) &&
                 leak == NULL &&
                 (status == S3STORE_OK || (err.status == status && err.message[0] != '\0')) &&
                 !tells_secrets(&err);
    if (!right)
        printf("%s:%u: %s: expected %s in %u attempts, waits >= %d ms, \"%s\"\n", c->path,
               expected->line, expected->fault, expected->status, expected->attempts,
               expected->waits_ms, expected->text);
    if (!right || show)
        printf("  %s: %s in %u attempts, waited %lld ms, \"%s\"%s%s\n", expected->fault,
               s3store_status_name(status), attempts, (long long)slept_ms, words,
               leak != NULL ? "; LEAKED " : "", leak != NULL ? leak : "");
    return right;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage: test_faults CASE-FILE [FAULT]", NULL);
    case_file *c = read_case_file(argv[1]);
    unsigned failed = argc > 2 ? 0 : check_matrix(c);
    unsigned run = 0;
    /* What is made once for the process (libcurl, TLS) is made before anything is counted. */
    for (size_t i = 0; i < c->row_count && i < 1; i++)
        (void)run_row(c, &c->rows[i], false);
    for (size_t i = 0; i < c->row_count; i++) {
        if (argc > 2 && strcmp(argv[2], c->rows[i].fault) != 0)
            continue;
        failed += !run_row(c, &c->rows[i], argc > 2);
        run++;
    }
    printf("%s: %u cases, %u failed\n", c->path, run, failed);
    free_case_file(c);
    return failed > 0 || run == 0;
}
