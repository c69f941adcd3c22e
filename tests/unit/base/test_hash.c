/* Digests against published vectors. */
#include "support/test.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/hash.h"

static void check_hex(const uint8_t *digest, size_t size, const char *expected)
{
    char text[2 * S3S_SHA256_SIZE + 1];
    s3s_hex(digest, size, text);
    assert_string_equal(text, expected);
}

static void test_sha256__vectors(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t out[S3S_SHA256_SIZE];
    assert_ok(s3s_sha256(NULL, 0, out, &err));
    check_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(s3s_sha256("abc", 3, out, &err));
    check_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_md5__vectors(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t out[S3S_MD5_SIZE];
    assert_ok(s3s_md5(NULL, 0, out, &err));
    check_hex(out, sizeof out, "d41d8cd98f00b204e9800998ecf8427e");
    assert_ok(s3s_md5("message digest", 14, out, &err));
    check_hex(out, sizeof out, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void test_hmac__vectors_of_rfc_4231(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t key[131], out[S3S_SHA256_SIZE];
    memset(key, 0x0b, 20);
    assert_ok(s3s_hmac_sha256(key, 20, "Hi There", 8, out, &err));
    check_hex(out, sizeof out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    memset(key, 0xaa, sizeof key);
    const char *data = "Test Using Larger Than Block-Size Key - Hash Key First";
    assert_ok(s3s_hmac_sha256(key, sizeof key, data, strlen(data), out, &err));
    check_hex(out, sizeof out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_ok(s3s_hmac_sha256(NULL, 0, NULL, 0, out, &err));
    check_hex(out, sizeof out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_fails(s3s_hmac_sha256(key, SIZE_MAX, "", 0, out, &err), S3STORE_INVALID_ARGUMENT, "key");
}

static void test_hmac__a_kept_key_is_used_again_and_again(void **state)
{
    (void)state;
    s3store_error err;
    s3s_hmac_key key;
    uint8_t data[200], once[S3S_SHA256_SIZE], again[S3S_SHA256_SIZE];
    memset(data, 'd', sizeof data);
    for (size_t secret = 0; secret < 130; secret += 43) {
        assert_ok(s3s_hmac_key_init(&key, data, secret, &err));
        for (size_t size = 0; size < sizeof data; size++) {
            assert_ok(s3s_hmac_sha256(data, secret, data, size, once, &err));
            assert_ok(s3s_hmac_sha256_with(&key, data, size, again, &err));
            assert_memory_equal(once, again, sizeof once);
        }
    }
    /* The second vector of RFC 4231. */
    assert_ok(s3s_hmac_key_init(&key, "Jefe", 4, &err));
    assert_ok(s3s_hmac_sha256_with(&key, "what do ya want for nothing?", 28, once, &err));
    check_hex(once, sizeof once,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* Bit by bit, as the standard defines it. */
static uint32_t slow_crc32(uint32_t crc, const uint8_t *p, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void test_crc32__agrees_with_the_definition_at_every_length(void **state)
{
    (void)state;
    uint8_t data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + 13);
    assert_int_equal(s3s_crc32(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(s3s_crc32(0, NULL, 0), 0);
    for (size_t begin = 0; begin < 9; begin++) {
        for (size_t size = 0; size <= 280; size++)
            assert_int_equal(s3s_crc32(0, data + begin, size), slow_crc32(0, data + begin, size));
    }
    for (size_t cut = 0; cut <= 100; cut++)
        assert_int_equal(s3s_crc32(s3s_crc32(0, data, cut), data + cut, 100 - cut),
                         s3s_crc32(0, data, 100));
}

static void test_xxh64__vectors_and_streaming(void **state)
{
    (void)state;
    assert_true(s3s_xxh64(NULL, 0, 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(s3s_xxh64("abc", 3, 0) == UINT64_C(0x44BC2CF5AD770999));
    char data[1000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31);
    s3s_xxh64_state s;
    s3s_xxh64_begin(&s, 99);
    for (size_t i = 0; i < sizeof data; i += 37)
        s3s_xxh64_update(&s, data + i, sizeof data - i < 37 ? sizeof data - i : 37);
    s3s_xxh64_update(&s, NULL, 0);
    assert_true(s3s_xxh64_end(&s) == s3s_xxh64(data, sizeof data, 99));
}

/* ---- no memory for libcrypto ------------------------------------------------------------------ */

static int allocs_left;

static void *scarce_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return allocs_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return allocs_left-- > 0 ? realloc(p, size) : NULL;
}

static void plain_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* In a process that has not used libcrypto yet, after so many allocations of which there are no more:
 * 0 = it worked, 1 = it was refused, 2 = neither. */
static int hash_with_allocs(int count)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t out[S3S_SHA256_SIZE];
        s3store_error err = {0};
        s3s_hmac_key key;
        allocs_left = count;
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka's goes on with the next test */
        if (CRYPTO_set_mem_functions(scarce_malloc, scarce_realloc, plain_free) != 1)
            _exit(3);
        s3store_status status = s3s_sha256("abc", 3, out, &err);
        (void)s3s_md5("abc", 3, out, NULL);
        if (s3s_hmac_key_init(&key, "k", 1, NULL) == S3STORE_OK)
            (void)s3s_hmac_sha256_with(&key, "abc", 3, out, NULL);
        bool refused = (status == S3STORE_OUT_OF_MEMORY || status == S3STORE_UNSUPPORTED) &&
                       err.message[0] != '\0';
        _exit(status == S3STORE_OK ? 0 : refused ? 1 : 2);
    }
    int how = 0;
    assert_true(waitpid(child, &how, 0) == child);
    if (!WIFEXITED(how))
        fail_msg("with %d allocations: signal %d", count, WTERMSIG(how));
    return WEXITSTATUS(how);
}

/* The first test: this process has not used it either. */
static void test_hash__without_memory_for_libcrypto_is_an_error(void **state)
{
    int count = 0, code = 0;
    (void)state;
    do {
        code = hash_with_allocs(count);
        assert_in_range(code, 0, 1);
        count += count < 100 ? 1 : 50;
    } while (code == 1 && count < 20000);
    assert_int_equal(code, 0);
    assert_true(count > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__without_memory_for_libcrypto_is_an_error),
        cmocka_unit_test(test_sha256__vectors),
        cmocka_unit_test(test_md5__vectors),
        cmocka_unit_test(test_hmac__vectors_of_rfc_4231),
        cmocka_unit_test(test_hmac__a_kept_key_is_used_again_and_again),
        cmocka_unit_test(test_crc32__agrees_with_the_definition_at_every_length),
        cmocka_unit_test(test_xxh64__vectors_and_streaming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
