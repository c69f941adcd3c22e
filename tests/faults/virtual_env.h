/* tests/faults/virtual_env.h: an env whose sleeps take no time: its clocks jump ahead instead. For
 * layers that sleep and do not wait; conditions and pools are not there. */
#ifndef S3S_TESTS_FAULTS_VIRTUAL_ENV_H
#define S3S_TESTS_FAULTS_VIRTUAL_ENV_H

#include "base/env.h"

s3s_env *virtual_env_new(void);
void virtual_env_free(s3s_env *env);
int64_t virtual_env_slept_us(const s3s_env *env);

#endif
