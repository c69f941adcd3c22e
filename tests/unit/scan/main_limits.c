#include "unit/scan/kit.h"

int main(void)
{
    int failed = run_range_tests();
    failed += run_memory_tests();
    return failed != 0;
}
