/* A dataset in memory for the tests of target and file set: a store whose behaviour can be bent,
 * and a log that is kept. */
#ifndef S3S_TESTS_DATASET_TARGET_SUPPORT_H
#define S3S_TESTS_DATASET_TARGET_SUPPORT_H

#include "support/test.h"

#include "base/env.h"
#include "dataset/fileset.h"
#include "dataset/target.h"

typedef struct world {
    s3s_env *env;
    s3store_object_store memory;
    s3store_object_store store; /* in front of it: what targets are given */

    /* How the store in front behaves. */
    bool ignores_conditions;
    bool refuses_fence;
    s3store_status put_fails;    /* not OK: every put */
    const char *fail_key_part;   /* operations on keys with this text fail with fail_with */
    s3store_status fail_with;
    const char *s3_code;         /* of such a failure, and of NOT_FOUND */
    int64_t date_offset_us;      /* of the dates in its answers */
    bool no_dates;
    bool reversed_lists;
    bool endless_list;
    bool strays;                 /* LIST shows keys outside of what was asked for, and a folder */
    void (*before_put)(struct world *w, const char *key);
    void (*after_list)(struct world *w);
    uint32_t max_keys; /* of a page, when the request says nothing */

    /* The last put. */
    s3store_put_request last_put;
    char last_key[1100];
    char last_body[4096];

    char log[8192];
} world;

void world_init(world *w);                         /* real env; named "memory" */
void world_init_env(world *w, s3s_env *env);       /* retained */
void world_deinit(world *w);
int world_setup(void **state);    /* cmocka: *state = world */
int world_teardown(void **state); /* fails when memory leaked */

void put_text(world *w, const char *key, const char *text);
bool has_object(world *w, const char *key);
void get_text(world *w, const char *key, char *out, size_t out_size);
void remove_object(world *w, const char *key);

/* commit-timeout and max-clock-skew of "p". */
void put_timing(world *w, const char *commit_timeout, const char *max_clock_skew);
/* A data file, and the marker of an attempt, of "p". attempt: one digit or letter that is
 * repeated. */
void put_data(world *w, const char *partition, const char *token, char attempt);
void put_commit(world *w, const char *partition, const char *token, char attempt);

/* A config with the store and prefix "p", partition columns as given (NULL-terminated), silent. */
s3store_target_config world_config(world *w, const char *const *partition_by);
/* The target's requests so far, as "put get head list". */
void assert_requests(const s3store_target *t, uint64_t put, uint64_t get, uint64_t head,
                     uint64_t list);

/* A schema of "name type" pairs, NULL-terminated. */
s3s_schema *make_schema(s3s_env *env, const char *const *pairs);
/* "a int64, b string" */
void schema_text(const s3s_schema *schema, char *out, size_t out_size);

#endif
