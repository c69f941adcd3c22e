/* Helpers of test_scan, and its groups. */
#ifndef S3S_TESTS_SCAN_KIT_H
#define S3S_TESTS_SCAN_KIT_H

#include "scan/scan.h"
#include "support/dataset_fixture.h"

#define KIT_TEXT 65536

/* Options with the fixture's entity and version columns. */
s3s_scan_options kit_options(s3s_scan_mode mode);
/* The files that a pattern matches ("" = all). */
void kit_files(fixture *fx, const char *pattern, s3s_file_set *out);
/* Scans everything into text: "{p=1}a|1|10;b|2|20;{p=2}..."; the status that ended it (OK for
 * END). */
s3store_status kit_scan(fixture *fx, const char *pattern, const s3s_scan_options *options,
                        char *text, s3store_error *err);
void kit_write(fixture *fx, const char *partition, const fixture_row *rows, size_t count);
/* A file of several row groups, in which nothing is compressed (20 bytes a row at least): entities
 * "a0000000" and so on, by the group's letter and the row's number, and values rise, from 0; versions
 * are anything. */
fixture_written kit_write_groups(fixture *fx, const char *partition, int groups, int group_rows);

int run_merge_tests(void);
int run_merge_narrow_tests(void);
int run_order_tests(void);
int run_schema_tests(void);
int run_fault_tests(void);
int run_budget_tests(void);
int run_where_tests(void);
int run_spill_tests(void);
int run_pushdown_tests(void);
int run_range_tests(void);
int run_memory_tests(void);

#endif
