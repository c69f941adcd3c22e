/* Figures of single encodings and codecs. */
#ifndef BENCH_PARQUET_FIGURES_H
#define BENCH_PARQUET_FIGURES_H

#include "base/env.h"

/* 1 when a figure misses its floor. */
int figures_run(s3s_env *env);

#endif
