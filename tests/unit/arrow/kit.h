/* Short ways to make schemas and batches, and to say what is in them. */
#ifndef S3S_TESTS_ARROW_KIT_H
#define S3S_TESTS_ARROW_KIT_H

#include "support/test.h"

#include "arrow/array.h"
#include "arrow/builder.h"

/* "a:int64;b:string?": columns by the names of types; '?' = nullable. */
s3s_schema *kit_schema(s3s_env *env, const char *spec);
/* One row for each text: values with '|' between, "null", strings as they are; nested values as kit_text
 * has them. */
void kit_batch(s3s_schema *schema, const char *const *rows, size_t row_count,
               struct ArrowArray *out);
/* {"l": [1, null], ...}: a nested batch from s3s_array_make; see kit.c. */
void kit_nested(s3s_env *env, s3s_schema **schema, struct ArrowArray *out);
/* Rows as text, one line each: "1|abc|null\n". Lives in a buffer of its own until the next call. */
const char *kit_text(const s3s_schema *schema, const struct ArrowArray *batch);

#define KIT_BATCH(schema, out, ...)                                                                \
    kit_batch((schema), (const char *const[]){__VA_ARGS__},                                        \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), (out))

/* Env with a leak check at the end. */
int kit_setup(void **state);
int kit_teardown(void **state);

#endif
