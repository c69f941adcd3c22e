/* dataset/view_key.c: the keys of view markers, built and parsed. */
#include "dataset/view.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dataset/quote.h"

#define MARKER_NAME "m.matview"

s3store_status s3s_view_root(const s3s_layout *layout, const char *name, char *out,
                             s3store_error *err)
{
    int size = snprintf(out, S3S_KEY_SIZE, "%s/%s", layout->view_path, name);
    if (size > S3STORE_VIEW_KEY_MAX_BYTES - (int)sizeof "/a=b/" MARKER_NAME)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the name of view %s leaves no room for its markers: keys have at most %d "
                        "bytes",
                        s3s_quote_text(name).text, S3STORE_VIEW_KEY_MAX_BYTES);
    return S3STORE_OK;
}

s3store_status s3s_view_marker_key(const s3s_layout *layout, const char *name, const char *tuple,
                                   char *out, s3store_error *err)
{
    int size = snprintf(out, S3S_KEY_SIZE, "%s/%s/%s/" MARKER_NAME, layout->view_path, name, tuple);
    if (size > S3STORE_VIEW_KEY_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the marker of view %s for %s would have a key of %d bytes, which exceeds "
                        "the %d that markers have at most",
                        s3s_quote_text(name).text, s3s_quote_text(tuple).text, size,
                        S3STORE_VIEW_KEY_MAX_BYTES);
    return S3STORE_OK;
}

void s3s_view_tuple_values(const s3s_view_def *def, s3s_slice tuple, s3s_slice *values)
{
    const char *at = tuple.data, *end = tuple.data + tuple.size;
    for (size_t i = 0; i < def->count; i++) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *stop = slash != NULL ? slash : end;
        const char *value = at + strlen(def->names[i]) + 1;
        values[i] = (s3s_slice){value, (size_t)(stop - value)};
        at = stop + 1;
    }
}

bool s3s_view_marker_parse(const s3s_view_def *def, const char *relative, s3s_slice *tuple)
{
    const char *at = relative;
    for (size_t i = 0; i < def->count; i++) {
        size_t name = strlen(def->names[i]);
        const char *slash = strchr(at, '/');
        if (slash == NULL || strncmp(at, def->names[i], name) != 0 || at[name] != '=')
            return false;
        at = slash + 1;
    }
    if (strcmp(at, MARKER_NAME) != 0)
        return false;
    *tuple = (s3s_slice){relative, (size_t)(at - relative) - 1};
    return true;
}
