/* Civil time, RFC 3339, HTTP dates, strftime, Go durations. */
#include "support/test.h"

#include "base/timefmt.h"

static void test_civil__agrees_in_both_directions(void **state)
{
    (void)state;
    assert_int_equal(s3s_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(s3s_days_from_civil(2000, 2, 29), 11016);
    assert_int_equal(s3s_days_from_civil(1969, 12, 31), -1);
    assert_int_equal(s3s_days_from_civil(0, 3, 1), -719468);
    int64_t expected_weekday = 0;
    for (int64_t day = -800000; day < 800000; day += 13) {
        s3s_civil c = s3s_civil_from_seconds(day * 86400 + 86399);
        assert_int_equal(s3s_days_from_civil(c.year, c.month, c.day), day);
        assert_int_equal(c.hour * 10000 + c.minute * 100 + c.second, 235959);
        assert_int_equal(c.yearday, day - s3s_days_from_civil(c.year, 1, 1) + 1);
        if (day == -800000)
            expected_weekday = c.weekday;
        assert_int_equal(c.weekday, expected_weekday);
        expected_weekday = (expected_weekday + 13) % 7;
    }
    assert_int_equal(s3s_civil_from_seconds(0).weekday, 4);
    s3s_civil before = s3s_civil_from_seconds(-1);
    assert_int_equal(before.year, 1969);
    assert_int_equal(before.second, 59);
}

static void test_floor_div__rounds_down(void **state)
{
    (void)state;
    assert_int_equal(s3s_floor_div(7, 2), 3);
    assert_int_equal(s3s_floor_div(-7, 2), -4);
    assert_int_equal(s3s_floor_div(-8, 2), -4);
    assert_int_equal(s3s_floor_div(7, -2), -4);
    assert_true(s3s_floor_div(INT64_MIN, -1) == INT64_MIN);
}

static void test_rfc3339__good_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        int digits;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0, 0},
        {"2018-02-07T01:26:13.840Z", 1517966773, 840000000, 3},
        {"2018-02-07 02:26:13.84+01:00", 1517966773, 840000000, 2},
        {"2018-02-06T20:26:13-05:00", 1517966773, 0, 0},
        {"2026-03-17T12:04:05.6789+01:00", 1773745445, 678900000, 4},
        {"2026-03-17T11:04:05.123456789123Z", 1773745445, 123456789, 12},
        {"1969-12-31T23:59:59.5Z", -1, 500000000, 1},
        {"0000-01-01T00:00:00Z", -62167219200, 0, 0},
        {"9999-12-31T23:59:59Z", 253402300799, 0, 0},
        {"+10000-01-01T00:00:00Z", 253402300800, 0, 0},
        {"-0001-12-31T23:59:59Z", -62167219201, 0, 0},
        {"2024-02-29T00:00:00Z", 1709164800, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        int digits;
        if (!s3s_rfc3339_parse(cases[i].text, strlen(cases[i].text), &seconds, &nanos, &digits))
            fail_msg("refused %s", cases[i].text);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        assert_int_equal(digits, cases[i].digits);
    }
}

static void test_rfc3339__bad_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2018",
        "2018-02-07",
        "2018-02-07T01:26:13",
        "2018-02-07T01:26Z",
        "2018-02-07T01:26:13.Z",
        "2018-02-07T01:26:13,5Z",
        "2018-02-07T01:26:13Z ",
        " 2018-02-07T01:26:13Z",
        "2018-02-07t01:26:13Z",
        "2018-02-07T01:26:13z",
        "2018-02-07T24:00:00Z",
        "2018-02-07T23:60:00Z",
        "2018-02-07T23:59:60Z",
        "2018-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2018-00-01T00:00:00Z",
        "2018-13-01T00:00:00Z",
        "2018-01-00T00:00:00Z",
        "2018-2-7T01:26:13Z",
        "2018-02-07T01:26:13+0100",
        "2018-02-07T01:26:13+24:00",
        "2018-02-07T01:26:13+01:60",
        "2018-02-07T01:26:13ZZ",
        "+1234567890123-01-01T00:00:00Z",
        "+18-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        if (s3s_rfc3339_parse(bad[i], strlen(bad[i]), &seconds, &nanos, NULL))
            fail_msg("accepted \"%s\"", bad[i]);
    }
}

static void check_format(int64_t seconds, int32_t nanos, int digits, const char *expected)
{
    char text[S3STORE_TIME_TEXT_SIZE];
    assert_int_equal(s3s_rfc3339_format(seconds, nanos, digits, text, sizeof text),
                     strlen(expected));
    assert_string_equal(text, expected);
}

static void test_rfc3339__format(void **state)
{
    (void)state;
    check_format(1517966773, 840000000, -1, "2018-02-07T01:26:13.840Z");
    check_format(1517966773, 840000000, 0, "2018-02-07T01:26:13Z");
    check_format(1517966773, 840000000, 6, "2018-02-07T01:26:13.840000Z");
    check_format(1517966773, 0, -1, "2018-02-07T01:26:13Z");
    check_format(1517966773, 1000, -1, "2018-02-07T01:26:13.000001Z");
    check_format(1517966773, 1, -1, "2018-02-07T01:26:13.000000001Z");
    check_format(1517966773, 999999999, 3, "2018-02-07T01:26:13.999Z");
    check_format(253402300800, 0, -1, "+10000-01-01T00:00:00Z");
    check_format(-62167219201, 0, -1, "-0001-12-31T23:59:59Z");
    check_format(INT64_MAX, 999999999, 9, "+292277026596-12-04T15:30:07.999999999Z");
    char small[6];
    s3s_rfc3339_format(0, 0, 0, small, sizeof small);
    assert_string_equal(small, "1970-");
}

static void test_time_parse__to_microseconds_and_back(void **state)
{
    (void)state;
    s3store_error err;
    int64_t us;
    char text[S3STORE_TIME_TEXT_SIZE];
    assert_ok(s3store_time_parse("2018-02-07T01:26:13.8400019Z", &us, &err));
    assert_int_equal(us, INT64_C(1517966773840001));
    s3store_time_format(us, text, sizeof text);
    assert_string_equal(text, "2018-02-07T01:26:13.840001Z");
    s3store_time_format(-1, text, sizeof text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    s3store_time_format(S3STORE_TIME_NONE, text, sizeof text);
    assert_string_equal(text, "none");
    s3store_time_format(INT64_MAX, text, sizeof text);
    int64_t back;
    assert_ok(s3store_time_parse(text, &back, &err));
    assert_true(back == INT64_MAX);
    assert_fails(s3store_time_parse("yesterday", &us, &err), S3STORE_INVALID_ARGUMENT, "yesterday");
    assert_true(us == S3STORE_TIME_NONE);
    assert_fails(s3store_time_parse("+300000-01-01T00:00:00Z", &us, &err), S3STORE_INVALID_ARGUMENT,
                 "RFC 3339");
    assert_fails(s3store_time_parse(NULL, &us, &err), S3STORE_INVALID_ARGUMENT, NULL);
}

static void test_date__exactly_ten_characters(void **state)
{
    (void)state;
    int32_t days;
    char text[32];
    assert_true(s3s_date_parse("2018-02-07", 10, &days));
    assert_int_equal(days, 17569);
    assert_int_equal(s3s_date_format(days, text, sizeof text), 10);
    assert_string_equal(text, "2018-02-07");
    s3s_date_format(-1, text, sizeof text);
    assert_string_equal(text, "1969-12-31");
    static const char *const bad[] = {"2018-2-07", "2018-02-7 ", "2018-02-31", "2018/02/07",
                                      "2018-02-07Z", "-218-02-07", "", "+2018-02-0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(s3s_date_parse(bad[i], strlen(bad[i]), &days));
}

static void test_strftime__known_elements_only(void **state)
{
    (void)state;
    char text[64];
    const int64_t t = INT64_C(1517966773);
    const int32_t f = 840001999;
    assert_true(s3s_time_strftime(t, f, "%Y-%m-%dT%H:%M:%S.%f", text, sizeof text));
    assert_string_equal(text, "2018-02-07T01:26:13.840001");
    assert_true(s3s_time_strftime(t, f, "%y %j %L 100%%", text, sizeof text));
    assert_string_equal(text, "18 038 840 100%");
    assert_true(s3s_time_strftime(-1, 0, "%Y-%m-%d %H", text, sizeof text));
    assert_string_equal(text, "1969-12-31 23");
    assert_true(s3s_time_strftime(t, f, "", text, 1));
    assert_false(s3s_time_strftime(t, f, "%Q", text, sizeof text));
    assert_false(s3s_time_strftime(t, f, "50%", text, sizeof text));
    assert_false(s3s_time_strftime(t, f, "%Y", text, 4));
    assert_true(s3s_time_strftime(t, f, "%Y", text, 5));
    assert_false(s3s_time_strftime(t, f, "%Y", text, 0));
}

/* FORMAT "Layouts of Go": each element of a Go layout and ours, for 2026-03-17 12:04:05.6789 UTC
 * and for a time that needs padding. */
static const struct {
    const char *go, *ours, *text, *padded;
} layouts[] = {
    {"2006", "%Y", "2026", "0907"},
    {"06", "%y", "26", "07"},
    {"01", "%m", "03", "01"},
    {"1", "%-m", "3", "1"},
    {"Jan", "%b", "Mar", "Jan"},
    {"January", "%B", "March", "January"},
    {"02", "%d", "17", "02"},
    {"2", "%-d", "17", "2"},
    {"_2", "%e", "17", " 2"},
    {"002", "%j", "076", "002"},
    {"__2", "%_j", " 76", "  2"},
    {"Mon", "%a", "Tue", "Sun"},
    {"Monday", "%A", "Tuesday", "Sunday"},
    {"15", "%H", "12", "03"},
    {"03", "%I", "12", "03"},
    {"3", "%-I", "12", "3"},
    {"04", "%M", "04", "00"},
    {"4", "%-M", "4", "0"},
    {"05", "%S", "05", "09"},
    {"5", "%-S", "5", "9"},
    {".000", ".%3N", ".678", ".000"},
    {",000", ",%3N", ",678", ",000"},
    {".000000000", ".%N", ".678900000", ".000000000"},
    {".999", "%.3N", ".678", ""},
    {".999999999", "%.9N", ".6789", ""},
    {",999999", "%,6N", ",6789", ""},
    {"PM", "%p", "PM", "AM"},
    {"pm", "%P", "pm", "am"},
    {"MST", "UTC", "UTC", "UTC"},
    {"Z07:00", "Z", "Z", "Z"},
    {"-07:00", "+00:00", "+00:00", "+00:00"},
    {"2006-01-02T15:04:05.000Z07:00", "%Y-%m-%dT%H:%M:%S.%3NZ", "2026-03-17T12:04:05.678Z",
     "0907-01-02T03:00:09.000Z"}, /* cut, not rounded */
    {"2006-01-02T15:04:05Z07:00", "%Y-%m-%dT%H:%M:%SZ", "2026-03-17T12:04:05Z",
     "0907-01-02T03:00:09Z"}, /* RFC 3339 */
    {"2006-01-02", "%Y-%m-%d", "2026-03-17", "0907-01-02"},
    {"2006-01", "%Y-%m", "2026-03", "0907-01"},
};

static void test_strftime__has_a_counterpart_of_each_element_of_a_go_layout(void **state)
{
    (void)state;
    const int64_t at = INT64_C(1773749045), padded = INT64_C(-33544961991);
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char text[64];
        assert_true(s3s_time_strftime(at, 678900000, layouts[i].ours, text, sizeof text));
        if (strcmp(text, layouts[i].text) != 0)
            fail_msg("%s: \"%s\"", layouts[i].go, text);
        assert_true(s3s_time_strftime(padded, 0, layouts[i].ours, text, sizeof text));
        if (strcmp(text, layouts[i].padded) != 0)
            fail_msg("%s: \"%s\"", layouts[i].go, text);
    }
    char text[64];
    assert_true(s3s_time_strftime(86400 * 365, 0, "%I%p", text, sizeof text));
    assert_string_equal(text, "12AM"); /* midnight */
    static const char *const unknown[] = {"%",   "%Q",  "%-",   "%_",  "%-b", "%3f", "%.N",
                                          "%.3f", "%0N", "%10N", "%-N", "%.",  "%3"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (s3s_time_strftime(0, 0, unknown[i], text, sizeof text))
            fail_msg("%s gave %s", unknown[i], text);
}

static void test_strftime__grain_is_what_a_pattern_leaves_undistinguished(void **state)
{
    (void)state;
    assert_int_equal(s3s_time_strftime_grain("%Y-%m-%d %A"), 86400);
    assert_int_equal(s3s_time_strftime_grain("%b %e %p"), 3600);
    assert_int_equal(s3s_time_strftime_grain("%-I"), 3600);
    assert_int_equal(s3s_time_strftime_grain("%H:%M"), 60);
    assert_int_equal(s3s_time_strftime_grain("%S"), 1);
    assert_int_equal(s3s_time_strftime_grain("%S%.3N"), 0);
    assert_int_equal(s3s_time_strftime_grain("%L"), 0);
}

static void test_strptime__reads_what_strftime_wrote(void **state)
{
    (void)state;
    static const char *const exact[] = {
        "%Y-%m-%dT%H:%M:%S.%N",  "%A, %e %B %Y, %I:%M:%S%.9N %p", "%Y/%j/%H%M%S%,9N",
        "%Y %-m %-d %-H %-M %-S %N", "%Y%m%d%H%M%S%f",            "%a %b %_d %Y %_H %_M %_S %.6N",
    };
    const int64_t times[] = {0, 1773749045, -1, INT64_C(-33544961991), INT64_C(253402300799)};
    const int32_t nanos[] = {0, 678900000, 1000, 999999000, 10000000};
    for (size_t f = 0; f < sizeof exact / sizeof exact[0]; f++)
        for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
            char text[96];
            int64_t seconds;
            int32_t fraction;
            assert_true(s3s_time_strftime(times[t], nanos[t], exact[f], text, sizeof text));
            if (!s3s_time_strptime(exact[f], text, strlen(text), &seconds, &fraction))
                fail_msg("%s does not read %s", exact[f], text);
            if (seconds != times[t] || fraction != nanos[t])
                fail_msg("%s: %s is %lld.%09d", exact[f], text, (long long)seconds, fraction);
        }
    static const struct {
        const char *format, *text;
        int64_t seconds; /* -1 = none */
    } cases[] = {
        {"%Y", "2018", 1514764800},
        {"%Y-%m", "2018-02", 1517443200},
        {"%Y-%m-%dT%H", "2018-02-07T01", 1517965200},
        {"%d.%m.%y", "07.02.18", 1517961600},
        {"%y", "69", -31536000},
        {"%j %Y", "038 2018", 1517961600},
        {"%Y", "201", -1},
        {"%Y", "20180", -1},
        {"%Y", "", -1},
        {"%m", "13", -1},
        {"%Y-%m-%d", "2018-02-30", -1},
        {"%Y-%m-%d", "2018-2-03", -1},
        {"%Y %j", "2018 366", -1},
        {"%Y-%m-%d %j", "2018-02-07 039", -1},
        {"%H", "24", -1},
        {"%p", "XM", -1},
        {"%b", "Foo", -1},
        {"%Q", "x", -1},
        {"a%Y", "b2018", -1},
        {"%S%.3N", "05.", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds = -1;
        int32_t fraction;
        bool ok = s3s_time_strptime(cases[i].format, cases[i].text, strlen(cases[i].text),
                                    &seconds, &fraction);
        if (ok != (cases[i].seconds != -1) || (ok && seconds != cases[i].seconds))
            fail_msg("%s: %s is %lld", cases[i].format, cases[i].text, (long long)seconds);
    }
}

static void test_http_date__all_three_forms(void **state)
{
    (void)state;
    int64_t us;
    const int64_t expected = INT64_C(784111777000000);
    assert_true(s3s_http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &us));
    assert_true(us == expected);
    assert_true(s3s_http_date_parse("Sunday, 06-Nov-94 08:49:37 GMT", &us));
    assert_true(us == expected);
    assert_true(s3s_http_date_parse("Sun Nov  6 08:49:37 1994", &us));
    assert_true(us == expected);
    assert_true(s3s_http_date_parse("Wed Nov 16 08:49:37 1994", &us));
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nob 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (s3s_http_date_parse(bad[i], &us))
            fail_msg("accepted \"%s\"", bad[i]);
    }
}

static void test_iso__basic_forms(void **state)
{
    (void)state;
    char date_time[17], date[9];
    s3s_iso_basic(INT64_C(1517966773840001), date_time, date);
    assert_string_equal(date_time, "20180207T012613Z");
    assert_string_equal(date, "20180207");
    s3s_iso_basic(INT64_MAX, date_time, date);
    assert_int_equal(strlen(date_time), 16);
    int64_t us;
    assert_true(s3s_iso_parse_us("2018-02-07T01:26:13.000Z", 24, &us));
    assert_true(us == INT64_C(1517966773000000));
    assert_false(s3s_iso_parse_us("+294247-01-10T04:00:54.775808Z", 30, &us));
}

static void test_duration__accepts_what_go_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"15s", 15000000000},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"1.s", 1000000000},
        {"1h30m", 5400000000000},
        {"+1h", 3600000000000},
        {"100ms", 100000000},
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"0s", 0},
        {"-0s", 0},
        {"0h0m", 0},
        {"00015s", 15000000000},
        {"1\xC2\xB5s", 1000},
        {"1\xCE\xBCs", 1000},
        {"1us", 1000},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"-2562047h47m16.854775808s", INT64_MIN},
        {"-9223372036854775808ns", INT64_MIN},
        {"1s1h", 3601000000000},
        {"1m1m", 120000000000},
        {"0.9ns", 0},
        {"1.9ns", 1},
        {"0.999999ms", 999999},
        {"-1.5h", -5400000000000},
        {"0.9223372036854775807h", 3320413933267},
        {"0.100000000000000000000h", 360000000000},
        {"0.33333333333333333333h", 1200000000000},
        {"39h9m14.425s", 140954425000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        int64_t ns;
        assert_ok(s3store_duration_parse(cases[i].text, &ns, &err));
        if (ns != cases[i].ns)
            fail_msg("%s gave %lld", cases[i].text, (long long)ns);
    }
}

static void test_duration__refuses_what_go_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "expected"},
        {"5", "lacks its unit"},
        {"1d", "not \"d\""},
        {"1S", "not \"S\""},
        {"1h 30m", "not \"h \""},
        {"1h-30m", "not \"h-\""},
        {"--1s", "number is expected"},
        {"1e3s", "not \"e\""},
        {"0.1.2s", "lacks its unit"},
        {"99999999999999999999s", "too long"},
        {"9223372036854775808ns", "too long"},
        {"-9223372036854775809ns", "too long"},
        {"9223372036854775808ns9223372036854775808ns", "too long"},
        {"2562048h", "too long"},
        {"-", "expected"},
        {".s", "number is expected"},
        {".", "number is expected"},
        {" 1s", "number is expected"},
        {"1ss", "not \"ss\""},
        {"s", "number is expected"},
        {"3000000h", "too long"},
        {"00", "lacks its unit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        int64_t ns = 7;
        assert_fails(s3store_duration_parse(cases[i].text, &ns, &err), S3STORE_INVALID_ARGUMENT,
                     cases[i].why);
        assert_int_equal(ns, 0);
    }
    s3store_error err;
    int64_t ns;
    assert_fails(s3store_duration_parse(NULL, &ns, &err), S3STORE_INVALID_ARGUMENT, NULL);
    assert_false(s3s_go_duration_parse("1s\0", 3, &ns, NULL, 0));
}

static void test_duration__formats_as_go(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1\xC2\xB5s"},
        {2200000, "2.2ms"},
        {3300000000, "3.3s"},
        {15000000000, "15s"},
        {90000000000, "1m30s"},
        {245000000000, "4m5s"},
        {245001000000, "4m5.001s"},
        {18367001000000, "5h6m7.001s"},
        {480000000001, "8m0.000000001s"},
        {3600000000000, "1h0m0s"},
        {-1500000000, "-1.5s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[40];
        int64_t back;
        s3s_go_duration_format(cases[i].ns, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        assert_true(s3s_go_duration_parse(text, strlen(text), &back, NULL, 0));
        assert_true(back == cases[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil__agrees_in_both_directions),
        cmocka_unit_test(test_floor_div__rounds_down),
        cmocka_unit_test(test_rfc3339__good_texts),
        cmocka_unit_test(test_rfc3339__bad_texts),
        cmocka_unit_test(test_rfc3339__format),
        cmocka_unit_test(test_time_parse__to_microseconds_and_back),
        cmocka_unit_test(test_date__exactly_ten_characters),
        cmocka_unit_test(test_strftime__known_elements_only),
        cmocka_unit_test(test_strftime__has_a_counterpart_of_each_element_of_a_go_layout),
        cmocka_unit_test(test_strftime__grain_is_what_a_pattern_leaves_undistinguished),
        cmocka_unit_test(test_strptime__reads_what_strftime_wrote),
        cmocka_unit_test(test_http_date__all_three_forms),
        cmocka_unit_test(test_iso__basic_forms),
        cmocka_unit_test(test_duration__accepts_what_go_accepts),
        cmocka_unit_test(test_duration__refuses_what_go_refuses),
        cmocka_unit_test(test_duration__formats_as_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
