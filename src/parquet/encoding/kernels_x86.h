/* parquet/encoding/kernels_x86.h: kernels for x86-64, between kernels.c and kernels_x86.c. */
#ifndef S3S_PARQUET_KERNELS_X86_H
#define S3S_PARQUET_KERNELS_X86_H

#include "base/cpu.h"
#include "parquet/encoding/kernels.h"

/* NULL where there are none. */
const s3s_kernels *s3s_kernels_x86(s3s_cpu level);

#endif
