/* The XML of STS. Elements are known by their path, all others are passed over. */
#include <expat.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/s3/credentials_parse.h"

#define DEPTH_MAX 8
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
    s3s_env *env;
    XML_Parser expat;
    texts *texts;
    const char *failed; /* NULL = nothing */
    char path[PATH_SIZE];
    size_t path_size;
    size_t depth;
    size_t unknown_depth; /* > 0: inside an element that is passed over */
    char *text;           /* where the text of the open element goes, or NULL */
    size_t text_size;
    size_t text_capacity;
    bool may_cut; /* the text is for people: it may be cut */
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

static void stop(parser *p, const char *why)
{
    if (p->failed == NULL)
        p->failed = why;
    XML_StopParser(p->expat, XML_FALSE);
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    parser *p = ctx;
    p->text = NULL;
    if (++p->depth > DEPTH_MAX) {
        stop(p, "its elements are nested too deep");
        return;
    }
    const char *colon = strchr(name, ':');
    const char *local = colon != NULL ? colon + 1 : name;
    size_t size = strlen(local);
    if (p->unknown_depth > 0 || p->path_size + size + 2 > PATH_SIZE) {
        p->unknown_depth++;
        return;
    }
    if (p->path_size > 0)
        p->path[p->path_size++] = '/';
    memcpy(p->path + p->path_size, local, size + 1);
    p->path_size += size;
    const slot *found = find_slot(p->path);
    if (found == NULL)
        return;
    p->text = (char *)p->texts + found->offset;
    p->text_capacity = found->capacity;
    p->text_size = 0;
    p->may_cut = p->text == p->texts->message || p->text == p->texts->code;
    s3s_wipe(p->text, found->capacity); /* the last of several counts */
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    (void)name;
    parser *p = ctx;
    p->depth--;
    p->text = NULL;
    if (p->unknown_depth > 0) {
        p->unknown_depth--;
        return;
    }
    char *slash = strrchr(p->path, '/');
    p->path_size = slash == NULL ? 0 : (size_t)(slash - p->path);
    p->path[p->path_size] = '\0';
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int size)
{
    parser *p = ctx;
    size_t wanted = (size_t)size;
    if (p->text == NULL)
        return;
    size_t room = p->text_capacity - 1 - p->text_size;
    if (wanted > room && !p->may_cut) {
        stop(p, "a text in it is too long");
        return;
    }
    if (wanted > room)
        wanted = room;
    memcpy(p->text + p->text_size, text, wanted);
    p->text_size += wanted;
}

/* A document type could define entities: no answer of STS has one. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    stop(ctx, "it has a document type");
}

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
    parser p = {.env = env, .expat = XML_ParserCreate("UTF-8")};
    if (p.expat == NULL)
        return s3s_fail_memory(err, 0);
    p.texts = s3s_calloc(env, 1, sizeof *p.texts);
    if (p.texts == NULL) {
        XML_ParserFree(p.expat);
        return s3s_fail_memory(err, sizeof *p.texts);
    }
    XML_SetUserData(p.expat, &p);
    XML_SetElementHandler(p.expat, on_start, on_end);
    XML_SetCharacterDataHandler(p.expat, on_text);
    XML_SetStartDoctypeDeclHandler(p.expat, on_doctype);
    bool good = XML_Parse(p.expat, text != NULL ? text : "", (int)size, 1) == XML_STATUS_OK;
    s3store_status status;
    if (good && p.failed == NULL)
        status = take(env, p.texts, source, out, refusal, err);
    else if (p.failed == NULL && XML_GetErrorCode(p.expat) == XML_ERROR_NO_MEMORY)
        status = s3s_fail_memory(err, size);
    else
        status = s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: the answer is not one of STS: %s",
                          source, p.failed != NULL ? p.failed : "it is not XML");
    XML_ParserFree(p.expat);
    s3s_wipe(p.texts, sizeof *p.texts);
    s3s_free(env, p.texts);
    return status;
}
