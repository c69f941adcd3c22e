/* dataset/schema_versions.c: the recorded schema and how it grows (docs/FORMAT.md
 * "Self-description"). A version is created with If-None-Match and never changed; who loses the
 * race for a number reads the winner's and checks again.
 */
#include "dataset/target_private.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#define VERSION_DIGITS 6
#define VERSION_MAX 999999
#define ADMIT_TRIES 32

/* ---- reading -------------------------------------------------------------------------------- */

static s3store_status version_key(const s3store_target *t, uint32_t version, char *key,
                                  s3store_error *err)
{
    char name[sizeof S3S_CONFIG_SCHEMA_DIR + 24];

    snprintf(name, sizeof name, S3S_CONFIG_SCHEMA_DIR "%0*u.json", VERSION_DIGITS,
             (unsigned)version);
    return s3s_config_key(&t->layout, name, key, err);
}

typedef struct version_scan {
    size_t prefix_size;
    uint32_t newest;
} version_scan;

/* Takes "<6 digits>.json"; everything else in the folder is somebody else's. */
static bool scan_version(void *ctx, const s3store_list_entry *entry)
{
    version_scan *scan = ctx;
    int64_t number = 0;
    const char *name = entry->key;

    if (strlen(name) != scan->prefix_size + VERSION_DIGITS + strlen(".json"))
        return true;
    name += scan->prefix_size;
    if (strspn(name, "0123456789") != VERSION_DIGITS || strcmp(name + VERSION_DIGITS, ".json") != 0)
        return true;
    (void)s3s_parse_i64(name, VERSION_DIGITS, &number); /* up to VERSION_MAX: so many digits */
    if ((uint32_t)number > scan->newest)
        scan->newest = (uint32_t)number;
    return true;
}

s3store_status s3s_schema_newest(s3store_target *t, const s3store_call *call, uint32_t *newest,
                                 s3store_error *err)
{
    char prefix[S3S_KEY_SIZE];
    version_scan scan = {0};
    s3store_status status = s3s_config_key(&t->layout, S3S_CONFIG_SCHEMA_DIR, prefix, err);

    if (status == S3STORE_OK) {
        scan.prefix_size = strlen(prefix);
        status = s3s_list_all(t->store, call, prefix, NULL, 0, scan_version, &scan, NULL, err);
    }
    *newest = scan.newest;
    return status;
}

s3store_status s3s_schema_version_get(s3store_target *t, const s3store_call *call,
                                      uint32_t version, s3s_schema **out, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_buffer body;
    uint32_t said = 0;
    s3store_status status = version_key(t, version, key, err);

    *out = NULL;
    s3s_buffer_init(&body, t->env, S3S_JSON_MAX_BYTES);
    if (status == S3STORE_OK)
        status = s3s_get_small(t, call, key, S3S_JSON_MAX_BYTES, &body, err);
    if (status == S3STORE_LIMIT_EXCEEDED)
        status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s is larger than 1 MiB", key);
    if (status == S3STORE_OK)
        status = s3s_schema_json_parse(t->env, (const char *)body.data, body.size, key, &said, out,
                                       err);
    if (status == S3STORE_OK && said != version) {
        status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s says that it is version %u", key,
                              (unsigned)said);
        s3s_schema_release(*out);
        *out = NULL;
    }
    s3s_buffer_deinit(&body);
    return status;
}

/* ---- what is known -------------------------------------------------------------------------- */

/* The known one, retained; false when nothing was loaded yet. */
static bool known_schema(s3store_target *t, uint32_t *version, s3s_schema **schema)
{
    bool loaded;

    s3s_mutex_lock(&t->locked.mutex);
    loaded = t->locked.schema_loaded;
    *version = t->locked.schema_version;
    *schema = t->locked.schema != NULL ? s3s_schema_retain(t->locked.schema) : NULL;
    s3s_mutex_unlock(&t->locked.mutex);
    return loaded;
}

/* Keeps a newer one; two threads may have read at the same time. */
static void learn_schema(s3store_target *t, uint32_t version, s3s_schema *schema)
{
    s3s_schema *old = NULL;

    s3s_mutex_lock(&t->locked.mutex);
    t->locked.schema_loaded = true;
    if (schema != NULL && version > t->locked.schema_version) {
        old = t->locked.schema;
        t->locked.schema = s3s_schema_retain(schema);
        t->locked.schema_version = version;
    }
    s3s_mutex_unlock(&t->locked.mutex);
    s3s_schema_release(old);
}

s3store_status s3s_target_schema(s3store_target *target, const s3store_call *call, bool refresh,
                                 uint32_t *version, s3s_schema **schema, s3store_error *err)
{
    uint32_t newest = 0;
    s3s_schema *fresh = NULL;
    bool loaded = known_schema(target, version, schema);
    s3store_status status;

    if (loaded && !refresh)
        return S3STORE_OK;
    status = s3s_schema_newest(target, call, &newest, err);
    if (status == S3STORE_OK && newest > *version) {
        status = s3s_schema_version_get(target, call, newest, &fresh, err);
        s3s_schema_release(*schema);
        *schema = fresh;
        *version = newest;
    }
    if (status != S3STORE_OK) {
        s3s_schema_release(*schema);
        *schema = NULL;
        *version = 0;
        return status;
    }
    learn_schema(target, *version, *schema);
    return S3STORE_OK;
}

/* ---- growing -------------------------------------------------------------------------------- */

s3store_status s3s_schema_version_put(s3store_target *target, const s3store_call *call,
                                      uint32_t version, const s3s_schema *schema, bool *created,
                                      s3store_error *doubt, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_buffer body;
    s3store_error inner = {0};
    s3store_status status;

    *created = false;
    if (version > VERSION_MAX)
        return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, target->url,
                            "the schema of %.300s has more than %d versions", target->url,
                            VERSION_MAX);
    status = version_key(target, version, key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_buffer_init(&body, target->env, S3S_JSON_MAX_BYTES);
    status = s3s_schema_json_write(schema, version, &body, &inner);
    if (status == S3STORE_LIMIT_EXCEEDED)
        s3s_context(&inner, "the schema is too large to be recorded in %.300s", key);
    if (status == S3STORE_OK) {
        s3store_put_request request = {.size = sizeof request,
                                       .key = key,
                                       .body = body.data,
                                       .body_size = body.size,
                                       .if_none_match = true};
        s3store_put_reply reply = {0};
        status = s3s_put(target->store, call, &request, &reply, &inner);
        *created = status == S3STORE_OK;
        if (status == S3STORE_UNCERTAIN && doubt != NULL)
            *doubt = inner;
        if (status == S3STORE_ALREADY_EXISTS || status == S3STORE_CONFLICT ||
            status == S3STORE_UNCERTAIN)
            status = S3STORE_OK;
    }
    s3s_buffer_deinit(&body);
    if (status != S3STORE_OK)
        s3s_fail_as(err, status, &inner);
    return status;
}

/* Whether the server may overwrite although the request says If-None-Match. */
static bool known_unconditional(s3store_target *t)
{
    s3s_mutex_lock(&t->locked.mutex);
    bool result = t->locked.probe_state == 2 && !t->locked.conditional;
    s3s_mutex_unlock(&t->locked.mutex);
    return result;
}

/* One round: *schema set = admitted; NULL = somebody else was quicker, or nobody knows: then doubt says
 * why. */
static s3store_status try_admit(s3store_target *t, const s3store_call *call, bool refresh,
                                const s3s_schema *incoming, s3s_schema **schema,
                                s3store_error *doubt, s3store_error *err)
{
    uint32_t version;
    s3s_schema *recorded = NULL, *grown_schema = NULL;
    bool grown, created;
    s3store_status status = s3s_target_schema(t, call, refresh, &version, &recorded, err);

    *schema = NULL;
    if (status != S3STORE_OK)
        return status;
    status = s3s_schema_evolve(t->env, recorded, incoming, &grown_schema, &grown, err);
    s3s_schema_release(recorded);
    if (status != S3STORE_OK)
        return status;
    if (!grown) {
        *schema = grown_schema;
        return S3STORE_OK;
    }
    status = s3s_schema_version_put(t, call, version + 1, grown_schema, &created, doubt, err);
    if (status == S3STORE_OK && created) {
        learn_schema(t, version + 1, grown_schema);
        *schema = grown_schema;
        return S3STORE_OK;
    }
    s3s_schema_release(grown_schema);
    return status;
}

s3store_status s3s_target_admit_schema(s3store_target *target, const s3store_call *call,
                                       const s3s_schema *incoming, s3s_schema **schema,
                                       s3store_error *err)
{
    bool refresh = known_unconditional(target);
    s3store_error doubt;

    *schema = NULL;
    for (int i = 0; i < ADMIT_TRIES; i++) {
        s3store_status status = s3s_call_check(target->env, call, err);

        s3s_error_clear(&doubt);
        if (status == S3STORE_OK)
            status = try_admit(target, call, refresh, incoming, schema, &doubt, err);
        if (status != S3STORE_OK || *schema != NULL)
            return status;
        refresh = true;
    }
    if (doubt.status != S3STORE_OK) { /* nobody changed it, and ours did not show itself */
        if (err != NULL)
            *err = doubt;
        s3s_context(err, "recording the schema");
        return s3s_restate(err, S3STORE_UNAVAILABLE);
    }
    return s3s_fail_key(err, S3STORE_CONFLICT, target->url,
                        "the schema of %.300s was changed by others %d times while this write "
                        "tried to extend it: try again",
                        target->url, ADMIT_TRIES);
}
