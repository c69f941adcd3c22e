/* dataset/fileset.h: which data objects to read, by partition. Made from patterns (LIST and commit
 * gate) here, and from stream entries in stream/.
 */
#ifndef S3S_DATASET_FILESET_H
#define S3S_DATASET_FILESET_H

#include "dataset/pattern.h"
#include "dataset/target.h"

typedef struct s3s_data_file {
    const char *key;
    const char *token;
    uint64_t size; /* 0 = unknown */
    int64_t last_modified_us;
} s3s_data_file;

typedef struct s3s_partition_files {
    const char *key;
    s3s_data_file *files; /* ascending by key, each once */
    size_t file_count;
} s3s_partition_files;

/* Partitions in byte order of their keys. */
typedef struct s3s_file_set {
    s3s_env *env;
    s3s_arena arena;
    s3s_partition_files *partitions;
    size_t partition_count;
    size_t file_count;
} s3s_file_set;

void s3s_file_set_init(s3s_file_set *set, s3s_env *env);
void s3s_file_set_deinit(s3s_file_set *set);

/* Collects files in any order (text is copied); finish sorts, groups and removes duplicates. */
typedef struct s3s_file_set_builder s3s_file_set_builder;
s3store_status s3s_file_set_builder_new(s3s_env *env, s3s_file_set_builder **out,
                                        s3store_error *err);
s3store_status s3s_file_set_builder_add(s3s_file_set_builder *b, const char *partition,
                                        size_t partition_size, const char *key, const char *token,
                                        size_t token_size, uint64_t size,
                                        int64_t last_modified_us, s3store_error *err);
s3store_status s3s_file_set_builder_finish(s3s_file_set_builder *b, s3s_file_set *out,
                                           s3store_error *err);
void s3s_file_set_builder_free(s3s_file_set_builder *b);

/* The committed files that patterns match: LISTs side by side, then the gate of FORMAT "Commit
 * gate": no marker in the same LIST: dropped; several files of one token, or one file of a caller's
 * token whose marker is younger than the LIST's begin: one HEAD decides (side by side). */
s3store_status s3s_resolve_patterns(s3store_target *target, const s3store_call *call,
                                    const char *const *patterns, size_t pattern_count,
                                    s3s_file_set *out, s3store_error *err);

/* Keeps the partitions of shard `index` of `count`: a stable function of the partition key
 * alone. */
void s3s_file_set_shard(s3s_file_set *set, uint32_t index, uint32_t count);

#endif
