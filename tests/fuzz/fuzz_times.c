/* Times and durations as text, in all forms that are read, each line in each form; what was read is
 * written and read again. */
#include "base/timefmt.h"
#include "dataset/config.h"
#include "fuzz/fuzz.h"

static void check_duration(const char *text, size_t size)
{
    int64_t ns = 0, again = 0;
    char why[128], written[64];
    if (!s3s_go_duration_parse(text, size, &ns, why, sizeof why)) {
        FUZZ_CHECK(memchr(why, '\0', sizeof why) != NULL);
    } else {
        s3s_go_duration_format(ns, written, sizeof written);
        FUZZ_CHECK(s3s_go_duration_parse(written, strlen(written), &again, why, sizeof why));
        FUZZ_CHECK(again == ns);
    }
    s3store_error err = {0};
    if (s3s_timing_parse(text, size, S3S_CONFIG_COMMIT_TIMEOUT, "k", &ns, &err) == S3STORE_OK)
        FUZZ_CHECK(ns >= S3STORE_COMMIT_TIMEOUT_FLOOR_US * 1000);
    if (s3s_timing_parse(text, size, S3S_CONFIG_MAX_CLOCK_SKEW, "k", &ns, &err) == S3STORE_OK)
        FUZZ_CHECK(ns >= 0);
}

static void check_rfc3339(const char *text, size_t size)
{
    int64_t seconds = 0, seconds_again = 0;
    int32_t nanos = 0, nanos_again = 0;
    int digits = 0;
    char written[S3STORE_TIME_TEXT_SIZE];
    if (s3s_rfc3339_parse(text, size, &seconds, &nanos, &digits)) {
        FUZZ_CHECK(nanos >= 0 && nanos < 1000000000 && digits >= 0);
        size_t length = s3s_rfc3339_format(seconds, nanos, -1, written, sizeof written);
        FUZZ_CHECK(length > 0 && length < sizeof written && strlen(written) == length);
        bool four_digits = seconds >= s3s_days_from_civil(0, 1, 1) * 86400 &&
                           seconds < s3s_days_from_civil(10000, 1, 1) * 86400;
        if (four_digits) {
            FUZZ_CHECK(
                s3s_rfc3339_parse(written, length, &seconds_again, &nanos_again, NULL));
            FUZZ_CHECK(seconds == seconds_again && nanos == nanos_again);
        }
    }
    int64_t time_us = 0;
    (void)s3s_iso_parse_us(text, size, &time_us);
}

static void check_dates(const char *text, size_t size)
{
    int32_t days = 0, again = 0;
    char written[32];
    if (s3s_date_parse(text, size, &days)) {
        size_t length = s3s_date_format(days, written, sizeof written);
        FUZZ_CHECK(length == size && memcmp(written, text, size) == 0);
        FUZZ_CHECK(s3s_date_parse(written, length, &again) && again == days);
    }
    int64_t time_us = 0;
    if (s3s_http_date_parse(text, &time_us)) {
        char date_time[32], date[16];
        s3s_iso_basic(time_us, date_time, date);
        FUZZ_CHECK(strlen(date) == 8 || time_us < 0 || time_us / 1000000 >= 253402300800);
    }
    char out[256];
    if (s3s_time_strftime(1773756000, 123456789, text, out, sizeof out))
        FUZZ_CHECK(strlen(out) < sizeof out);
    (void)s3s_time_strftime(-1, 0, text, out, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    for (char *line = fuzz_line(&rest); line != NULL; line = fuzz_line(&rest)) {
        size_t length = strlen(line);
        check_duration(line, length);
        check_rfc3339(line, length);
        check_dates(line, length);
    }
    free(text);
    return 0;
}
