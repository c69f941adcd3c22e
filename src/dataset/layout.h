/* dataset/layout.h: the keys of a dataset, built and parsed (docs/FORMAT.md "Object layout"), and
 * the rules for the names and values inside them. Pure functions; no request.
 */
#ifndef S3S_DATASET_LAYOUT_H
#define S3S_DATASET_LAYOUT_H

#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/env.h"
#include "base/uuid.h"

#define S3S_REF_DIGITS 16
#define S3S_KEY_SIZE (S3STORE_KEY_MAX_BYTES + 1)

/* The paths of one dataset. Text owned by the layout. */
typedef struct s3s_layout {
    s3s_env *env;
    char *prefix;    /* verbatim */
    char *data_path; /* "<P>/data" */
    char *ref_path;  /* "<P>/_ref" */
    char *view_path; /* "<P>/_matview" */
    char *config_path; /* "<P>/_config" */
} s3s_layout;
s3store_status s3s_layout_init(s3s_layout *layout, s3s_env *env, const char *prefix,
                               s3store_error *err);
void s3s_layout_deinit(s3s_layout *layout);

/* ---- building --------------------------------------------------------------------------------
 * out holds S3S_KEY_SIZE bytes; INVALID_ARGUMENT naming the limit when the key is too long. */

s3store_status s3s_data_key(const s3s_layout *layout, const char *partition, const char *token,
                            const char *attempt, char *out, s3store_error *err);
s3store_status s3s_commit_key(const s3s_layout *layout, const char *partition, const char *token,
                              char *out, s3store_error *err);
/* Also refuses stamps that do not fit 16 digits: nobody could parse them. */
s3store_status s3s_ref_key(const s3s_layout *layout, int64_t ref_micros, const char *token,
                           const char *attempt, const char *partition, char *out,
                           s3store_error *err);
/* "<P>/_ref/%016d": the offset before everything stamped at or after the time. Beyond 16 digits it
 * is the last one that a ref can have. */
s3store_status s3s_offset_key(const s3s_layout *layout, int64_t ref_micros, char *out,
                              s3store_error *err);
/* "<P>/_config/<name>" */
s3store_status s3s_config_key(const s3s_layout *layout, const char *name, char *out,
                              s3store_error *err);

/* ---- parsing: slices point into the key ------------------------------------------------------ */

typedef struct s3s_slice {
    const char *data;
    size_t size;
} s3s_slice;

typedef enum s3s_data_kind { S3S_DATA_FOREIGN = 0, S3S_DATA_FILE, S3S_DATA_COMMIT } s3s_data_kind;
typedef struct s3s_data_name {
    s3s_data_kind kind;
    s3s_slice partition; /* the hive key */
    s3s_slice token;
    s3s_slice attempt; /* of a FILE: 32 bytes */
} s3s_data_name;
/* Any key under the data path; FOREIGN for everything that is neither. */
s3s_data_name s3s_data_name_parse(const s3s_layout *layout, const char *key);

typedef struct s3s_ref {
    int64_t micros;
    char token[S3STORE_KEY_MAX_BYTES + 1];
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
    char partition[S3STORE_KEY_MAX_BYTES + 1]; /* decoded; without NUL bytes inside */
} s3s_ref;
/* A ref key or its file name (FORMAT "Ref key", every rule of it). INVALID_ARGUMENT says what is
 * wrong with it. */
s3store_status s3s_ref_parse(const char *key, s3s_ref *out, s3store_error *err);

/* ---- rules ----------------------------------------------------------------------------------- */

/* 1 to 200 bytes of 0x21..0x7E without '/', ';' and "..". */
s3store_status s3s_token_check(const char *token, s3store_error *err);
/* Partition or view columns: at least one (and at most S3S_NAMES_MAX), none empty, no '=' or '/',
 * distinct. what: "partition column" or "view column", for messages. */
#define S3S_NAMES_MAX 256
s3store_status s3s_names_check(const char *const *names, size_t count, const char *what,
                               s3store_error *err);
/* Not empty, no '/', no ".."; and no NUL, which ends a key here. */
s3store_status s3s_value_check(const char *name, const char *value, size_t size,
                               s3store_error *err);
/* Beyond the rule: can an exact pattern name it, does XML carry it (no control bytes, valid UTF-8
 * without U+FFFE and U+FFFF, none of "*?[]{}")? */
s3store_status s3s_value_addressable(const char *name, const char *value, size_t size,
                                     s3store_error *err);
s3store_status s3s_partition_check(const char *const *names, size_t count, const char *key,
                                   s3store_error *err);
/* The same, and every value is addressable. */
s3store_status s3s_partition_addressable(const char *const *names, size_t count, const char *key,
                                         s3store_error *err);

/* Order of partitions: bytes of the hive key, for slices. */
int s3s_slice_compare(s3s_slice a, s3s_slice b);
static inline bool s3s_slice_same(s3s_slice a, s3s_slice b)
{
    return a.size == b.size && s3s_same_bytes(a.data, b.data, a.size);
}

#endif
