/* Counts the bytes of every body: {"bytes":N}. */
#include "common.h"

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    unsigned long long bytes = 0;
    ur_slot slot;
    char text[64];
    int err;
    (void)s;
    while ((err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        bytes += slot.kind == UR_BODY ? slot.length : 0;
        (void)ur_release(link, r, slot.number);
    }
    if (err != 0) {
        (void)ur_abort(link, r);
        return;
    }
    (void)snprintf(text, sizeof text, "{\"bytes\":%llu}\n", bytes);
    answer(link, r, 200, "application/json", text);
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.serve = serve;
    return run_worker(&s) != 0;
}
