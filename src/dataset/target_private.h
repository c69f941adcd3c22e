/* dataset/target_private.h: what the files of the target share: URLs, copies of config structs, and
 * the steps of opening that init needs too.
 */
#ifndef S3S_DATASET_TARGET_PRIVATE_H
#define S3S_DATASET_TARGET_PRIVATE_H

#include "dataset/target.h"

#define S3S_TIMING_MAX_BYTES (64u * 1024)
#define S3S_JSON_MAX_BYTES (1024u * 1024)

/* ---- URLs (url.c) --------------------------------------------------------------------------- */

typedef enum s3s_url_kind { S3S_URL_S3 = 1, S3S_URL_FILE } s3s_url_kind;

/* "s3://bucket/prefix", "file:///root/prefix[?fsync=0]", taken apart. Nothing is
 * percent-decoded. */
typedef struct s3s_url {
    s3s_url_kind kind;
    s3s_slice place; /* bucket, or root directory */
    s3s_slice prefix;
    bool fsync;
} s3s_url;
/* INVALID_ARGUMENT naming the URL. Slices point into text. */
s3store_status s3s_url_parse(const char *text, s3s_url *out, s3store_error *err);

/* ---- config (target_config.c) --------------------------------------------------------------- */

/* The settings that the caller gives, as a descriptor (out is deinited by the caller). */
s3store_status s3s_descriptor_wanted(s3s_env *env, const s3store_target_config *config,
                                     s3s_descriptor *out, s3store_error *err);

/* ---- opening (target.c, open.c) ------------------------------------------------------------- */

/* Fills target->bottom, where the layers find it; also once more in its place. */
s3store_status s3s_target_bottom_open(s3store_target *target, const s3store_target_config *config,
                                      const char *consistency, s3store_error *err);

/* A configuration object. found false: it does not exist. A missing bucket or directory is
 * NOT_FOUND with its own message; one that is too large BAD_CONFIG. */
s3store_status s3s_config_get(s3store_target *target, const s3store_call *call, const char *name,
                              size_t max_size, s3s_buffer *out, bool *found, s3store_error *err);

/* ---- schema versions (schema_versions.c) ---------------------------------------------------- */

/* Puts one version; *created false: it exists, or nobody knows whether ours arrived (then doubt, which
 * may be NULL, says why): read again. */
s3store_status s3s_schema_version_put(s3store_target *target, const s3store_call *call,
                                      uint32_t version, const s3s_schema *schema, bool *created,
                                      s3store_error *doubt, s3store_error *err);

#endif
