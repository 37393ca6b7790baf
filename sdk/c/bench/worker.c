/* The worker of the benchmarks, one thread that blocks: a path that ends with
 * /hello is answered with a short text; /touch reads a byte of every cache line of
 * the upload and answers with its length; /echo sends the upload back. */
#include "../examples/common.h"

static void hello(ur_link *link, ur_request r) { answer(link, r, 200, "text/plain", "hello, world\n"); }

static unsigned char touch(const ur_slot *slot) {
    const unsigned char *data = (const unsigned char *)slot->data;
    unsigned char sum = 0;
    for (size_t i = 0; i < slot->length; i += 64) {
        sum ^= data[i];
    }
    return sum;
}

static int touch_all(ur_link *link, ur_request r) {
    static volatile unsigned char sum; /* what is read is used */
    unsigned long long bytes = 0;
    char text[32];
    ur_slot slot;
    int err;
    while ((err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind == UR_BODY) {
        sum = (unsigned char)(sum ^ touch(&slot));
        bytes += slot.length;
        (void)ur_release(link, r, slot.number);
    }
    if (err == 0) {
        (void)snprintf(text, sizeof text, "%llu\n", bytes);
        answer(link, r, 200, "text/plain", text);
    }
    return err;
}

static int echo(ur_link *link, ur_request r) {
    ur_slot slot;
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind == UR_BODY) {
        err = ur_write(link, r, slot.data, slot.length, UR_FOREVER, NULL);
        (void)ur_release(link, r, slot.number);
    }
    return err == 0 ? ur_end(link, r, UR_FOREVER) : err;
}

static int ends_with(ur_str path, const char *end) {
    size_t n = strlen(end);
    return path.length >= n && memcmp(path.data + path.length - n, end, n) == 0;
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    ur_str path = ur_path(link, r);
    int err = 0;
    (void)s;
    if (ends_with(path, "/hello")) {
        hello(link, r);
    } else if (ends_with(path, "/echo")) {
        err = echo(link, r);
    } else {
        err = touch_all(link, r);
    }
    if (err != 0) {
        (void)ur_abort(link, r);
    }
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.serve = serve;
    return run_worker(&s) != 0;
}
