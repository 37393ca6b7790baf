/* Sends every request body back, slot by slot, while it comes in. */
#include "common.h"

/* Starts a response with the type and the length that the request has. */
static int begin(ur_link *link, ur_request r) {
    ur_header headers[2] = {{UR_LIT("content-type"), UR_LIT("application/octet-stream")},
                            {UR_LIT("content-length"), UR_LIT("")}};
    (void)ur_find_header(link, r, "content-type", &headers[0].value);
    size_t count = ur_find_header(link, r, "content-length", &headers[1].value) == 0 ? 2 : 1;
    return ur_respond(link, r, 200, headers, count, UR_FOREVER);
}

static int echo(ur_link *link, ur_request r) {
    ur_slot slot;
    int err = begin(link, r);
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0) {
        if (slot.kind == UR_END) {
            return ur_end(link, r, UR_FOREVER);
        }
        if (slot.kind == UR_BODY) {
            err = ur_write(link, r, slot.data, slot.length, UR_FOREVER, NULL);
        }
        if (err == 0) {
            err = ur_flush(link, r);
        }
        if (err == 0) {
            err = ur_release(link, r, slot.number);
        }
    }
    return err;
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    (void)s;
    if (echo(link, r) != 0) {
        (void)ur_abort(link, r); /* the client is gone, or its upload broke off */
    }
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.serve = serve;
    return run_worker(&s) != 0;
}
