/* dataset/config.h: what a dataset says of itself: the two timing objects, dataset.json, and the
 * schema versions (docs/FORMAT.md "Configuration objects", "Self-description").
 */
#ifndef S3S_DATASET_CONFIG_H
#define S3S_DATASET_CONFIG_H

#include "arrow/types.h"
#include "dataset/layout.h"
#include "dataset/partition.h"

#define S3S_CONFIG_COMMIT_TIMEOUT "commit-timeout"
#define S3S_CONFIG_MAX_CLOCK_SKEW "max-clock-skew"
#define S3S_CONFIG_DATASET "dataset.json"
#define S3S_CONFIG_SCHEMA_DIR "schema/"

/* What a dataset may say of its chunks. */
#define S3S_CHUNK_MAX INT64_MAX

/* Body of a timing object to nanoseconds: trimmed of Unicode white space, Go duration, floor. what:
 * one of the two names above; key: for messages. BAD_CONFIG. */
s3store_status s3s_timing_parse(const char *body, size_t size, const char *what, const char *key,
                                int64_t *ns, s3store_error *err);

/* dataset.json. Text lives in the arena of the descriptor. */
typedef struct s3s_descriptor {
    s3s_arena arena;
    s3s_part_spec *parts;
    size_t part_count;
    const char **entity;
    size_t entity_count;
    const char *version;            /* NULL = none */
    const char *inserted_at_column; /* NULL = none */
    s3store_compression compression; /* DEFAULT = not said */
    const char *consistency;        /* NULL = not said */
    uint64_t chunk_rows, chunk_bytes; /* where an input is cut into commits; 0 = not said */
} s3s_descriptor;
/* BAD_CONFIG naming the key and the member; a format number above ours is UNSUPPORTED. Unknown
 * members are ignored. */
s3store_status s3s_descriptor_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                    s3s_descriptor *out, s3store_error *err);
s3store_status s3s_descriptor_write(const s3s_descriptor *d, s3s_buffer *out, s3store_error *err);
void s3s_descriptor_deinit(s3s_descriptor *d);
/* BAD_CONFIG saying which setting contradicts, both values, and the key. Only what both say
 * counts. */
s3store_status s3s_descriptor_agree(const s3s_descriptor *recorded, const s3s_descriptor *wanted,
                                    const char *key, s3store_error *err);

/* One schema version as JSON: {"format":1,"version":N,"columns":[{"name","type"}...]}; flat types by
 * s3s_field_type_text, nested ones "list", "struct", "map" with "children". Columns are always nullable. */
s3store_status s3s_schema_json_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                     uint32_t *version, s3s_schema **out, s3store_error *err);
s3store_status s3s_schema_json_write(const s3s_schema *schema, uint32_t version, s3s_buffer *out,
                                     s3store_error *err);

/* What the recorded schema becomes when data of schema `incoming` is written: recorded columns in
 * their order, then new ones in theirs; types widened where the documented rules allow. *grown says
 * whether a new version is needed. NULL-typed columns, and such members of structs, are left out until
 * their type is known. Nested types get the form that is recorded. SCHEMA_MISMATCH naming column
 * ("a.b.item") and both types. */
s3store_status s3s_schema_evolve(s3s_env *env, const s3s_schema *recorded,
                                 const s3s_schema *incoming, s3s_schema **out, bool *grown,
                                 s3store_error *err);

#endif
