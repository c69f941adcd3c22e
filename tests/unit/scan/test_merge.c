/* Latest, history, rows: which rows remain, in which order. */
#include "unit/scan/kit.h"

#include <stdlib.h>

static void check(fixture *fx, s3s_scan_mode mode, const char *expected)
{
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    s3s_scan_options o = kit_options(mode);
    assert_non_null(text);
    assert_ok(kit_scan(fx, "", &o, text, &err));
    assert_string_equal(text, expected);
    free(text);
}

static void test_merge__latest_is_the_highest_version_in_entity_order(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 1, 10, false},
                              {"b", 5, 11, false},
                              {"a", 3, 12, false},
                              {"b", 2, 13, false},
                              {"c", 0, 14, false}},
              5);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|3|12;b|5|11;c|0|14;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|10;a|3|12;b|2|13;b|5|11;c|0|14;");
    check(&fx, S3S_SCAN_ROWS, "{p=1}a|1|10;b|5|11;a|3|12;b|2|13;c|0|14;");
    fixture_close_clean(&fx);
}

static void test_merge__ties_go_to_the_later_row_in_latest_and_the_first_in_history(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"a", 1, 2, false}}, 2);
    kit_write(&fx, "p=1", (fixture_row[]){{"b", 1, 4, false}, {"a", 1, 3, false}}, 2);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|1|3;b|1|4;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|1;b|1|4;");
    fixture_close_clean(&fx);
}

static void test_merge__equal_versions_of_two_files_are_decided_by_their_keys(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    fixture_write z = {.partition = "p=1", .token = "z"}, a = {.partition = "p=1", .token = "a"};
    fixture_write_rows(&fx, &z, (fixture_row[]){{"e", 1, 1, false}}, 1);
    fixture_write_rows(&fx, &a, (fixture_row[]){{"e", 1, 2, false}}, 1);
    check(&fx, S3S_SCAN_LATEST, "{p=1}e|1|1;"); /* z sorts last, though a was written later */
    check(&fx, S3S_SCAN_ROWS, "{p=1}e|1|2;e|1|1;");
    fixture_close_clean(&fx);
}

static void test_merge__negative_versions_order_numerically(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 5, 1, false},
                              {"a", -7, 2, false},
                              {"a", INT64_MIN, 3, false},
                              {"b", INT64_MIN, 4, false},
                              {"b", INT64_MAX, 5, true}},
              5);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|5|1;b|9223372036854775807|-;");
    check(&fx, S3S_SCAN_HISTORY,
          "{p=1}a|-9223372036854775808|3;a|-7|2;a|5|1;b|-9223372036854775808|4;"
          "b|9223372036854775807|-;");
    fixture_close_clean(&fx);
}

static void test_merge__entities_compare_by_bytes_also_beyond_their_beginning(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"entity-000000002", 1, 2, false},
                              {"entity-000000010", 1, 10, false},
                              {"entity-00000000", 1, 0, false},
                              {"entity-000000001", 1, 1, false},
                              {"\xc3\xa4", 1, 99, false},
                              {"", 1, -1, false}},
              6);
    check(&fx, S3S_SCAN_LATEST,
          "{p=1}|1|-1;entity-00000000|1|0;entity-000000001|1|1;entity-000000002|1|2;"
          "entity-000000010|1|10;\xc3\xa4|1|99;");
    fixture_close_clean(&fx);
}

static void test_merge__an_entity_in_two_partitions_appears_in_both(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=2", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 2, 2, false}}, 1);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|2|2;{p=2}a|1|1;");
    fixture_close_clean(&fx);
}

static void test_merge__a_batch_written_twice_is_collapsed(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 2, 2, false}}, 2);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 2, 2, false}}, 2);
    check(&fx, S3S_SCAN_LATEST, "{p=1}a|1|1;b|2|2;");
    check(&fx, S3S_SCAN_HISTORY, "{p=1}a|1|1;b|2|2;");
    check(&fx, S3S_SCAN_ROWS, "{p=1}a|1|1;b|2|2;a|1|1;b|2|2;");
    fixture_close_clean(&fx);
}

static void test_merge__no_files_and_empty_files_give_nothing(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    check(&fx, S3S_SCAN_LATEST, "");
    kit_write(&fx, "p=1", NULL, 0);
    kit_write(&fx, "p=2", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&fx, "p=3", NULL, 0);
    check(&fx, S3S_SCAN_LATEST, "{p=2}a|1|1;");
    check(&fx, S3S_SCAN_ROWS, "{p=2}a|1|1;");
    fixture_close_clean(&fx);
}

/* ---- against a model ------------------------------------------------------------------------- */

typedef struct model_row {
    char entity[48];
    int64_t version;
    int64_t value; /* in order of file and row */
} model_row;

static int compare_model(const void *a, const void *b)
{
    const model_row *x = a, *y = b;
    int order = strcmp(x->entity, y->entity);
    if (order == 0)
        order = x->version < y->version ? -1 : x->version > y->version;
    return order != 0 ? order : (x->value < y->value ? -1 : x->value > y->value);
}

static void model_text(const model_row *sorted, size_t count, s3s_scan_mode mode, char *text)
{
    strcpy(text, "{p=1}");
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || strcmp(sorted[i].entity, sorted[i + 1].entity) != 0;
        bool first = i == 0 || strcmp(sorted[i].entity, sorted[i - 1].entity) != 0 ||
                     sorted[i].version != sorted[i - 1].version;
        if (mode == S3S_SCAN_LATEST ? !last : !first)
            continue;
        size_t used = strlen(text);
        snprintf(text + used, KIT_TEXT - used, "%s|%d|%d;", sorted[i].entity,
                 (int)sorted[i].version, (int)sorted[i].value);
    }
}

static void test_merge__agrees_with_a_model_on_random_rows(void **state)
{
    (void)state;
    enum { FILES = 4, ROWS = 150 };
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    uint32_t seed = 12345;
    for (int round = 0; round < 30; round++) {
        fixture fx;
        static model_row model[FILES * ROWS];
        size_t count = 0;
        static const unsigned entity_counts[] = {1, 3, 20, 300, 2000};
        static const char *const names[] = {"", "e", "entity-with-a-long-common-prefix-"};
        unsigned entities = entity_counts[round % 5];
        fixture_open(&fx, NULL, NULL);
        for (int f = round % 4 == 1; f < FILES; f++) { /* the file 0 is never sorted */
            fixture_row rows[ROWS];
            for (int r = 0; r < ROWS; r++, count++) {
                seed = seed * 1664525u + 1013904223u;
                model_row *m = &model[count];
                char number[16];
                snprintf(number, sizeof number, "%u", (seed >> 8) % entities);
                snprintf(m->entity, sizeof m->entity, "%s%s", names[round % 3], number);
                m->version = (seed >> 20) % 7;
                m->value = (int64_t)count;
            }
            if (round % 2 == 1 && f > 0) /* sorted files are merged, not sorted */
                qsort(&model[count - ROWS], ROWS, sizeof model[0], compare_model);
            for (size_t r = 0; r < ROWS; r++) {
                model_row *m = &model[count - ROWS + r];
                m->value = (int64_t)(count - ROWS + r);
                rows[r] = (fixture_row){m->entity, m->version, m->value, false};
            }
            kit_write(&fx, "p=1", rows, ROWS);
        }
        qsort(model, count, sizeof model[0], compare_model);
        for (int mode = S3S_SCAN_LATEST; mode <= S3S_SCAN_HISTORY; mode++) {
            model_text(model, count, (s3s_scan_mode)mode, text);
            check(&fx, (s3s_scan_mode)mode, text);
        }
        fixture_close_clean(&fx);
    }
    free(text);
}

int run_merge_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge__latest_is_the_highest_version_in_entity_order),
        cmocka_unit_test(test_merge__ties_go_to_the_later_row_in_latest_and_the_first_in_history),
        cmocka_unit_test(test_merge__equal_versions_of_two_files_are_decided_by_their_keys),
        cmocka_unit_test(test_merge__negative_versions_order_numerically),
        cmocka_unit_test(test_merge__entities_compare_by_bytes_also_beyond_their_beginning),
        cmocka_unit_test(test_merge__an_entity_in_two_partitions_appears_in_both),
        cmocka_unit_test(test_merge__a_batch_written_twice_is_collapsed),
        cmocka_unit_test(test_merge__no_files_and_empty_files_give_nothing),
        cmocka_unit_test(test_merge__agrees_with_a_model_on_random_rows),
    };
    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
