/* local/object_file.h: one object as one file (docs/FORMAT.md "Local directories").
 *
 * Without metadata a file holds the object's bytes and nothing else. With metadata a header comes
 * first, little-endian:
 *
 *    0  8 bytes  0x93 "S3SOBJ" 0x0A
 *    8  u16      version, 1
 *   10  u16      number of metadata entries
 *   12  u32      size of the header
 *   16  u64      size of the body
 *   24  u32      CRC-32 of the header with this field zero
 *   28  u32      zero
 *   32  entries: u16 size of the name, u16 size of the value, name, value; then zeros
 *
 * The zeros are as many as make the size of the file 61 modulo 64, so that a file of another size
 * is known to have no header without being opened. An object without metadata whose file would
 * have such a size and begin with the magic gets a header too: what a file means is never in
 * doubt.
 */
#ifndef S3S_LOCAL_OBJECT_FILE_H
#define S3S_LOCAL_OBJECT_FILE_H

#include <sys/stat.h>

#include "base/env.h"

#define S3S_OBJECT_HEADER_MAX 8192

/* The header that a request needs; *size is 0 when it needs none. The request is checked. */
void s3s_object_header_encode(const s3store_put_request *request,
                              uint8_t header[S3S_OBJECT_HEADER_MAX], size_t *size);

/* Whether a file of this size can have a header at all. */
bool s3s_object_header_possible(uint64_t file_size);

/* Reads the header of an open file: *header_size 0 = none. metadata may be NULL (only the sizes are
 * read and checked then). CORRUPT names what is wrong. */
s3store_status s3s_object_header_read(int fd, uint64_t file_size, const char *key,
                                      uint64_t *header_size, s3store_metadata *metadata,
                                      s3store_error *err);

/* Modification time, size and inode as an ETag: the same for as long as the file is. */
void s3s_object_etag(const struct stat *st, char etag[72]);
int64_t s3s_object_time_us(const struct stat *st);

#endif
