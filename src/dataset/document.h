/* dataset/document.h: what the configuration objects in JSON have in common (docs/FORMAT.md
 * "Self-description"). */
#ifndef S3S_DATASET_DOCUMENT_H
#define S3S_DATASET_DOCUMENT_H

#include "base/json.h"
#include "s3store.h"

/* An object with a "format" up to known. BAD_CONFIG names the key; UNSUPPORTED: a newer format. Free it. */
s3store_status s3s_document_open(const char *text, size_t size, const char *key, int known,
                                 s3s_json **root, s3store_error *err);

#endif
