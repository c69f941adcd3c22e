/* What the tests of maintain/ share: a dataset whose commits are not late, and what was told, as
 * text. */
#ifndef S3S_TESTS_MAINTAIN_KIT_H
#define S3S_TESTS_MAINTAIN_KIT_H

#include "maintain/maintain.h"
#include "support/dataset_fixture.h"

extern const struct CMUnitTest attempt_set_tests[], inventory_tests[], refs_tests[], verify_tests[],
    verify_contents_tests[], verify_schema_tests[], orphans_tests[], doctor_tests[];
extern const size_t attempt_set_test_count, inventory_test_count, refs_test_count,
    verify_test_count, verify_contents_test_count, verify_schema_test_count, orphans_test_count,
    doctor_test_count;

/* Partition column p, entity and version; commit timeout 2h: its stamps are an hour old. */
void kit_open(fixture *fx);
/* One row under a token (NULL = none) with some of the steps. */
fixture_written kit_write(fixture *fx, const char *partition, const char *token, unsigned steps);
fixture_written kit_write_at(fixture *fx, const char *partition, const char *token, unsigned steps,
                             int64_t stamp_us);

/* Everything that was told, one line each. */
typedef struct kit_told {
    char text[32768];
    size_t size;
    size_t count;
} kit_told;
void kit_tell(kit_told *told, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "data_missing ds/data/...;" and the report. */
s3store_status kit_verify(fixture *fx, s3store_verify_options *options, kit_told *told,
                          s3store_verify_report *report, s3store_error *err);

/* A fixture's hook: refuses one verb on keys with a text; ctx is a kit_refusal. */
typedef struct kit_refusal {
    s3s_fault_verb verb;
    const char *part; /* of the key */
} kit_refusal;
s3s_fault_decision kit_refuse(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence);

#endif
