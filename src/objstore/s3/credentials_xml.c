/* The XML of STS. Elements are known by their path, all others are passed over. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/s3/credentials_parse.h"
#include "objstore/s3/xml_reader.h"

#define PATH_SIZE 160

/* One allocation of fixed size: no copies of secrets stay behind. Overwritten at the end. */
typedef struct texts {
    char id[300];
    char secret[600];
    char token[16 * 1024 + 2];
    char expiration[64];
    char code[512];
    char message[1024];
} texts;

typedef struct parser {
    s3s_xml_reader reader;
    texts *texts;
    char path[PATH_SIZE];
    size_t path_size;
    size_t unknown_depth; /* > 0: inside an element that is passed over */
} parser;

/* ---- elements -------------------------------------------------------------------------------- */

#define SLOT(member) offsetof(texts, member), sizeof((texts *)0)->member

typedef struct slot {
    const char *path; /* without the root */
    size_t offset;
    size_t capacity;
} slot;

static const slot slots[] = {
    {"AssumeRoleResult/Credentials/AccessKeyId", SLOT(id)},
    {"AssumeRoleResult/Credentials/SecretAccessKey", SLOT(secret)},
    {"AssumeRoleResult/Credentials/SessionToken", SLOT(token)},
    {"AssumeRoleResult/Credentials/Expiration", SLOT(expiration)},
    {"AssumeRoleWithWebIdentityResult/Credentials/AccessKeyId", SLOT(id)},
    {"AssumeRoleWithWebIdentityResult/Credentials/SecretAccessKey", SLOT(secret)},
    {"AssumeRoleWithWebIdentityResult/Credentials/SessionToken", SLOT(token)},
    {"AssumeRoleWithWebIdentityResult/Credentials/Expiration", SLOT(expiration)},
    {"Error/Code", SLOT(code)},
    {"Error/Message", SLOT(message)},
    {"Code", SLOT(code)}, /* below a bare Error: some servers answer as S3 does */
    {"Message", SLOT(message)},
};

static const slot *find_slot(const char *path)
{
    const char *below = strchr(path, '/');
    for (size_t i = 0; below != NULL && i < sizeof slots / sizeof slots[0]; i++)
        if (strcmp(slots[i].path, below + 1) == 0)
            return &slots[i];
    return NULL;
}

static bool on_start(void *ctx, const char *name, size_t size)
{
    parser *p = ctx;
    if (p->unknown_depth > 0 || p->path_size + size + 2 > PATH_SIZE) {
        p->unknown_depth++;
        return false;
    }
    if (p->path_size > 0)
        p->path[p->path_size++] = '/';
    memcpy(p->path + p->path_size, name, size);
    p->path_size += size;
    p->path[p->path_size] = '\0';
    return find_slot(p->path) != NULL;
}

static void on_end(void *ctx, char *text, size_t size)
{
    parser *p = ctx;
    if (p->unknown_depth > 0) {
        p->unknown_depth--;
        return;
    }
    const slot *found = find_slot(p->path);
    if (found != NULL) {
        char *place = (char *)p->texts + found->offset;
        bool is_for_people = place == p->texts->message || place == p->texts->code;
        if (size >= found->capacity && !is_for_people)
            s3s_xml_reader_fail(&p->reader, S3STORE_CORRUPT, "a text in it is too long");
        if (size >= found->capacity)
            size = found->capacity - 1;
        s3s_wipe(place, found->capacity); /* the last of several counts */
        memcpy(place, text, size);
    }
    char *slash = strrchr(p->path, '/');
    p->path_size = slash == NULL ? 0 : (size_t)(slash - p->path);
    p->path[p->path_size] = '\0';
}

static const s3s_xml_handler handler = {
    .start = on_start, .end = on_end, .max_text = S3S_CREDENTIALS_DOCUMENT_MAX};

/* ---- the document ---------------------------------------------------------------------------- */

/* White space around a value is the formatting of the document. */
static char *trim(char *text)
{
    static const char blank[] = " \t\r\n";
    text += strspn(text, blank);
    size_t size = strlen(text);
    while (size > 0 && strchr(blank, text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

static void copy_line(char *out, size_t out_size, const char *text)
{
    size_t i = 0;
    for (; text[i] != '\0' && i + 1 < out_size; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[i] = '\0';
}

static s3store_status take(s3s_env *env, texts *t, const char *source, s3s_credentials **out,
                           s3s_sts_refusal *refusal, s3store_error *err)
{
    char *id = trim(t->id);
    char *secret = trim(t->secret);
    char *token = trim(t->token);
    const char *expiration = trim(t->expiration);
    if (t->code[0] != '\0') {
        copy_line(refusal->code, sizeof refusal->code, trim(t->code));
        copy_line(refusal->message, sizeof refusal->message, trim(t->message));
        return S3STORE_OK;
    }
    int64_t seconds = 0;
    int32_t nanos = 0;
    int64_t expires_us = S3STORE_TIME_NONE;
    if (id[0] == '\0' || secret[0] == '\0' || token[0] == '\0' ||
        !s3s_rfc3339_parse(expiration, strlen(expiration), &seconds, &nanos, NULL) ||
        __builtin_mul_overflow(seconds, 1000000, &expires_us))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "%s: the answer lacks a key, the token or the time when they expire",
                        source);
    return s3s_credentials_new(env, id, secret, token, expires_us, source, out, err);
}

s3store_status s3s_sts_parse(s3s_env *env, const char *text, size_t size, const char *source,
                             s3s_credentials **out, s3s_sts_refusal *refusal, s3store_error *err)
{
    *out = NULL;
    *refusal = (s3s_sts_refusal){0};
    if (size > S3S_CREDENTIALS_DOCUMENT_MAX)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: the answer is too long", source);
    parser p = {.texts = s3s_calloc(env, 1, sizeof *p.texts)};
    if (p.texts == NULL)
        return s3s_fail_memory(err, sizeof *p.texts);
    s3s_xml_reader_init(&p.reader, env, &handler, &p);
    s3s_xml_reader_begin(&p.reader);
    /* At once: then the text is copied once, to where it is overwritten. */
    s3store_status status = s3s_xml_reader_feed(&p.reader, text, size);
    if (status == S3STORE_OK)
        status = s3s_xml_reader_end(&p.reader);
    if (status == S3STORE_OK)
        status = take(env, p.texts, source, out, refusal, err);
    else if (status == S3STORE_OUT_OF_MEMORY)
        status = s3s_fail_memory(err, size);
    else
        status = s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: the answer is not one of STS: %s",
                          source, p.reader.why);
    s3s_xml_reader_deinit(&p.reader);
    s3s_wipe(p.texts, sizeof *p.texts);
    s3s_free(env, p.texts);
    return status;
}
