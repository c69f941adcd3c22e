/* hash.c: digests of libcrypto and libxxhash. */
#include "base/hash.h"

#include <limits.h>
#define OPENSSL_SUPPRESS_DEPRECATED /* of SHA256_Init and its like, see below */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for the size of its state: ours is embedded */
#include <xxhash.h>

#include "base/error.h"

#ifdef OPENSSL_NO_DEPRECATED_3_0
#define S3S_HAS_PLAIN_SHA256 0
#else
#define S3S_HAS_PLAIN_SHA256 1
#endif

/* EVP_sha256() makes libcrypto look for an implementation in each call, which costs more than to
 * hash a short text. Found once for the process and kept: it never changes, and libcrypto's own
 * exit handler outlives it. */
static pthread_once_t found_once = PTHREAD_ONCE_INIT;
static struct {
    const EVP_MD *sha256; /* NULL: libcrypto found no memory to begin with, and would crash */
    const EVP_MD *md5;
    bool plain_sha256; /* nothing but libcrypto's own code stands behind sha256 */
} found;

static const EVP_MD *find(const char *name, const EVP_MD *fallback)
{
    const EVP_MD *type = EVP_MD_fetch(NULL, name, NULL);
    return type != NULL ? type : fallback;
}

static void find_all(void)
{
    if (OSSL_LIB_CTX_get0_global_default() == NULL)
        return;
    found.sha256 = find("SHA256", EVP_sha256());
    found.md5 = find("MD5", EVP_md5());
    const OSSL_PROVIDER *provider = EVP_MD_get0_provider(found.sha256);
    const char *name = provider != NULL ? OSSL_PROVIDER_get0_name(provider) : "";
    found.plain_sha256 = S3S_HAS_PLAIN_SHA256 && strcmp(name, "default") == 0;
}

static s3store_status refuse(const char *name, s3store_error *err)
{
    if (found.sha256 == NULL)
        return s3s_fail(err, S3STORE_OUT_OF_MEMORY,
                        "libcrypto found no memory when it was first used, and cannot be used "
                        "until this process is started again");
    return s3s_fail(err, S3STORE_UNSUPPORTED,
                    "libcrypto refuses to compute %s: check the system's crypto policy", name);
}

/* ---- SHA-256 of up to two texts, one behind the other ---------------------------------------- */

/* EVP allocates and frees for each digest, which costs as much as a short one: libcrypto's code is
 * called directly where the system's policy would have called it too. */
static bool plain_sha256(const void *first, size_t first_size, const void *second,
                         size_t second_size, uint8_t out[S3S_SHA256_SIZE])
{
#if S3S_HAS_PLAIN_SHA256
    SHA256_CTX ctx;
    bool done = SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, first, first_size) == 1 &&
                SHA256_Update(&ctx, second, second_size) == 1 && SHA256_Final(out, &ctx) == 1;
    OPENSSL_cleanse(&ctx, sizeof ctx);
    return done;
#else
    (void)first, (void)first_size, (void)second, (void)second_size, (void)out;
    return false;
#endif
}

static bool policy_sha256(const void *first, size_t first_size, const void *second,
                          size_t second_size, uint8_t out[S3S_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = found.sha256 != NULL ? EVP_MD_CTX_new() : NULL;
    bool done = ctx != NULL && EVP_DigestInit_ex2(ctx, found.sha256, NULL) == 1 &&
                EVP_DigestUpdate(ctx, first, first_size) == 1 &&
                EVP_DigestUpdate(ctx, second, second_size) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return done;
}

static bool sha256_of_two(const void *first, size_t first_size, const void *second,
                          size_t second_size, uint8_t out[S3S_SHA256_SIZE])
{
    pthread_once(&found_once, find_all);
    return (found.plain_sha256 ? plain_sha256 : policy_sha256)(
        first_size > 0 ? first : "", first_size, second_size > 0 ? second : "", second_size, out);
}

s3store_status s3s_sha256(const void *data, size_t size, uint8_t out[S3S_SHA256_SIZE],
                          s3store_error *err)
{
    return sha256_of_two(data, size, NULL, 0, out) ? S3STORE_OK : refuse("SHA-256", err);
}

s3store_status s3s_md5(const void *data, size_t size, uint8_t out[S3S_MD5_SIZE],
                       s3store_error *err)
{
    pthread_once(&found_once, find_all);
    bool done = found.md5 != NULL &&
                EVP_Digest(size == 0 ? "" : data, size, out, NULL, found.md5, NULL) == 1;
    return done ? S3STORE_OK : refuse("MD5", err);
}

/* ---- HMAC ------------------------------------------------------------------------------------ */

#define HMAC_BLOCK 64

/* The state of SHA-256 behind one block. */
static bool hash_block(const uint8_t block[HMAC_BLOCK], uint32_t state[8])
{
#if S3S_HAS_PLAIN_SHA256
    SHA256_CTX ctx;
    bool done = SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, block, HMAC_BLOCK) == 1;
    for (size_t i = 0; i < 8; i++)
        state[i] = ctx.h[i];
    OPENSSL_cleanse(&ctx, sizeof ctx);
    return done;
#else
    (void)block, (void)state;
    return false;
#endif
}

/* SHA-256 of a block whose state is known, and of what follows it. */
static bool plain_continue(const uint32_t state[8], const void *data, size_t size,
                           uint8_t out[S3S_SHA256_SIZE])
{
#if S3S_HAS_PLAIN_SHA256
    SHA256_CTX ctx;
    bool done = SHA256_Init(&ctx) == 1;
    for (size_t i = 0; i < 8; i++)
        ctx.h[i] = state[i];
    ctx.Nl = HMAC_BLOCK * 8;
    done = done && SHA256_Update(&ctx, data, size) == 1 && SHA256_Final(out, &ctx) == 1;
    OPENSSL_cleanse(&ctx, sizeof ctx);
    return done;
#else
    (void)state, (void)data, (void)size, (void)out;
    return false;
#endif
}

/* RFC 2104. libcrypto's own HMAC() looks for its implementation in each call. */
s3store_status s3s_hmac_key_init(s3s_hmac_key *key, const void *secret, size_t size,
                                 s3store_error *err)
{
    memset(key, 0, sizeof *key);
    pthread_once(&found_once, find_all);
    if (size > INT_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "an HMAC key of %zu bytes is too long",
                        size);
    if (size > HMAC_BLOCK) {
        s3store_status status = s3s_sha256(secret, size, key->inner_block, err);
        if (status != S3STORE_OK)
            return status;
    } else if (size > 0) {
        memcpy(key->inner_block, secret, size);
    }
    for (size_t i = 0; i < HMAC_BLOCK; i++) {
        key->outer_block[i] = key->inner_block[i] ^ 0x5c;
        key->inner_block[i] ^= 0x36;
    }
    bool done = !found.plain_sha256 || (hash_block(key->inner_block, key->inner_state) &&
                                        hash_block(key->outer_block, key->outer_state));
    return done ? S3STORE_OK : refuse("HMAC-SHA-256", err);
}

s3store_status s3s_hmac_sha256_with(const s3s_hmac_key *key, const void *data, size_t size,
                                    uint8_t out[S3S_SHA256_SIZE], s3store_error *err)
{
    uint8_t inner[S3S_SHA256_SIZE];
    data = size > 0 ? data : "";
    bool done =
        found.plain_sha256
            ? plain_continue(key->inner_state, data, size, inner) &&
                  plain_continue(key->outer_state, inner, sizeof inner, out)
            : policy_sha256(key->inner_block, HMAC_BLOCK, data, size, inner) &&
                  policy_sha256(key->outer_block, HMAC_BLOCK, inner, sizeof inner, out);
    return done ? S3STORE_OK : refuse("HMAC-SHA-256", err);
}

s3store_status s3s_hmac_sha256(const void *secret, size_t secret_size, const void *data,
                               size_t size, uint8_t out[S3S_SHA256_SIZE], s3store_error *err)
{
    s3s_hmac_key key;
    s3store_status status = s3s_hmac_key_init(&key, secret, secret_size, err);
    if (status == S3STORE_OK)
        status = s3s_hmac_sha256_with(&key, data, size, out, err);
    OPENSSL_cleanse(&key, sizeof key);
    return status;
}

/* ---- XXH64 ----------------------------------------------------------------------------------- */

_Static_assert(sizeof(XXH64_state_t) <= sizeof(s3s_xxh64_state), "the state fits");
_Static_assert(_Alignof(XXH64_state_t) <= _Alignof(s3s_xxh64_state), "the state is aligned");

uint64_t s3s_xxh64(const void *data, size_t size, uint64_t seed)
{
    return XXH64(size == 0 ? "" : data, size, seed);
}

void s3s_xxh64_begin(s3s_xxh64_state *state, uint64_t seed)
{
    memset(state, 0, sizeof *state);
    XXH64_reset((XXH64_state_t *)state->opaque, seed);
}

void s3s_xxh64_update(s3s_xxh64_state *state, const void *data, size_t size)
{
    if (size > 0)
        XXH64_update((XXH64_state_t *)state->opaque, data, size);
}

uint64_t s3s_xxh64_end(const s3s_xxh64_state *state)
{
    return XXH64_digest((const XXH64_state_t *)state->opaque);
}
