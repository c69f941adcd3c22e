#include "unit/scan/kit.h"

int main(void)
{
    int failed = run_merge_tests();
    failed += run_merge_narrow_tests();
    failed += run_order_tests();
    failed += run_schema_tests();
    failed += run_fault_tests();
    failed += run_budget_tests();
    failed += run_where_tests();
    failed += run_spill_tests();
    failed += run_pushdown_tests();
    return failed != 0;
}
