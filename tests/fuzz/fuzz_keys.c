/* Keys of a dataset as a LIST finds them: refs and data names, one to a line, and what they are made
 * of again. */
#include "dataset/layout.h"
#include "fuzz/fuzz.h"

static void check_ref(const s3s_layout *layout, const char *key)
{
    s3s_ref ref, again;
    s3store_error err = {0};
    if (s3s_ref_parse(key, &ref, &err) != S3STORE_OK) {
        FUZZ_CHECK(err.message[0] != '\0');
        return;
    }
    FUZZ_CHECK(s3s_attempt_id_valid(ref.attempt, strlen(ref.attempt)));
    char built[S3S_KEY_SIZE];
    if (s3s_ref_key(layout, ref.micros, ref.token, ref.attempt, ref.partition, built, NULL) !=
        S3STORE_OK)
        return; /* too long with this prefix, or a token that we would not write */
    FUZZ_CHECK(s3s_ref_parse(built, &again, NULL) == S3STORE_OK);
    FUZZ_CHECK(again.micros == ref.micros && strcmp(again.token, ref.token) == 0 &&
               strcmp(again.attempt, ref.attempt) == 0 &&
               strcmp(again.partition, ref.partition) == 0);
}

static void check_data_name(const s3s_layout *layout, const char *key)
{
    s3s_data_name name = s3s_data_name_parse(layout, key);
    if (name.kind == S3S_DATA_FOREIGN)
        return;
    const char *end = key + strlen(key);
    FUZZ_CHECK(name.partition.data >= key && name.partition.data + name.partition.size <= end);
    FUZZ_CHECK(name.token.data >= key && name.token.data + name.token.size <= end);
    char partition[S3S_KEY_SIZE], token[S3S_KEY_SIZE], attempt[S3S_ATTEMPT_ID_SIZE + 1] = "";
    char built[S3S_KEY_SIZE];
    if (name.partition.size >= sizeof partition || name.token.size >= sizeof token)
        return;
    snprintf(partition, sizeof partition, "%.*s", (int)name.partition.size, name.partition.data);
    snprintf(token, sizeof token, "%.*s", (int)name.token.size, name.token.data);
    s3store_status status;
    if (name.kind == S3S_DATA_FILE) {
        FUZZ_CHECK(name.attempt.size == S3S_ATTEMPT_ID_SIZE);
        memcpy(attempt, name.attempt.data, S3S_ATTEMPT_ID_SIZE);
        status = s3s_data_key(layout, partition, token, attempt, built, NULL);
    } else {
        status = s3s_commit_key(layout, partition, token, built, NULL);
    }
    FUZZ_CHECK(status != S3STORE_OK || strcmp(built, key) == 0);
}

static void check_rules(const char *text)
{
    static const char *const names[] = {"a", "b"};
    bool token = s3s_token_check(text, NULL) == S3STORE_OK;
    FUZZ_CHECK(!token || (strlen(text) <= S3STORE_TOKEN_MAX_BYTES && strchr(text, '/') == NULL));
    bool value = s3s_value_check("v", text, strlen(text), NULL) == S3STORE_OK;
    bool addressable = s3s_value_addressable("v", text, strlen(text), NULL) == S3STORE_OK;
    (void)value;
    (void)addressable;
    bool partition = s3s_partition_check(names, 2, text, NULL) == S3STORE_OK;
    bool strict = s3s_partition_addressable(names, 2, text, NULL) == S3STORE_OK;
    FUZZ_CHECK(partition || !strict);
    FUZZ_CHECK(!partition || strncmp(text, "a=", 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    s3s_layout layout;
    FUZZ_CHECK(s3s_layout_init(&layout, fuzz_env(), "p", NULL) == S3STORE_OK);
    char *text = fuzz_text(data, size);
    char *rest = text;
    for (char *line = fuzz_line(&rest); line != NULL; line = fuzz_line(&rest)) {
        check_ref(&layout, line);
        check_data_name(&layout, line);
        check_rules(line);
    }
    free(text);
    s3s_layout_deinit(&layout);
    fuzz_check_leaks();
    return 0;
}
