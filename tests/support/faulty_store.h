/* tests/support/faulty_store.h: an object store in front of another one that does to each request
 * what a function says: refuse it, do it and lose the answer, do it late, slowly, or not on the
 * terms that were asked for. More than the fault layer can: it lets a request arrive after its
 * client gave up, and it plays servers that do not honour conditions.
 */
#ifndef S3S_TESTS_SUPPORT_FAULTY_STORE_H
#define S3S_TESTS_SUPPORT_FAULTY_STORE_H

#include "base/sim.h"
#include "objstore/objstore.h"

typedef enum faulty_kind {
    FAULTY_DATA = 0,
    FAULTY_REF,
    FAULTY_COMMIT,
    FAULTY_OTHER, /* configuration, listings */
    FAULTY_KINDS,
} faulty_kind;

typedef struct faulty_request {
    s3s_fault_verb verb;
    faulty_kind kind;
    const char *key;
    unsigned number; /* from 1, of its verb and kind */
    const s3store_put_request *put; /* of a PUT */
} faulty_request;

/* What becomes of a request. All zero: it is done. */
typedef struct faulty_fate {
    int64_t before_us;     /* time passes before it is done */
    s3store_status refuse; /* not OK: it is not done, this is the answer */
    bool late;             /* the answer goes out first, it is done late_us later */
    int64_t late_us;
    int64_t apply_us;      /* the server accepts it when it comes, and applies it so much later */
    int64_t after_us;      /* time passes before the answer arrives */
    s3store_status answer; /* not OK: the answer, whatever happened */
    bool no_date;
    bool crash; /* the simulated process ends instead of getting the answer */
} faulty_fate;

typedef faulty_fate (*faulty_fn)(void *ctx, const faulty_request *request);

typedef struct faulty_store {
    s3store_object_store store; /* give this to targets */
    s3s_env *env;
    s3s_sim *sim; /* NULL = threads: no late requests, no counts, no trace */
    const s3store_object_store *inner;
    faulty_fn fn; /* NULL = no faults */
    void *ctx;
    bool ignores_conditions;
    bool ignores_fence;
    bool coarse;       /* expiry is compared in whole seconds, the last one included */
    uint32_t page_max; /* entries of a LIST page at most; 0 = as asked */
    int64_t date_offset_us; /* of the dates in answers */
    void (*stored)(void *ctx, const s3store_put_request *put); /* one has taken effect; NULL */
    void *stored_ctx;
    unsigned counts[5][FAULTY_KINDS];
    unsigned durable_heads; /* whose call asked for that */
    size_t trace_size;
    char trace[8192]; /* "put data, put ref, ..." */
    struct faulty_late *lates;
    unsigned late_count;
} faulty_store;

void faulty_init(faulty_store *f, s3s_env *env, s3s_sim *sim, const s3store_object_store *inner);
/* After the simulation has ended, or in it. */
void faulty_deinit(faulty_store *f);
/* Forgets counts and trace. */
void faulty_reset(faulty_store *f);
/* All requests so far. */
unsigned faulty_total(const faulty_store *f);

#endif
