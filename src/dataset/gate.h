/* dataset/gate.h: from listed objects to committed files (docs/FORMAT.md "Commit gate"). Private to
 * the module.
 */
#ifndef S3S_DATASET_GATE_H
#define S3S_DATASET_GATE_H

#include "dataset/fileset.h"

/* One object of a LIST, compactly: everything else about its name is a slice of the key. */
typedef struct s3s_listed {
    const char *key;
    uint16_t partition; /* where the partition begins, and its size */
    uint16_t partition_size;
    uint16_t token;
    uint16_t token_size;
    bool is_commit;
    bool settled; /* a marker that is older than the LIST that showed it */
    uint64_t size;
    int64_t last_modified_us;
} s3s_listed;

/* Sorts the items of all LISTs together and adds the committed files to the builder. Items may
 * repeat and come in any order. Markers and files are matched over all LISTs: a partition that
 * several patterns match was listed by each of them wholly. */
s3store_status s3s_gate(s3store_target *target, const s3store_call *call, s3s_listed *items,
                        size_t count, s3s_file_set_builder *out, s3store_error *err);

#endif
