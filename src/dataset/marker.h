/* dataset/marker.h: the commit marker's metadata. */
#ifndef S3S_DATASET_MARKER_H
#define S3S_DATASET_MARKER_H

#include "dataset/layout.h"

typedef struct s3s_marker {
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
    int64_t ref_micros;
    int64_t inserted_at_us;
    int64_t row_count;
    bool has_content_hash;
    uint64_t content_hash;
    /* Of a first chunk that others follow: where the input is cut. 0 = the marker does not say. */
    uint64_t chunk_rows, chunk_bytes;
} s3s_marker;

/* The entries to PUT: four, one more each with the content hash and with chunks. */
void s3s_marker_metadata(const s3s_marker *marker, s3store_metadata *out);
/* From a HEAD. DAMAGED_MARKER naming the entry and the key (key: for messages). An unreadable
 * content hash or chunk entry counts as absent: others may use those names. */
s3store_status s3s_marker_parse(const s3store_metadata *metadata, const char *key,
                                s3s_marker *out, s3store_error *err);

#endif
