/* maintain/maintain.h: the operator's tools: what a server does, whether a dataset is whole, what
 * no commit names. The public functions without their checks of arguments; options are in our
 * size.
 */
#ifndef S3S_MAINTAIN_H
#define S3S_MAINTAIN_H

#include "dataset/target.h"

/* env NULL = a new real one. */
s3store_status s3s_doctor(s3s_env *env, const s3store_target_config *config,
                          const s3store_doctor_options *options, s3store_doctor_report *report,
                          s3store_error *err);
s3store_status s3s_verify_dataset(s3store_target *target, const s3store_verify_options *options,
                                  s3store_verify_report *report, s3store_error *err);
s3store_status s3s_orphans(s3store_target *target, const s3store_orphans_options *options,
                           s3store_orphans_report *report, s3store_error *err);

/* What an object must be older than, by the server's clock, so that its attempt is surely dead.
 * Where commits expire (fenced): the time that a write can take from sending its data to its
 * commit, and an hour at least; else 7 days at least (docs/FORMAT.md "Fenced commit"). */
int64_t s3s_orphan_bound_us(const s3store_target *target, bool fenced);

#endif
