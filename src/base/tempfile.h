/* base/tempfile.h: a file without a name. */
#ifndef S3S_BASE_TEMPFILE_H
#define S3S_BASE_TEMPFILE_H

/* In dir, for reading and writing; nothing is left behind, also after a crash. -1 and errno. */
int s3s_temp_file(const char *dir);

#endif
