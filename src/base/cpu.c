/* cpu.c: what the processor can do, asked once. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

static s3s_cpu detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt") ||
        !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.2"))
        return S3S_CPU_PORTABLE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("vpclmulqdq"))
        return S3S_CPU_AVX512;
    return S3S_CPU_AVX2;
#else
    return S3S_CPU_PORTABLE;
#endif
}

static s3s_cpu lowered(s3s_cpu level)
{
    const char *text = getenv("S3STORE_CPU");
    if (text != NULL && strcmp(text, "portable") == 0)
        return S3S_CPU_PORTABLE;
    if (text != NULL && strcmp(text, "avx2") == 0 && level > S3S_CPU_AVX2)
        return S3S_CPU_AVX2;
    return level;
}

/* One-time initialisation: whoever comes first finds the same. -1 = nobody did yet. */
static int current = -1;

s3s_cpu s3s_cpu_level(void)
{
    int level = __atomic_load_n(&current, __ATOMIC_RELAXED);
    if (level < 0) {
        level = (int)lowered(detect());
        __atomic_store_n(&current, level, __ATOMIC_RELAXED);
    }
    return (s3s_cpu)level;
}

s3s_cpu s3s_cpu_limit(s3s_cpu most)
{
    s3s_cpu level = lowered(detect());
    level = level < most ? level : most;
    __atomic_store_n(&current, (int)level, __ATOMIC_RELAXED);
    return level;
}
