/* The metadata of a commit marker, "name=value" to a line. */
#include "dataset/marker.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static s3store_metadata metadata, again;
    memset(&metadata, 0, sizeof metadata);
    char *text = fuzz_text(data, size);
    char *rest = text;
    for (char *line = fuzz_line(&rest); line != NULL; line = fuzz_line(&rest)) {
        char *value = strchr(line, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        (void)s3store_metadata_add(&metadata, line, value);
    }
    s3s_marker marker, copy;
    s3store_error err = {0};
    if (s3s_marker_parse(&metadata, "the-key", &marker, &err) == S3STORE_OK) {
        FUZZ_CHECK(s3s_attempt_id_valid(marker.attempt, strlen(marker.attempt)));
        s3s_marker_metadata(&marker, &again);
        FUZZ_CHECK(s3s_marker_parse(&again, "the-key", &copy, NULL) == S3STORE_OK);
        FUZZ_CHECK(strcmp(copy.attempt, marker.attempt) == 0 &&
                   copy.ref_micros == marker.ref_micros &&
                   copy.inserted_at_us == marker.inserted_at_us &&
                   copy.row_count == marker.row_count &&
                   copy.has_content_hash == marker.has_content_hash &&
                   (!copy.has_content_hash || copy.content_hash == marker.content_hash));
    } else {
        FUZZ_CHECK(err.status == S3STORE_DAMAGED_MARKER && strstr(err.message, "the-key") != NULL);
    }
    free(text);
    return 0;
}
