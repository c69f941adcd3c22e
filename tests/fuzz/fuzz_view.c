/* Views: a definition as JSON; and, over the definition of the first line, keys of markers and texts
 * of times on the lines that follow. What was parsed is built again. */
#include "base/timefmt.h"
#include "dataset/view.h"
#include "fuzz/fuzz.h"

static void check_json(const char *text, size_t size)
{
    s3s_view_def def, again;
    s3store_error err = {0};
    if (s3s_view_def_parse(fuzz_env(), text, size, "the-key", &def, &err) != S3STORE_OK) {
        FUZZ_CHECK(strstr(err.message, "the-key") != NULL);
        return;
    }
    s3s_buffer out;
    s3s_buffer_init(&out, fuzz_env(), 16 << 20);
    FUZZ_CHECK(s3s_view_def_write(&def, &out, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_view_def_parse(fuzz_env(), (const char *)out.data, out.size, "the-key", &again,
                                  &err) == S3STORE_OK);
    FUZZ_CHECK(strcmp(def.name, again.name) == 0);
    FUZZ_CHECK(s3s_view_def_agree(&def, &again, "the-key", &err) == S3STORE_OK);
    s3s_view_def_deinit(&again);
    s3s_view_def_deinit(&def);
    s3s_buffer_deinit(&out);
}

/* A marker's tuple gives its key again, and its values are what stands in it. */
static void check_key(const s3s_view_def *def, const s3s_layout *layout, const char *relative)
{
    s3s_slice tuple, values[S3S_NAMES_MAX];
    char key[S3S_KEY_SIZE], root[S3S_KEY_SIZE];
    s3store_error err;
    if (!s3s_view_marker_parse(def, relative, &tuple))
        return;
    s3s_view_tuple_values(def, tuple, values);
    size_t size = def->count - 1;
    for (size_t i = 0; i < def->count; i++) {
        FUZZ_CHECK(memchr(values[i].data, '/', values[i].size) == NULL);
        size += strlen(def->names[i]) + 1 + values[i].size;
    }
    FUZZ_CHECK(size == tuple.size);
    char *text = malloc(tuple.size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, tuple.data, tuple.size);
    text[tuple.size] = '\0';
    if (s3s_view_root(layout, def->name, root, &err) == S3STORE_OK &&
        s3s_view_marker_key(layout, def->name, text, key, &err) == S3STORE_OK) {
        FUZZ_CHECK(strncmp(key, root, strlen(root)) == 0);
        FUZZ_CHECK(strcmp(key + strlen(root) + 1, relative) == 0);
    }
    free(text);
}

/* What a pattern reads it also writes, unless it reads more than one text for a time. */
static void check_time(const char *format, const char *text)
{
    int64_t seconds, again_seconds;
    int32_t nanos, again_nanos;
    char written[512];
    if (!s3s_time_strptime(format, text, strlen(text), &seconds, &nanos))
        return;
    FUZZ_CHECK(nanos >= 0 && nanos < 1000000000);
    if (!s3s_time_strftime(seconds, nanos, format, written, sizeof written))
        return;
    if (s3s_time_strptime(format, written, strlen(written), &again_seconds, &again_nanos)) {
        char last[512];
        FUZZ_CHECK(s3s_time_strftime(again_seconds, again_nanos, format, last, sizeof last));
        FUZZ_CHECK(strcmp(written, last) == 0);
    }
}

static void check_lines(char *rest)
{
    s3s_layout layout;
    s3s_view_def def;
    s3store_error err;
    const char *first = fuzz_line(&rest);
    if (first == NULL)
        return;
    const char *columns[4] = {first};
    size_t count = 1;
    for (char *at = strchr(first, ','); at != NULL && count < 4; at = strchr(at, ',')) {
        *at++ = '\0';
        columns[count++] = at;
    }
    s3store_view_def given = {.size = sizeof given, .name = "v", .columns = columns,
                              .column_count = count};
    if (s3s_view_def_make(fuzz_env(), &given, &def, &err) != S3STORE_OK)
        return;
    FUZZ_CHECK(s3s_layout_init(&layout, fuzz_env(), "p", &err) == S3STORE_OK);
    for (const char *line = fuzz_line(&rest); line != NULL; line = fuzz_line(&rest)) {
        check_key(&def, &layout, line);
        for (size_t i = 0; i < def.count; i++)
            if (def.columns[i].format == S3S_FORMAT_STRFTIME)
                check_time(def.columns[i].strftime, line);
    }
    s3s_layout_deinit(&layout);
    s3s_view_def_deinit(&def);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_json((const char *)data, size);
    char *text = fuzz_text(data, size);
    check_lines(text);
    free(text);
    fuzz_check_leaks();
    return 0;
}
