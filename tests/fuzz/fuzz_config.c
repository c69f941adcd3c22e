/* dataset.json and the recorded schemas; what was read is written and read again, and agrees with
 * itself. Also names of types. */
#include "dataset/config.h"
#include "fuzz/fuzz.h"

static void check_descriptor(const char *text, size_t size)
{
    s3s_descriptor d, again;
    s3store_error err = {0};
    if (s3s_descriptor_parse(fuzz_env(), text, size, "the-key", &d, &err) != S3STORE_OK) {
        FUZZ_CHECK(strstr(err.message, "the-key") != NULL);
        return;
    }
    s3s_buffer out;
    s3s_buffer_init(&out, fuzz_env(), 16 << 20);
    FUZZ_CHECK(s3s_descriptor_write(&d, &out, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_descriptor_parse(fuzz_env(), (const char *)out.data, out.size, "the-key", &again,
                                    &err) == S3STORE_OK);
    FUZZ_CHECK(s3s_descriptor_agree(&d, &again, "the-key", &err) == S3STORE_OK);
    s3s_descriptor_deinit(&again);
    s3s_descriptor_deinit(&d);
    s3s_buffer_deinit(&out);
}

static void check_schema(const char *text, size_t size)
{
    s3s_schema *schema = NULL, *again = NULL, *evolved = NULL;
    uint32_t version = 0, version_again = 0;
    s3store_error err = {0};
    if (s3s_schema_json_parse(fuzz_env(), text, size, "the-key", &version, &schema, &err) !=
        S3STORE_OK) {
        FUZZ_CHECK(strstr(err.message, "the-key") != NULL);
        return;
    }
    s3s_buffer out;
    bool grown = true;
    s3s_buffer_init(&out, fuzz_env(), 16 << 20);
    FUZZ_CHECK(s3s_schema_json_write(schema, version, &out, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_schema_json_parse(fuzz_env(), (const char *)out.data, out.size, "the-key",
                                     &version_again, &again, &err) == S3STORE_OK);
    FUZZ_CHECK(version == version_again && schema->field_count == again->field_count);
    for (size_t i = 0; i < schema->field_count; i++)
        FUZZ_CHECK(s3s_field_same_type(&schema->fields[i], &again->fields[i]));
    if (s3s_schema_evolve(fuzz_env(), schema, again, &evolved, &grown, &err) == S3STORE_OK)
        FUZZ_CHECK(!grown);
    s3s_schema_release(evolved);
    s3s_schema_release(again);
    s3s_schema_release(schema);
    s3s_buffer_deinit(&out);
}

static void check_type(const char *text)
{
    s3s_field field, again;
    char written[512];
    memset(&field, 0, sizeof field);
    memset(&again, 0, sizeof again);
    if (!s3s_type_from_text(text, &field))
        return;
    FUZZ_CHECK(s3s_type_from_text(s3s_field_type_text(&field, written, sizeof written), &again));
    FUZZ_CHECK(s3s_field_same_type(&field, &again));
}

/* The same with what is nested, as far as the text was not cut. */
static void check_nested_type(const char *text)
{
    static char written[1 << 16];
    s3s_arena arena;
    s3s_field field = {0}, again = {0};
    s3s_arena_init(&arena, fuzz_env());
    if (s3s_field_from_text(&arena, text, &field) == S3S_TEXT_TYPE) {
        s3s_field_type_text(&field, written, sizeof written);
        FUZZ_CHECK(strlen(written) + 1 == sizeof written ||
                   (s3s_field_from_text(&arena, written, &again) == S3S_TEXT_TYPE &&
                    s3s_field_same_type(&field, &again)));
    }
    s3s_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_descriptor((const char *)data, size);
    check_schema((const char *)data, size);
    char *text = fuzz_text(data, size);
    check_type(text);
    check_nested_type(text);
    free(text);
    fuzz_check_leaks();
    return 0;
}
