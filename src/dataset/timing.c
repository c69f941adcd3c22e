/* dataset/timing.c: the bodies of commit-timeout and max-clock-skew (docs/FORMAT.md "Configuration
 * objects").
 */
#include "dataset/config.h"

#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"

#define SHOWN_MAX 64 /* bytes of a bad body that a message repeats */

/* Length of the white space character at p (0 = none): Unicode White_Space as UTF-8, which is what
 * Go's strings.TrimSpace removes. A byte order mark and U+200B are not white space. */
static size_t space_at(const unsigned char *p, size_t size)
{
    if (size == 0)
        return 0;
    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'))
        return 1;
    if (size >= 2 && p[0] == 0xC2 && (p[1] == 0x85 || p[1] == 0xA0))
        return 2;
    if (size < 3)
        return 0;
    if (p[0] == 0xE1 && p[1] == 0x9A && p[2] == 0x80) /* U+1680 */
        return 3;
    if (p[0] == 0xE2 && p[1] == 0x80 &&
        ((p[2] >= 0x80 && p[2] <= 0x8A) || p[2] == 0xA8 || p[2] == 0xA9 || p[2] == 0xAF))
        return 3; /* U+2000..200A, 2028, 2029, 202F */
    if (p[0] == 0xE2 && p[1] == 0x81 && p[2] == 0x9F) /* U+205F */
        return 3;
    if (p[0] == 0xE3 && p[1] == 0x80 && p[2] == 0x80) /* U+3000 */
        return 3;
    return 0;
}

/* The white space character that ends at p + size. */
static size_t space_before(const unsigned char *p, size_t size)
{
    for (size_t n = 1; n <= 3 && n <= size; n++) {
        if (space_at(p + size - n, n) == n)
            return n;
    }
    return 0;
}

static void show(const char *body, size_t size, char out[SHOWN_MAX + 4])
{
    size_t n = size < SHOWN_MAX ? size : SHOWN_MAX;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)body[i] < 0x20 || body[i] == 0x7F ? '?' : body[i];
    memcpy(out + n, n < size ? "..." : "", n < size ? 4 : 1);
}

s3store_status s3s_timing_parse(const char *body, size_t size, const char *what, const char *key,
                                int64_t *ns, s3store_error *err)
{
    size_t space;
    char shown[SHOWN_MAX + 4];
    char why[160] = "";
    int64_t value = 0;
    bool is_timeout = strcmp(what, S3S_CONFIG_COMMIT_TIMEOUT) == 0;
    int64_t floor_us =
        is_timeout ? S3STORE_COMMIT_TIMEOUT_FLOOR_US : S3STORE_MAX_CLOCK_SKEW_FLOOR_US;

    while ((space = space_at((const unsigned char *)body, size)) != 0) {
        body += space;
        size -= space;
    }
    while ((space = space_before((const unsigned char *)body, size)) != 0)
        size -= space;
    show(body, size, shown);
    if (!s3s_go_duration_parse(body, size, &value, why, sizeof why))
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s is not a duration: \"%s\" (%s); expected text like \"15s\" in %s",
                            what, shown, why, key);
    if (value < floor_us * 1000)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s \"%s\" is below its floor of %s; correct %s", what, shown,
                            is_timeout ? "1ms" : "0s", key);
    *ns = value;
    return S3STORE_OK;
}
