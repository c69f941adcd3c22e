/* The recorded schema versions. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/verify_private.h"

static void tell(s3s_verify *v, uint32_t version, const char *kind, const char *detail,
                 const char *remedy)
{
    char key[S3S_KEY_SIZE] = "", name[64];
    snprintf(name, sizeof name, S3S_CONFIG_SCHEMA_DIR "%06u.json", (unsigned)version);
    (void)s3s_config_key(&v->target->layout, name, key, NULL);
    s3store_finding finding = {
        .kind = kind, .damage = true, .key = key, .detail = detail, .remedy = remedy};
    s3s_verify_tell(v, &finding);
}

/* Whether a later version only adds to an earlier one. */
static s3store_status check_step(s3s_verify *v, uint32_t version, const s3s_schema *earlier,
                                 const s3s_schema *later, s3store_error *err)
{
    s3s_schema *evolved = NULL;
    s3store_error why = {0};
    bool grown;
    s3store_status status =
        s3s_schema_evolve(v->target->env, earlier, later, &evolved, &grown, &why);
    bool same = status == S3STORE_OK && evolved->field_count == later->field_count;
    for (size_t i = 0; same && i < evolved->field_count; i++)
        same = strcmp(evolved->fields[i].name, later->fields[i].name) == 0 &&
               s3s_field_same_type(&evolved->fields[i], &later->fields[i]);
    s3s_schema_release(evolved);
    if (status != S3STORE_OK && status != S3STORE_SCHEMA_MISMATCH)
        return s3s_fail_as(err, status, &why);
    if (!same)
        tell(v, version, "schema_contradicts",
             status == S3STORE_OK ? "it lacks or narrows columns of the version before"
                                  : why.message,
             "schema versions never change and only widen: restore the object from a backup");
    return S3STORE_OK;
}

/* *schema NULL: it cannot be used, which was told. */
static s3store_status get_version(s3s_verify *v, uint32_t version, s3s_schema **schema,
                                  s3store_error *err)
{
    s3store_error why = {0};
    s3store_status status =
        s3s_schema_version_get(v->target, v->call, version, schema, &why);
    if (status == S3STORE_OK)
        return status;
    *schema = NULL;
    if (status == S3STORE_NOT_FOUND)
        tell(v, version, "schema_missing", "there are later versions, and this one does not exist",
             "restore the object from a backup");
    else if (status == S3STORE_BAD_CONFIG || status == S3STORE_CORRUPT ||
             status == S3STORE_UNSUPPORTED)
        tell(v, version, "schema_unreadable", why.message,
             "restore the object from a backup; while it is the newest version nobody can open the "
             "dataset to write");
    else {
        return s3s_fail_as(err, status, &why);
    }
    return S3STORE_OK;
}

s3store_status s3s_verify_schema(s3s_verify *v, s3store_error *err)
{
    uint32_t newest = 0;
    s3store_status status = s3s_schema_newest(v->target, v->call, &newest, err);
    v->report->lists++;
    v->report->schema_versions = newest;
    for (uint32_t i = 1; i <= newest && status == S3STORE_OK; i++) {
        s3s_schema *next = NULL;
        status = get_version(v, i, &next, err);
        if (status == S3STORE_OK && next != NULL && v->schema != NULL)
            status = check_step(v, i, v->schema, next, err);
        if (next != NULL) {
            s3s_schema_release(v->schema);
            v->schema = next;
        }
    }
    return status;
}
