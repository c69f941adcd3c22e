#include <stdlib.h>

#include "unit/maintain/kit.h"

int main(void)
{
    const struct {
        const struct CMUnitTest *tests;
        size_t count;
    } groups[] = {
        {attempt_set_tests, attempt_set_test_count}, {inventory_tests, inventory_test_count},
        {refs_tests, refs_test_count},               {verify_tests, verify_test_count},
        {verify_contents_tests, verify_contents_test_count},
        {verify_schema_tests, verify_schema_test_count},
        {orphans_tests, orphans_test_count},         {doctor_tests, doctor_test_count},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        failed += _cmocka_run_group_tests("maintain", groups[i].tests, groups[i].count, NULL, NULL);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
