/* base/cpu.h: which instructions may be used beyond those that every machine of the kind has.
 *
 * Code with a faster form has a portable one of identical results; it asks here which to take.
 */
#ifndef S3S_BASE_CPU_H
#define S3S_BASE_CPU_H

typedef enum s3s_cpu {
    S3S_CPU_PORTABLE = 0,
    S3S_CPU_AVX2,   /* with BMI1, BMI2, POPCNT and PCLMUL */
    S3S_CPU_AVX512, /* F, BW, DQ and VL besides, and VPCLMULQDQ */
} s3s_cpu;

/* Found out once. The environment variable S3STORE_CPU (portable, avx2) lowers it. */
s3s_cpu s3s_cpu_level(void);
/* Lowers the level for the whole process, for tests and figures; S3S_CPU_AVX512 undoes that.
 * Returns the level that holds from now on. */
s3s_cpu s3s_cpu_limit(s3s_cpu most);

#endif
