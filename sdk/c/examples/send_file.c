/* Sends the file that --file names: read(2) stores the bytes directly in the slots from
 * which the server sends them, without a buffer in between. */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Streams size bytes of an open file. */
static int stream(ur_link *link, ur_request r, int fd, uint64_t size) {
    int err = 0;
    while (size > 0 && err == 0) {
        void *room;
        size_t bytes;
        err = ur_reserve(link, r, UR_FOREVER, &room, &bytes);
        if (err != 0) {
            break;
        }
        ssize_t n = read(fd, room, bytes < size ? bytes : (size_t)size);
        if (n <= 0) {
            return -EIO; /* the file has become shorter: the client must not accept it as complete */
        }
        size -= (uint64_t)n;
        err = ur_commit(link, r, (size_t)n);
    }
    return err;
}

static int send_open(ur_link *link, ur_request r, int fd, int head) {
    struct stat info;
    char length[24];
    ur_header headers[2] = {{UR_LIT("content-type"), UR_LIT("application/octet-stream")},
                            {UR_LIT("content-length"), {length, 0}}};
    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    headers[1].value.length = (size_t)snprintf(length, sizeof length, "%lld", (long long)info.st_size);
    int err = ur_respond(link, r, 200, headers, 2, UR_FOREVER);
    if (err == 0 && !head) {
        err = stream(link, r, fd, (uint64_t)info.st_size);
    }
    return err == 0 ? ur_end(link, r, UR_FOREVER) : err;
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    ur_str method = ur_method(link, r);
    int head = method.length == 4 && memcmp(method.data, "HEAD", 4) == 0;
    if (!head && (method.length != 3 || memcmp(method.data, "GET", 3) != 0)) {
        answer(link, r, 405, "text/plain", "only GET and HEAD\n");
        return;
    }
    int fd = open(s->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        answer(link, r, 404, "text/plain", "no such file\n");
        return;
    }
    if (send_open(link, r, fd, head) != 0) {
        (void)ur_abort(link, r);
    }
    (void)close(fd);
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    if (s.file == NULL) {
        fprintf(stderr, "%s: --file PATH is needed\n", argv[0]);
        return 2;
    }
    s.serve = serve;
    return run_worker(&s) != 0;
}
