/* base/tempfile.h: opening files, also one without a name. */
#ifndef S3S_BASE_TEMPFILE_H
#define S3S_BASE_TEMPFILE_H

/* open(2) with O_CLOEXEC, begun again when a signal interrupts it; what O_CREAT makes is private. */
int s3s_open_file(const char *path, int flags);
/* In dir, for reading and writing; nothing is left behind, also after a crash. -1 and errno. */
int s3s_temp_file(const char *dir);

#endif
