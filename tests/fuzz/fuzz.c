#include "fuzz/fuzz.h"

static s3s_env *env;

s3s_env *fuzz_env(void)
{
    if (env == NULL && s3s_env_new_real(&env, NULL) != S3STORE_OK)
        abort();
    return env;
}

s3s_pool *fuzz_pool(void)
{
    static s3s_env *own;
    static s3s_pool *pool;
    if (pool == NULL && (s3s_env_new_real(&own, NULL) != S3STORE_OK ||
                         s3s_pool_new(own, 2, &pool, NULL) != S3STORE_OK))
        abort();
    return pool;
}

_Noreturn void fuzz_abort(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void fuzz_check_leaks(void)
{
    FUZZ_CHECK(s3s_env_live_allocs(fuzz_env()) == 0);
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

char *fuzz_line(char **rest)
{
    char *line = *rest;
    if (line == NULL || *line == '\0')
        return NULL;
    char *end = strchr(line, '\n');
    if (end != NULL)
        *end++ = '\0';
    *rest = end;
    return line;
}
