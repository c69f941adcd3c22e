/* The groups of test_stream. */
#ifndef S3S_TESTS_STREAM_H
#define S3S_TESTS_STREAM_H

int run_poll_tests(void);
int run_range_tests(void);
int run_entries_tests(void);
int run_place_tests(void);
int run_handover_tests(void);
int run_memory_tests(void);

#endif
