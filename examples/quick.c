/* The strong earthquakes of one day, as C structs.   quick file:///tmp/quakes 2018-02-06 */
#include <stddef.h>
#include <stdio.h>

#include "s3store.h"

typedef struct quake {
    const char *id, *place;
    double mag;
} quake;

static const s3store_field fields[] = {
    {.name = "id", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(quake, id)},
    {.name = "place", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(quake, place),
     .null = S3STORE_NULL_ZERO},
    {.name = "mag", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(quake, mag),
     .null = S3STORE_NULL_ZERO},
};
static const s3store_record_type quake_type = S3STORE_RECORD_TYPE(quake, fields);

int main(int argc, char **argv)
{
    char pattern[64];
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_reader *reader = NULL;
    s3store_records *records = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    if (argc != 3)
        return 2;
    snprintf(pattern, sizeof pattern, "day=%s", argv[2]);
    config.url = argv[1];
    options.patterns = (const char *const[]){pattern};
    options.pattern_count = 1;

    s3store_status status = s3store_target_open(&config, &target, &err);
    if (status == S3STORE_OK)
        status = s3store_reader_open(target, NULL, &reader, &err);
    if (status == S3STORE_OK)
        status = s3store_read_records(reader, &quake_type, &options, &records, &err);
    if (status == S3STORE_OK) {
        const quake *q = s3store_records_data(records);
        for (size_t i = 0; i < s3store_records_count(records); i++)
            if (q[i].mag >= 5)
                printf("%.1f  %s  (%s)\n", q[i].mag, q[i].place, q[i].id);
    } else {
        fprintf(stderr, "quick: %s\n", err.message);
    }
    s3store_records_free(records);
    s3store_reader_free(reader);
    s3store_target_free(target);
    return status == S3STORE_OK ? 0 : 1;
}
