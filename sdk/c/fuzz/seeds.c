/* Writes each line of its input, which is hexadecimal digits, to a file of the
 * folder that it is given: the golden vectors, as the first inputs of a fuzzer. */
#include <stdio.h>

static unsigned digit(char c) { return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10); }

static int write_seed(const char *folder, unsigned number, const char *hex) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/golden-%u", folder, number);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        (void)fputc((int)(digit(hex[0]) << 4 | digit(hex[1])), file);
    }
    return fclose(file) != 0;
}

int main(int argc, char **argv) {
    static char line[1 << 20];
    int failed = argc != 2;
    for (unsigned n = 1; !failed && fgets(line, sizeof line, stdin) != NULL; n++) {
        failed = write_seed(argv[1], n, line);
    }
    return failed;
}
