/* maintain/doctor_private.h: what the checks of the doctor share. */
#ifndef S3S_MAINTAIN_DOCTOR_PRIVATE_H
#define S3S_MAINTAIN_DOCTOR_PRIVATE_H

#include "base/buffer.h"
#include "maintain/maintain.h"

/* What a check needs from the ones before it, and gives to those behind it when OK or WARN. */
enum {
    S3S_DOCTOR_ANSWER = 1, /* the server answers */
    S3S_DOCTOR_LIST = 2,
    S3S_DOCTOR_PUT = 4,
    S3S_DOCTOR_GET = 8,
    S3S_DOCTOR_S3 = 16, /* the store is S3 */
};

typedef struct s3s_outcome {
    s3store_check_state state;
    char detail[1200];
    char remedy[700];
} s3s_outcome;

typedef struct s3s_doctor_run {
    s3s_env *env;
    const s3store_target_config *config;
    const s3store_doctor_options *options;
    s3store_doctor_report *report;
    s3store_call call;
    s3store_target *target; /* without a request at first; the open one once it opens */
    bool is_s3;
    bool opened;
    bool is_signed; /* requests are; known after "credentials" */
    int64_t commit_timeout_us, max_clock_skew_us; /* the dataset's, else the defaults */
    unsigned have;                                /* S3S_DOCTOR_... */
    s3store_status first_status;                  /* of the first request, a LIST */
    s3store_error first_error;
    int64_t clock_offset_us; /* of the server's clock, from below; 0 until it is known */
    char dir[S3S_KEY_SIZE];  /* "<P>/_doctor/<id>/" */
    s3store_status stopped;  /* not OK: cancelled, out of time or memory; no more checks */
    s3store_error stop_error;
} s3s_doctor_run;

/* ---- doctor.c ------------------------------------------------------------------------------- */

void s3s_check_outcome_set(s3s_outcome *o, s3store_check_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void s3s_outcome_remedy(s3s_outcome *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* FAIL with the error's message; remembers when the whole run must stop. */
void s3s_outcome_error(s3s_doctor_run *d, s3s_outcome *o, s3store_status status,
                       const s3store_error *error, const char *what);

/* A key of the probe's directory; name is short. */
void s3s_doctor_key(const s3s_doctor_run *d, const char *name, char out[S3S_KEY_SIZE]);
s3store_status s3s_doctor_put(s3s_doctor_run *d, const char *name, const char *body,
                              bool if_none_match, s3store_error *err);
/* The object's bytes as text, cut to size. */
s3store_status s3s_doctor_get(s3s_doctor_run *d, const char *name, char *out, size_t size,
                              s3store_error *err);
s3store_status s3s_doctor_head(s3s_doctor_run *d, const char *name, s3store_object_info *info,
                               s3store_error *err);

/* ---- doctor_rights.c: who answers, and what one may do -------------------------------------- */

void s3s_check_endpoint(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_credentials(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_list(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_dataset(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_put(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_get(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_cleanup(s3s_doctor_run *d, s3s_outcome *o);

/* ---- doctor_truth.c: whether the store does what the format relies on ----------------------- */

void s3s_check_clock(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_list_after_put(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_metadata(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_if_none_match(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_race(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_fence(s3s_doctor_run *d, s3s_outcome *o);

/* ---- doctor_wire.c: checksums and speed ----------------------------------------------------- */

void s3s_check_checksum(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_latency(s3s_doctor_run *d, s3s_outcome *o);
void s3s_check_throughput(s3s_doctor_run *d, s3s_outcome *o);

#endif
