/* replay FILE-OR-FOLDER...: runs a fuzz target over files, without a fuzzer: regression tests of what
 * fuzzing found, and of its seeds. Of each input also every length up to a few hundred bytes is
 * tried. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX (4u << 20)
#define PREFIXES_MAX 256

static unsigned inputs;

static void run(const uint8_t *data, size_t size)
{
    /* An exact copy, so that ASan sees a read past the end. */
    uint8_t *exact = malloc(size + (size == 0));
    if (exact == NULL)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs++;
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    if (file == NULL || data == NULL) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, INPUT_MAX, file);
    fclose(file);
    for (size_t prefix = 0; prefix < size && prefix < PREFIXES_MAX; prefix++)
        run(data, prefix);
    run(data, size);
    free(data);
}

static void run_path(const char *path)
{
    struct stat info;
    DIR *dir = stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? opendir(path) : NULL;
    if (dir == NULL) {
        run_file(path);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && stat(name, &info) == 0 && S_ISREG(info.st_mode))
            run_file(name);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%u inputs\n", inputs);
    return inputs == 0;
}
