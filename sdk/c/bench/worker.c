/* The worker of the benchmarks, one thread that blocks. The last part of the path selects
 * the response, as in bench/role/handler.go: /hello answers with a short text; /upload
 * reads a byte of every cache line of the upload and answers with its length and their
 * sum; /download?bytes=N sends N bytes; /echo sends the upload back; /first sends a
 * first part immediately, and continues when it has the upload. */
#include "../examples/common.h"

#define PAYLOAD_BYTES (1 << 20)
#define LINE_BYTES 64

static unsigned char payload[PAYLOAD_BYTES];

static void fill_payload(void) {
    for (uint32_t i = 0; i < PAYLOAD_BYTES; i++) {
        payload[i] = (unsigned char)(i * 2654435761U >> 13);
    }
}

struct checksum {
    uint64_t bytes, sum;
};

/* Adds the next bytes of a body, of which it reads bytes 0, 64, 128 and so on. */
static void add(struct checksum *c, const ur_slot *slot) {
    const unsigned char *data = (const unsigned char *)slot->data;
    uint64_t sum = c->sum;
    for (size_t i = (size_t)(-c->bytes & (LINE_BYTES - 1)); i < slot->length; i += LINE_BYTES) {
        sum += data[i];
    }
    c->sum = sum;
    c->bytes += slot->length;
}

static int read_body(ur_link *link, ur_request r, struct checksum *c) {
    ur_slot slot;
    int err;
    while ((err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind == UR_BODY) {
        add(c, &slot);
        (void)ur_release(link, r, slot.number);
    }
    return err;
}

static int upload(ur_link *link, ur_request r) {
    struct checksum c = {0, 0};
    char text[64];
    int err = read_body(link, r, &c);
    if (err == 0) {
        (void)snprintf(text, sizeof text, "%llu %llu\n", (unsigned long long)c.bytes, (unsigned long long)c.sum);
        answer(link, r, 200, "text/plain", text);
    }
    return err;
}

/* Starts a response of a length. */
static int respond(ur_link *link, ur_request r, ur_str length) {
    ur_header headers[2] = {{UR_LIT("content-type"), UR_LIT("application/octet-stream")},
                            {UR_LIT("content-length"), length}};
    return ur_respond(link, r, 200, headers, 2, UR_FOREVER);
}

static int download(ur_link *link, ur_request r, ur_str path) {
    const char *at = (const char *)memchr(path.data, '=', path.length);
    char length[24] = "0";
    if (at != NULL) {
        (void)snprintf(length, sizeof length, "%.*s", (int)(path.data + path.length - at - 1), at + 1);
    }
    ur_str text = {length, strlen(length)};
    uint64_t left = strtoull(length, NULL, 10);
    int err = respond(link, r, text);
    while (err == 0 && left > 0) {
        size_t n = left < PAYLOAD_BYTES ? (size_t)left : PAYLOAD_BYTES;
        err = ur_write(link, r, payload, n, UR_FOREVER, NULL);
        left -= n;
    }
    return err == 0 ? ur_end(link, r, UR_FOREVER) : err;
}

static int echo(ur_link *link, ur_request r) {
    ur_str length = UR_LIT("0");
    ur_slot slot;
    (void)ur_find_header(link, r, "content-length", &length);
    int err = respond(link, r, length);
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind == UR_BODY) {
        err = ur_write(link, r, slot.data, slot.length, UR_FOREVER, NULL);
        (void)ur_release(link, r, slot.number);
    }
    return err == 0 ? ur_end(link, r, UR_FOREVER) : err;
}

static int first(ur_link *link, ur_request r) {
    static const char piece[] = "hello, world\n";
    struct checksum c = {0, 0};
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    if (err == 0) {
        err = ur_write(link, r, piece, strlen(piece), UR_FOREVER, NULL);
    }
    if (err == 0) {
        err = ur_flush(link, r);
    }
    if (err == 0) {
        err = read_body(link, r, &c);
    }
    if (err == 0) {
        err = ur_write(link, r, piece, strlen(piece), UR_FOREVER, NULL);
    }
    return err == 0 ? ur_end(link, r, UR_FOREVER) : err;
}

/* Reports whether the last part of a path, without the query, is a name. */
static int last_is(ur_str path, const char *name) {
    const char *query = path.length == 0 ? NULL : (const char *)memchr(path.data, '?', path.length);
    size_t length = query == NULL ? path.length : (size_t)(query - path.data), n = strlen(name);
    return length >= n && memcmp(path.data + length - n, name, n) == 0;
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    ur_str path = ur_path(link, r);
    int err = 0;
    (void)s;
    if (last_is(path, "/hello")) {
        answer(link, r, 200, "text/plain", "hello, world\n");
    } else if (last_is(path, "/upload")) {
        err = upload(link, r);
    } else if (last_is(path, "/download")) {
        err = download(link, r, path);
    } else if (last_is(path, "/echo")) {
        err = echo(link, r);
    } else if (last_is(path, "/first")) {
        err = first(link, r);
    } else {
        answer(link, r, 404, "text/plain", "not found\n");
    }
    if (err != 0) {
        (void)ur_abort(link, r);
    }
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.serve = serve;
    fill_payload();
    return run_worker(&s) != 0;
}
