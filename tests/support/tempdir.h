/* tests/support/tempdir.h: a private directory for a test, and its removal. */
#ifndef S3S_TESTS_SUPPORT_TEMPDIR_H
#define S3S_TESTS_SUPPORT_TEMPDIR_H

#include <stddef.h>

#define TEMPDIR_SIZE 256

/* Makes a new directory below TMPDIR (else /tmp); fails the test when it cannot. */
void tempdir_new(char path[TEMPDIR_SIZE]);
/* Removes a tree; links are removed, not followed. */
void tempdir_remove(const char *path);

/* The text "<dir>/<name>" in a static ring of buffers: good for the arguments of one call. */
const char *tempdir_path(const char *dir, const char *name);
/* Makes a file with these bytes. */
void tempdir_write(const char *path, const void *data, size_t size);
/* The bytes of a file; returns how many. Fails the test when it is missing or larger. */
size_t tempdir_read(const char *path, void *data, size_t capacity);

#endif
