/* Helpers of test_read, and its groups. */
#ifndef S3S_TESTS_READ_KIT_H
#define S3S_TESTS_READ_KIT_H

#include "read/read.h"
#include "stream/stream.h"
#include "support/dataset_fixture.h"

#define KIT_TEXT 65536

/* The fixture with an open reader. */
typedef struct kit {
    fixture fx;
    s3store_reader *reader;
    char text[KIT_TEXT];
} kit;

void kit_open(kit *k, const fixture_options *options, const s3store_reader_options *reader);
void kit_close(kit *k);
fixture_written kit_write(kit *k, const char *partition, const fixture_row *rows, size_t count);

/* Options that read one pattern. */
s3store_read_options kit_pattern(const char *const *pattern);
extern const char *const kit_all[1]; /* "" */
s3store_read_options kit_range(int64_t since_us, int64_t until_us);
s3store_read_options kit_entries(const s3store_entries *entries);

/* The four forms, each drained into k->text: "a|1|10;b|2|-;", partitions as "{p=1}...". The
 * status of the end (OK for END). */
s3store_status kit_stream(kit *k, const s3store_read_options *o, s3store_error *err);
s3store_status kit_partitions(kit *k, const s3store_read_options *o, s3store_error *err);
s3store_status kit_iter(kit *k, const s3store_read_options *o, s3store_error *err);
s3store_status kit_records(kit *k, const s3store_read_options *o, s3store_error *err);

int run_source_tests(void);
int run_form_tests(void);
int run_poll_records_tests(void);

#endif
