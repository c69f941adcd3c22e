#include "unit/stream/tests.h"

int main(void)
{
    int failed = run_poll_tests();
    failed += run_range_tests();
    failed += run_entries_tests();
    failed += run_place_tests();
    failed += run_handover_tests();
    failed += run_memory_tests();
    return failed != 0;
}
