#include "unit/read/kit.h"

int main(void)
{
    int failed = run_source_tests();
    failed += run_form_tests();
    failed += run_poll_records_tests();
    return failed != 0;
}
