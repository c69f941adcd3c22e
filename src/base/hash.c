/* hash.c: digests of libcrypto and libxxhash. */
#include "base/hash.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for the size of its state: ours is embedded */
#include <xxhash.h>

#include "base/error.h"

/* EVP_sha256() makes libcrypto look for an implementation in each call, which costs more than to
 * hash a short text. Found once for the process and kept: it never changes, and libcrypto's own
 * exit handler outlives it. */
static pthread_once_t found_once = PTHREAD_ONCE_INIT;
static struct {
    const EVP_MD *sha256;
    const EVP_MD *md5;
} found;

static const EVP_MD *find(const char *name, const EVP_MD *fallback)
{
    const EVP_MD *type = EVP_MD_fetch(NULL, name, NULL);
    return type != NULL ? type : fallback;
}

static void find_all(void)
{
    found.sha256 = find("SHA256", EVP_sha256());
    found.md5 = find("MD5", EVP_md5());
}

static const EVP_MD *sha256_type(void)
{
    pthread_once(&found_once, find_all);
    return found.sha256;
}

static const EVP_MD *md5_type(void)
{
    pthread_once(&found_once, find_all);
    return found.md5;
}

static s3store_status refuse(const char *name, s3store_error *err)
{
    return s3s_fail(err, S3STORE_UNSUPPORTED,
                    "libcrypto refuses to compute %s: check the system's crypto policy", name);
}

static s3store_status digest(const EVP_MD *type, const char *name, const void *data, size_t size,
                             uint8_t *out, s3store_error *err)
{
    if (EVP_Digest(size == 0 ? "" : data, size, out, NULL, type, NULL) != 1)
        return refuse(name, err);
    return S3STORE_OK;
}

s3store_status s3s_sha256(const void *data, size_t size, uint8_t out[S3S_SHA256_SIZE],
                          s3store_error *err)
{
    return digest(sha256_type(), "SHA-256", data, size, out, err);
}

s3store_status s3s_md5(const void *data, size_t size, uint8_t out[S3S_MD5_SIZE],
                       s3store_error *err)
{
    return digest(md5_type(), "MD5", data, size, out, err);
}

#define HMAC_BLOCK 64

/* H(pad || data). */
static bool hash_padded(EVP_MD_CTX *ctx, const uint8_t pad[HMAC_BLOCK], const void *data,
                        size_t size, uint8_t out[S3S_SHA256_SIZE])
{
    return EVP_DigestInit_ex2(ctx, sha256_type(), NULL) == 1 &&
           EVP_DigestUpdate(ctx, pad, HMAC_BLOCK) == 1 &&
           EVP_DigestUpdate(ctx, data, size) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

/* RFC 2104. libcrypto's own HMAC() looks for its implementation in each call. */
s3store_status s3s_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                               uint8_t out[S3S_SHA256_SIZE], s3store_error *err)
{
    uint8_t block[HMAC_BLOCK] = {0};
    uint8_t inner[S3S_SHA256_SIZE];
    if (key_size > INT_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "an HMAC key of %zu bytes is too long",
                        key_size);
    if (key_size > HMAC_BLOCK) {
        s3store_status status = s3s_sha256(key, key_size, block, err);
        if (status != S3STORE_OK)
            return status;
    } else if (key_size > 0) {
        memcpy(block, key, key_size);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        block[i] ^= 0x36;
    bool done = ctx != NULL && hash_padded(ctx, block, size == 0 ? "" : data, size, inner);
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        block[i] ^= 0x36 ^ 0x5c;
    done = done && hash_padded(ctx, block, inner, sizeof inner, out);
    EVP_MD_CTX_free(ctx);
    OPENSSL_cleanse(block, sizeof block);
    return done ? S3STORE_OK : refuse("HMAC-SHA-256", err);
}

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
