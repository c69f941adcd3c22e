/* A place in the stream, as text and back. */
#include "stream/place.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

void s3s_place_init(s3s_place *place, s3s_env *env, const s3s_layout *layout)
{
    *place = (s3s_place){.layout = layout, .offset = ""};
    s3s_arena_init(&place->arena, env);
}

void s3s_place_deinit(s3s_place *place)
{
    s3s_free(place->arena.env, place->known);
    s3s_free(place->arena.env, place->paths);
    s3s_arena_deinit(&place->arena);
}

/* ---- what is known --------------------------------------------------------------------------- */

static s3store_status keep(s3s_place *place, const s3s_known *known, s3store_error *err)
{
    if (place->known_count == place->known_capacity) {
        size_t capacity = place->known_capacity == 0 ? 16 : place->known_capacity * 2;
        s3s_known *grown =
            s3s_realloc(place->arena.env, place->known, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        place->known = grown;
        place->known_capacity = capacity;
    }
    place->known[place->known_count++] = *known;
    return S3STORE_OK;
}

s3store_status s3s_place_add(s3s_place *place, const s3s_ref *ref, s3store_error *err)
{
    char key[S3S_KEY_SIZE], data_path[S3S_KEY_SIZE];
    s3store_status status =
        s3s_ref_key(place->layout, ref->micros, ref->token, ref->attempt, ref->partition, key, err);
    if (status == S3STORE_OK)
        status = s3s_data_key(place->layout, ref->partition, ref->token, ref->attempt, data_path,
                              err);
    if (status != S3STORE_OK)
        return status;
    const char *name = key + strlen(place->layout->ref_path) + 1;
    if (strpbrk(name, "/\n") != NULL) /* in a token that no writer may give */
        return s3s_fail_key(err, S3STORE_UNSUPPORTED, key,
                            "the name of a ref does not fit on a line: %s", key);
    place->known_bytes += strlen(name) + 1;
    if (place->known_bytes > S3STORE_OFFSET_MAX_BYTES - 2 * S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "more than %zu commits came while the snapshot was read: an offset that "
                        "names them would be longer than %d bytes; read fewer partitions at once, "
                        "or tell rows apart by entity and version",
                        place->known_count, S3STORE_OFFSET_MAX_BYTES);
    s3s_known known = {.name = s3s_arena_strdup(&place->arena, name),
                       .data_path = s3s_arena_strdup(&place->arena, data_path),
                       .micros = ref->micros};
    if (known.name == NULL || known.data_path == NULL)
        return s3s_fail_memory(err, strlen(name) + strlen(data_path) + 2);
    return keep(place, &known, err);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

s3store_status s3s_place_sort(s3s_place *place, s3store_error *err)
{
    s3s_free(place->arena.env, place->paths);
    place->paths = NULL;
    if (place->known_count == 0)
        return S3STORE_OK;
    place->paths = s3s_calloc(place->arena.env, place->known_count, sizeof *place->paths);
    if (place->paths == NULL)
        return s3s_fail_memory(err, place->known_count * sizeof *place->paths);
    for (size_t i = 0; i < place->known_count; i++)
        place->paths[i] = place->known[i].data_path;
    qsort(place->paths, place->known_count, sizeof *place->paths, compare_paths);
    return S3STORE_OK;
}

bool s3s_place_knows(const s3s_place *place, const char *data_path)
{
    return bsearch(&data_path, place->paths, place->known_count, sizeof *place->paths,
                   compare_paths) != NULL;
}

/* ---- text ------------------------------------------------------------------------------------ */

bool s3s_place_is_plain(const s3s_layout *layout, const char *text)
{
    size_t root = strlen(layout->ref_path);
    return strncmp(text, layout->ref_path, root) == 0 && text[root] == '/';
}

/* "<P>/_ref/<16 digits>..." */
static bool stamp_of(const s3s_layout *layout, const char *offset, int64_t *micros)
{
    const char *name = offset + strlen(layout->ref_path) + 1;
    for (size_t i = 0; i < S3S_REF_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
    }
    return s3s_parse_i64(name, S3S_REF_DIGITS, micros);
}

static s3store_status parse_line(s3s_place *place, const char *line, size_t size, const char *what,
                                 size_t number, s3store_error *err)
{
    char name[S3S_KEY_SIZE];
    s3s_ref ref;
    s3store_error why = {0};
    if (size >= sizeof name || memchr(line, '/', size) != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%s: line %zu is no name of a ref: it is too long or contains '/'", what,
                        number);
    memcpy(name, line, size);
    name[size] = '\0';
    s3store_status status = s3s_ref_parse(name, &ref, &why);
    if (status == S3STORE_OK)
        status = s3s_place_add(place, &ref, &why);
    if (status == S3STORE_OUT_OF_MEMORY) {
        if (err != NULL)
            *err = why;
        return status;
    }
    if (status != S3STORE_OK)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: line %zu: %s", what, number,
                        why.message);
    return S3STORE_OK;
}

/* "except <count>\n<name>\n...": *rest is what follows. */
static s3store_status parse_known(s3s_place *place, const char *text, const char *what,
                                  const char **rest, s3store_error *err)
{
    const char *at = text + sizeof S3S_PLACE_MAGIC - 1;
    size_t digits = strcspn(at, "\n");
    int64_t count = 0;
    if (at[digits] == '\0' || !s3s_parse_i64(at, digits, &count) || count < 1)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%s: line 1 does not say how many refs are excepted", what);
    at += digits + 1;
    s3store_status status = S3STORE_OK;
    for (int64_t i = 0; status == S3STORE_OK && i < count; i++) {
        size_t size = strcspn(at, "\n");
        if (at[size] == '\0')
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "%s: it ends after %lld of %lld refs: it is not complete", what,
                            (long long)i, (long long)count);
        status = parse_line(place, at, size, what, (size_t)i + 2, err);
        at += size + 1;
    }
    *rest = at;
    return status;
}

s3store_status s3s_place_parse(s3s_place *place, const char *text, const char *what,
                               s3store_error *err)
{
    const s3s_layout *layout = place->layout;
    s3store_status status = S3STORE_OK;
    if (text == NULL || text[0] == '\0')
        return S3STORE_OK;
    if (strnlen(text, S3STORE_OFFSET_MAX_BYTES + 1) > S3STORE_OFFSET_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: the offset is longer than %d bytes",
                        what, S3STORE_OFFSET_MAX_BYTES);
    if (!s3s_place_is_plain(layout, text) && s3s_starts_with(text, S3S_PLACE_MAGIC))
        status = parse_known(place, text, what, &text, err);
    if (status == S3STORE_OK && !s3s_place_is_plain(layout, text))
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, text,
                            "%s: \"%s\" is no offset of this dataset: its offsets begin with "
                            "\"%s/\"",
                            what, text, layout->ref_path);
    if (status == S3STORE_OK && strlen(text) > S3STORE_KEY_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: the offset is longer than a key",
                        what);
    if (status != S3STORE_OK)
        return status;
    place->offset = s3s_arena_strdup(&place->arena, text);
    if (place->offset == NULL)
        return s3s_fail_memory(err, strlen(text) + 1);
    return s3s_place_sort(place, err);
}

static bool is_over(const s3s_known *known, bool timed, int64_t reached)
{
    return timed && reached - S3S_PLACE_HOLD_US > known->micros;
}

s3store_status s3s_place_text(s3s_place *place, const char *offset, const char **out,
                              s3store_error *err)
{
    s3s_buffer text;
    int64_t reached = 0;
    size_t left = 0;
    *out = NULL;
    s3s_buffer_init(&text, place->arena.env, SIZE_MAX); /* s3s_place_add has counted */
    bool timed = place->known_count > 0 && stamp_of(place->layout, offset, &reached);
    for (size_t i = 0; i < place->known_count; i++)
        left += !is_over(&place->known[i], timed, reached);
    s3store_status status = S3STORE_OK;
    if (left > 0)
        status = s3s_buffer_printf(&text, err, S3S_PLACE_MAGIC "%zu\n", left);
    for (size_t i = 0; status == S3STORE_OK && i < place->known_count; i++) {
        if (!is_over(&place->known[i], timed, reached))
            status = s3s_buffer_printf(&text, err, "%s\n", place->known[i].name);
    }
    if (status == S3STORE_OK)
        status = s3s_buffer_append_text(&text, offset, err);
    const char *all = status == S3STORE_OK ? s3s_buffer_text(&text, err) : NULL;
    if (all != NULL)
        *out = s3s_arena_strdup(&place->arena, all);
    if (status == S3STORE_OK && *out == NULL)
        status = s3s_fail_memory(err, text.size + 1);
    s3s_buffer_deinit(&text);
    return status;
}
