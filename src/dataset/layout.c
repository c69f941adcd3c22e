/* dataset/layout.c: building and parsing the keys of a dataset. */
#include "dataset/layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/quote.h"

/* Both must survive the file name of a ref: 16 digits, '-', token, '-', attempt id. */
#define REF_LEFT_MIN (S3S_REF_DIGITS + 1 + 1 + 1 + S3S_ATTEMPT_ID_SIZE)
#define REF_MICROS_MAX INT64_C(9999999999999999)

s3store_status s3s_layout_init(s3s_layout *layout, s3s_env *env, const char *prefix,
                               s3store_error *err)
{
    static const struct {
        const char *suffix;
        size_t member;
    } paths[] = {
        {"", offsetof(s3s_layout, prefix)},
        {"/data", offsetof(s3s_layout, data_path)},
        {"/_ref", offsetof(s3s_layout, ref_path)},
        {"/_matview", offsetof(s3s_layout, view_path)},
        {"/_config", offsetof(s3s_layout, config_path)},
    };

    memset(layout, 0, sizeof *layout);
    layout->env = env;
    if (prefix == NULL || prefix[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a dataset needs a prefix: it is empty");
    size_t size = strlen(prefix);
    if (size > S3STORE_KEY_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the dataset prefix %s has %zu bytes; keys have at most %d",
                        s3s_quote(prefix, size).text, size, S3STORE_KEY_MAX_BYTES);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t suffix_size = strlen(paths[i].suffix);
        char *text = s3s_alloc(env, size + suffix_size + 1);
        if (text == NULL) {
            s3s_layout_deinit(layout);
            return s3s_fail_memory(err, size + suffix_size + 1);
        }
        memcpy(text, prefix, size);
        memcpy(text + size, paths[i].suffix, suffix_size + 1);
        memcpy((char *)layout + paths[i].member, &text, sizeof text);
    }
    return S3STORE_OK;
}

void s3s_layout_deinit(s3s_layout *layout)
{
    s3s_free(layout->env, layout->prefix);
    s3s_free(layout->env, layout->data_path);
    s3s_free(layout->env, layout->ref_path);
    s3s_free(layout->env, layout->view_path);
    s3s_free(layout->env, layout->config_path);
    memset(layout, 0, sizeof *layout);
}

/* ---- building -------------------------------------------------------------------------------- */

static s3store_status fail_long(const char *what, size_t size, const char *partition,
                                s3store_error *err)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "the %s of partition %s would have %zu bytes; keys have at most %d: shorten "
                    "the prefix, the token or the partition values",
                    what, s3s_quote_text(partition).text, size, S3STORE_KEY_MAX_BYTES);
}

/* The texts up to NULL, one behind the other; cut where the room ends. Returns the size of all. */
static __attribute__((sentinel)) size_t join(char *out, size_t room, ...)
{
    va_list texts;
    size_t total = 0;
    va_start(texts, room);
    for (const char *text = va_arg(texts, const char *); text != NULL;
         text = va_arg(texts, const char *)) {
        size_t size = strlen(text), left = total < room - 1 ? room - 1 - total : 0;
        memcpy(out + (left > 0 ? total : 0), text, size < left ? size : left);
        total += size;
    }
    va_end(texts);
    out[total < room ? total : room - 1] = '\0';
    return total;
}

s3store_status s3s_data_key(const s3s_layout *layout, const char *partition, const char *token,
                            const char *attempt, char *out, s3store_error *err)
{
    size_t size = join(out, S3S_KEY_SIZE, layout->data_path, "/", partition, "/", token, "-",
                       attempt, ".parquet", NULL);
    if (size >= S3S_KEY_SIZE)
        return fail_long("data key", size, partition, err);
    return S3STORE_OK;
}

s3store_status s3s_commit_key(const s3s_layout *layout, const char *partition, const char *token,
                              char *out, s3store_error *err)
{
    size_t size =
        join(out, S3S_KEY_SIZE, layout->data_path, "/", partition, "/", token, ".commit", NULL);
    if (size >= S3S_KEY_SIZE)
        return fail_long("commit key", size, partition, err);
    return S3STORE_OK;
}

/* The bytes that Go's url.PathEscape leaves as they are: what existing refs were written with. */
static const s3s_byte_set keep_in_ref = {
    {['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true,
     ['_'] = true, ['~'] = true, ['$'] = true, ['&'] = true, ['+'] = true, [':'] = true,
     ['='] = true, ['@'] = true}};

s3store_status s3s_ref_key(const s3s_layout *layout, int64_t ref_micros, const char *token,
                           const char *attempt, const char *partition, char *out,
                           s3store_error *err)
{
    /* Beyond 16 digits the file name would no longer parse, and readers would skip the write. */
    if (ref_micros < 0 || ref_micros > REF_MICROS_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the time stamp %" PRId64 " cannot stand in a ref key: it must have at "
                        "most %d digits and no sign; check the clock of this machine",
                        ref_micros, S3S_REF_DIGITS);

    size_t partition_size = strlen(partition);
    size_t escaped = 0;
    for (size_t i = 0; i < partition_size; i++)
        escaped += keep_in_ref.has[(uint8_t)partition[i]] ? 1 : 3;
    size_t total = strlen(layout->ref_path) + 1 + S3S_REF_DIGITS + 1 + strlen(token) + 1 +
                   strlen(attempt) + 1 + escaped + strlen(".ref");
    if (total > S3STORE_KEY_MAX_BYTES)
        return fail_long("ref key", total, partition, err);

    char digits[S3S_REF_DIGITS + 1] = {0};
    for (size_t i = S3S_REF_DIGITS; i-- > 0; ref_micros /= 10)
        digits[i] = (char)('0' + ref_micros % 10);
    size_t at = join(out, S3S_KEY_SIZE, layout->ref_path, "/", digits, "-", token, "-", attempt,
                     ";", NULL);
    if (at >= S3S_KEY_SIZE || !s3s_percent_encode(partition, partition_size, &keep_in_ref,
                                                  out + at, S3S_KEY_SIZE - at))
        return s3s_fail(err, S3STORE_INTERNAL, "the size of a ref key was miscounted");
    memcpy(out + total - 4, ".ref", 5);
    return S3STORE_OK;
}

s3store_status s3s_offset_key(const s3s_layout *layout, int64_t ref_micros, char *out,
                              s3store_error *err)
{
    /* A sign sorts below every digit, so times before 1970 are "from the beginning", as they must
     * be. No ref is stamped beyond 16 digits, while 17 digits would sort among the earlier ones. */
    if (ref_micros > REF_MICROS_MAX)
        ref_micros = REF_MICROS_MAX;
    int size =
        snprintf(out, S3S_KEY_SIZE, "%s/%016" PRId64, layout->ref_path, ref_micros);
    if (size >= S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the offset key would have %d bytes; keys have at most %d: shorten the "
                        "prefix",
                        size, S3STORE_KEY_MAX_BYTES);
    return S3STORE_OK;
}

s3store_status s3s_config_key(const s3s_layout *layout, const char *name, char *out,
                              s3store_error *err)
{
    int size = snprintf(out, S3S_KEY_SIZE, "%s/%s", layout->config_path, name);
    if (size >= S3S_KEY_SIZE)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the key of the configuration object %s would have %d bytes; keys have at "
                        "most %d: shorten the prefix",
                        s3s_quote_text(name).text, size, S3STORE_KEY_MAX_BYTES);
    return S3STORE_OK;
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* Cuts the ending off; false when the text does not end so. */
static bool cut_ending(const char *text, size_t *size, const char *ending)
{
    size_t n = strlen(ending);
    if (*size < n || memcmp(text + *size - n, ending, n) != 0)
        return false;
    *size -= n;
    return true;
}

/* "<token>-<attempt id>", anchored at the right: tokens have dashes of their own. */
static bool split_id(const char *text, size_t size, s3s_slice *token, s3s_slice *attempt)
{
    if (size < 1 + 1 + S3S_ATTEMPT_ID_SIZE)
        return false;
    size_t token_size = size - 1 - S3S_ATTEMPT_ID_SIZE;
    if (text[token_size] != '-' ||
        !s3s_attempt_id_valid(text + token_size + 1, S3S_ATTEMPT_ID_SIZE))
        return false;
    *token = (s3s_slice){text, token_size};
    *attempt = (s3s_slice){text + token_size + 1, S3S_ATTEMPT_ID_SIZE};
    return true;
}

s3s_data_name s3s_data_name_parse(const s3s_layout *layout, const char *key)
{
    s3s_data_name name = {.kind = S3S_DATA_FOREIGN};
    size_t path_size = strlen(layout->data_path);
    if (strncmp(key, layout->data_path, path_size) != 0 || key[path_size] != '/')
        return name;
    const char *hive = key + path_size + 1;
    const char *slash = strrchr(hive, '/');
    if (slash == NULL || slash == hive)
        return name;

    const char *base = slash + 1;
    size_t base_size = strlen(base);
    if (cut_ending(base, &base_size, ".parquet")) {
        if (split_id(base, base_size, &name.token, &name.attempt))
            name.kind = S3S_DATA_FILE;
    } else if (cut_ending(base, &base_size, ".commit") && base_size > 0) {
        name.token = (s3s_slice){base, base_size};
        name.kind = S3S_DATA_COMMIT;
    }
    if (name.kind != S3S_DATA_FOREIGN)
        name.partition = (s3s_slice){hive, (size_t)(slash - hive)};
    return name;
}

static s3store_status bad_ref(const char *key, const char *why, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, key, "malformed ref %s: %s",
                        s3s_quote_text(key).text, why);
}

s3store_status s3s_ref_parse(const char *key, s3s_ref *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (key == NULL)
        return bad_ref(key, "there is no key", err);
    const char *slash = strrchr(key, '/');
    const char *name = slash != NULL ? slash + 1 : key;
    size_t size = strlen(name);
    cut_ending(name, &size, ".ref"); /* a name without it is accepted as well */

    const char *semicolon = memchr(name, ';', size);
    if (semicolon == NULL)
        return bad_ref(key, "it has no ';'", err);
    size_t left = (size_t)(semicolon - name);
    if (left < REF_LEFT_MIN)
        return bad_ref(key, "what stands before ';' is too short", err);
    for (size_t i = 0; i < S3S_REF_DIGITS; i++)
        if (name[i] < '0' || name[i] > '9')
            return bad_ref(key, "it does not begin with 16 digits", err);
    if (name[S3S_REF_DIGITS] != '-')
        return bad_ref(key, "no '-' follows the 16 digits", err);

    s3s_slice token, attempt;
    const char *id = name + S3S_REF_DIGITS + 1;
    if (!split_id(id, (size_t)(semicolon - id), &token, &attempt))
        return bad_ref(key, "no '-' and 32 lower-case hex digits stand before ';'", err);
    if (token.size > S3STORE_KEY_MAX_BYTES)
        return bad_ref(key, "its token is longer than a key may be", err);

    size_t partition_size = 0;
    const char *escaped = semicolon + 1;
    if (!s3s_percent_decode(escaped, size - left - 1, out->partition, sizeof out->partition,
                            &partition_size)) {
        out->partition[0] = '\0';
        return bad_ref(key, "its partition has a bad percent escape, or is too long", err);
    }
    if (memchr(out->partition, '\0', partition_size) != NULL) {
        out->partition[0] = '\0';
        return bad_ref(key, "its partition contains a NUL byte", err);
    }
    out->partition[partition_size] = '\0';
    out->micros = 0;
    for (size_t i = 0; i < S3S_REF_DIGITS; i++) /* digits, as was seen above: they fit */
        out->micros = out->micros * 10 + (name[i] - '0');
    memcpy(out->token, token.data, token.size);
    memcpy(out->attempt, attempt.data, attempt.size);
    return S3STORE_OK;
}

int s3s_slice_compare(s3s_slice a, s3s_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}
