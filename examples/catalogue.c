/* A catalogue of what a dataset holds, answered from keys alone: no data object is opened.
 *
 *   catalogue URL VIEW                    every tuple of the view, by the first of its columns
 *   catalogue URL VIEW 'net=us/day=2018*'   those that a pattern matches
 *
 * The view is recorded with the dataset: s3store init ... --view 'catalogue=net,day=time:day', or
 * s3store view-add.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "s3store.h"

typedef struct tuple {
    const char *net;
    int32_t day; /* since 1970-01-01 */
} tuple;

static const s3store_field fields[] = {
    {.name = "net", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(tuple, net)},
    {.name = "day", .kind = S3STORE_KIND_DATE, .offset = offsetof(tuple, day)},
};
static const s3store_record_type tuple_type = S3STORE_RECORD_TYPE(tuple, fields);

/* Tuples come in the order of their keys: those of one network are neighbours. */
static void print_networks(const tuple *tuples, size_t count)
{
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && strcmp(tuples[next].net, tuples[i].net) == 0;)
            next++;
        char first[S3STORE_TIME_TEXT_SIZE], last[S3STORE_TIME_TEXT_SIZE];
        s3store_time_format(tuples[i].day * INT64_C(86400000000), first, sizeof first);
        s3store_time_format(tuples[next - 1].day * INT64_C(86400000000), last, sizeof last);
        printf("%-4s %3zu days, %.10s to %.10s\n", tuples[i].net, next - i, first, last);
    }
}

int main(int argc, char **argv)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_view *view = NULL;
    s3store_records *found = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    s3store_lookup_options options = S3STORE_LOOKUP_OPTIONS_INIT;
    s3store_lookup_stats stats = {.size = sizeof stats};
    const char *pattern = argc == 4 ? argv[3] : "*";
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: catalogue URL VIEW [PATTERN]\n");
        return 2;
    }
    config.url = argv[1];
    def.name = argv[2]; /* a name alone: the recorded view */
    options.patterns = &pattern;
    options.pattern_count = 1;

    s3store_status status = s3store_target_open(&config, &target, &err);
    if (status == S3STORE_OK)
        status = s3store_view_open(target, &def, NULL, &view, &err);
    if (status == S3STORE_OK)
        status = s3store_view_lookup_records(view, &tuple_type, &options, &found, &stats, &err);
    if (status == S3STORE_OK) {
        print_networks(s3store_records_data(found), s3store_records_count(found));
        printf("%" PRIu64 " tuples by %" PRIu64 " LISTs\n", stats.markers, stats.lists);
    } else {
        fprintf(stderr, "catalogue: %s\n", err.message);
    }
    s3store_records_free(found);
    s3store_view_free(view);
    s3store_target_free(target);
    return status == S3STORE_OK ? 0 : 1;
}
