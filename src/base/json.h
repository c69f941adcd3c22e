/* base/json.h: small JSON documents (descriptors, schema versions), bounded; jansson is used here
 * and nowhere else in the library. */
#ifndef S3S_BASE_JSON_H
#define S3S_BASE_JSON_H

#include "base/env.h"

typedef struct s3s_json s3s_json; /* a value; owned by its root */

/* Parses at most 1 MiB with nesting up to 144; duplicate keys are an error. where names the source in
 * messages (an object key, a file), which carry line and column. */
s3store_status s3s_json_parse(const char *text, size_t size, const char *where, s3s_json **root,
                              s3store_error *err);
void s3s_json_free(s3s_json *root);

/* NULL when absent or of another kind. */
const s3s_json *s3s_json_get(const s3s_json *object, const char *key);
const char *s3s_json_text(const s3s_json *value);
bool s3s_json_int(const s3s_json *value, int64_t *out);
bool s3s_json_bool(const s3s_json *value, bool *out);
bool s3s_json_is_object(const s3s_json *value);
bool s3s_json_is_array(const s3s_json *value);
size_t s3s_json_count(const s3s_json *array);
const s3s_json *s3s_json_at(const s3s_json *array, size_t i);
/* Members of an object in document order. */
size_t s3s_json_member_count(const s3s_json *object);
const char *s3s_json_member_name(const s3s_json *object, size_t i);
const s3s_json *s3s_json_member_value(const s3s_json *object, size_t i);

/* Writing: deterministic text, members in the order given, two-space indent, one final newline. */
typedef struct s3s_json_writer {
    struct s3s_buffer *out;
    int depth;
    bool needs_comma;
    bool after_name;
    s3store_status failed; /* sticky: OK until the buffer could not grow */
} s3s_json_writer;
void s3s_json_begin(s3s_json_writer *w, struct s3s_buffer *out);
void s3s_json_open(s3s_json_writer *w, char bracket); /* '{' or '[' */
void s3s_json_close(s3s_json_writer *w, char bracket); /* '}' or ']' */
void s3s_json_name(s3s_json_writer *w, const char *name);
void s3s_json_put_text(s3s_json_writer *w, const char *text);
void s3s_json_put_int(s3s_json_writer *w, int64_t value);
void s3s_json_put_bool(s3s_json_writer *w, bool value);
s3store_status s3s_json_end(s3s_json_writer *w, s3store_error *err);

#endif
