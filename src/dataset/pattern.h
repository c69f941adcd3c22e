/* dataset/pattern.h: the pattern grammar, what a pattern matches, and what to LIST for it. */
#ifndef S3S_DATASET_PATTERN_H
#define S3S_DATASET_PATTERN_H

#include "dataset/layout.h"

typedef enum s3s_segment_kind {
    S3S_SEGMENT_ANY,    /* "*" */
    S3S_SEGMENT_EXACT,  /* value in from */
    S3S_SEGMENT_PREFIX, /* prefix in from */
    S3S_SEGMENT_RANGE,  /* [from, to); either may be empty = open */
} s3s_segment_kind;

typedef struct s3s_segment {
    s3s_segment_kind kind;
    const char *name;
    const char *from;
    const char *to;
} s3s_segment;

typedef struct s3s_pattern {
    s3s_arena arena;
    bool everything; /* "" or "*": any hive key with any number of segments */
    s3s_segment *segments;
    size_t count;
    /* What to LIST, relative to the data path or view path (which ends with '/'): */
    const char *list_prefix; /* "" = all of it */
    const char *start_after; /* relative too; NULL = none: no match sorts at or below it */
    const char *stop_at;     /* relative; NULL = none: no match sorts at or above it */
    struct s3s_gap *gaps;    /* ascending; below stop_at */
    size_t gap_count;
} s3s_pattern;

/* Relative keys between which no match sorts, both included. */
typedef struct s3s_gap {
    const char *from;
    const char *to;
} s3s_gap;

/* For a walk that has come to `key` (relative) and would ask for another page: where to go on
 * instead, as the start_after of a new LIST. NULL: a match may come next. */
const char *s3s_pattern_skip(const s3s_pattern *pattern, const char *key);

/* index >= 0 names the pattern in messages ("pattern 1 \"...\""). */
s3store_status s3s_pattern_parse(s3s_env *env, const char *const *names, size_t name_count,
                                 const char *text, int index, s3s_pattern *out,
                                 s3store_error *err);
void s3s_pattern_deinit(s3s_pattern *pattern);
bool s3s_pattern_matches(const s3s_pattern *pattern, s3s_slice hive_key);

/* Parses a list, exact duplicates removed first (first occurrence kept, numbered after removal). */
typedef struct s3s_patterns {
    s3s_env *env;
    s3s_pattern *items;
    size_t count;
} s3s_patterns;
#define S3S_PATTERNS_MAX 1000000
s3store_status s3s_patterns_parse(s3s_env *env, const char *const *names, size_t name_count,
                                  const char *const *texts, size_t text_count, s3s_patterns *out,
                                  s3store_error *err);
void s3s_patterns_deinit(s3s_patterns *patterns);

#endif
