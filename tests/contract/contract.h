/* tests/contract/contract.h: what every object store must do. One suite, run over each of them. */
#ifndef S3S_TESTS_CONTRACT_H
#define S3S_TESTS_CONTRACT_H

#include "base/env.h"
#include "objstore/objstore.h"

typedef struct s3s_contract {
    const char *name;
    s3s_env *env;
    const s3store_object_store *store;
    const char *prefix; /* everything happens below it; ends with '/' */
    bool remote;        /* another clock, whole seconds, fewer rounds */
} s3s_contract;

/* Runs all claims; the number of those that failed. */
int s3s_contract_run(const s3s_contract *contract);

#endif
