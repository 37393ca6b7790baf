/* The scripts of the conformance suite, and their steps. A step returns 0 when it is
 * done, -EAGAIN to be tried again when its request is ready, or an error. */
#include "conformance_task.h"

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* Makes bytes of text with %xx in it; the result is on the heap. */
static ur_str unescape(const char *text) {
    char *out = (char *)malloc(strlen(text) + 1);
    ur_str s = {out, 0};
    for (; *text != '\0'; text++) {
        if (*text == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
            out[s.length++] = (char)(hex_digit(text[1]) << 4 | hex_digit(text[2]));
            text += 2;
        } else {
            out[s.length++] = *text;
        }
    }
    return s;
}

static unsigned long long number(const char *text, unsigned long long otherwise) {
    return *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

/* Takes the next step off the script. Returns 0 if there is none. */
static int next_step(struct task *t) {
    char *end = strchr(t->rest, ';');
    if (*t->rest == '\0') {
        return 0;
    }
    if (end != NULL) {
        *end = '\0';
    }
    memset(t->verb, 0, sizeof t->verb);
    memset(t->argument, 0, sizeof t->argument);
    (void)sscanf(t->rest, " %127s %127s %127s %127s", t->verb, t->argument[0], t->argument[1], t->argument[2]);
    t->rest = end != NULL ? end + 1 : t->rest + strlen(t->rest);
    t->done = 0;
    return 1;
}

static int add_field(struct task *t, ur_str name, ur_str value) {
    if (t->count == MOST_FIELDS) {
        return -ENOBUFS;
    }
    t->fields[t->count].name = name;
    t->fields[t->count++].value = value;
    return 0;
}

/* fields COUNT NAME VALUE: COUNT fields, with names and values of those lengths. */
static int add_fields(struct task *t) {
    size_t name = number(t->argument[1], 1), value = number(t->argument[2], 0);
    for (unsigned long long i = number(t->argument[0], 1); i > 0; i--) {
        ur_str n = {(char *)memset(malloc(name + 1), 'n', name), name},
               v = {(char *)memset(malloc(value + 1), 'v', value), value};
        if (add_field(t, n, v) != 0) {
            return -ENOBUFS;
        }
    }
    return 0;
}

static void drop_fields(struct task *t) {
    while (t->count > 0) {
        ur_header *h = &t->fields[--t->count];
        free((void *)(uintptr_t)h->name.data);
        free((void *)(uintptr_t)h->value.data);
    }
}

/* read, keep: a number of slots, or all. */
static int read_slots(ur_link *link, struct task *t, int release) {
    unsigned long long most = number(t->argument[0], UINT64_MAX);
    for (; t->done < most; t->done++) {
        ur_slot s;
        int err = ur_next_slot(link, t->r, t->wait_ms, &s);
        if (err != 0) {
            return err;
        }
        say_slot(t, &s);
        if (release && (err = ur_release(link, t->r, s.number)) != 0) {
            return err;
        }
        if (s.kind == UR_END) {
            break;
        }
    }
    return 0;
}

static int tail_slot(ur_link *link, struct task *t, int timeout_ms) {
    ur_slot s;
    int err = ur_tail(link, t->r, number(t->argument[0], 0), timeout_ms, &s);
    if (err == 0) {
        say_slot(t, &s);
    }
    return err;
}

static int look_at_slot(ur_link *link, struct task *t) {
    int err = tail_slot(link, t, UR_NOW);
    return err == -EAGAIN ? NOTHING : err;
}

/* Says the whole head, from a copy of it that has outlived its slot. */
static int say_head(ur_link *link, struct task *t) {
    static const ur_str names[] = {UR_LIT("method"), UR_LIT("scheme"), UR_LIT("authority"), UR_LIT("path")};
    static const ur_str client_name = UR_LIT("client");
    size_t size = ur_slot_size(link);
    void *memory = malloc(size);
    int err = ur_keep_headers(link, t->r, memory, size);
    err = err != 0 ? err : ur_release(link, t->r, 1);
    ur_str values[] = {ur_method(link, t->r), ur_scheme(link, t->r), ur_authority(link, t->r), ur_path(link, t->r)};
    for (size_t i = 0; i < 4 && err == 0; i++) {
        say_bytes(t, "head", names[i], values[i]);
    }
    ur_str client = ur_client_address(link, t->r);
    if (client.data != NULL) {
        say_bytes(t, "head", client_name, client);
    }
    for (size_t i = client.data != NULL; i < ur_header_count(link, t->r) && err == 0; i++) {
        ur_header h;
        if ((err = ur_header_at(link, t->r, i, &h)) == 0) {
            say_bytes(t, "header", h.name, h.value);
        }
    }
    free(memory); /* "head" is done once, and nothing asks for headers after it */
    return err;
}

/* write SIZE [PIECE]: the pattern, with at most PIECE bytes in a call. */
static int write_pattern(ur_link *link, struct task *t) {
    unsigned long long size = number(t->argument[0], 0), piece = number(t->argument[1], size);
    int err;
    do {
        size_t at = (size_t)(t->offset % PERIOD), n = 0, want = (size_t)(size - t->done),
               left = (size_t)(piece == 0 ? 0 : piece - t->done % piece);
        want = want < left ? want : left;
        want = want < sizeof pattern - at ? want : sizeof pattern - at;
        err = ur_write(link, t->r, pattern + at, want, t->wait_ms, &n);
        t->done += n;
        t->offset += n;
    } while (err == 0 && t->done < size);
    return err;
}

/* fill SIZE [PIECE]: the same in place. */
static int fill_pattern(ur_link *link, struct task *t) {
    unsigned long long size = number(t->argument[0], 0), piece = number(t->argument[1], UINT64_MAX);
    int err;
    do {
        size_t room_size;
        void *room;
        if ((err = ur_reserve(link, t->r, t->wait_ms, &room, &room_size)) != 0) {
            break;
        }
        size_t at = (size_t)(t->offset % PERIOD), n = (size_t)(size - t->done < piece ? size - t->done : piece);
        n = n < room_size ? n : room_size;
        memcpy(room, pattern + at, n);
        if ((err = ur_commit(link, t->r, n)) != 0) {
            break;
        }
        t->done += n;
        t->offset += n;
    } while (err == 0 && t->done < size);
    return err;
}

/* echo [PIECE]: writes what it reads, up to the end, in pieces, and flushes when
 * there is no more to read. */
static int echo(ur_link *link, struct task *t) {
    size_t piece = (size_t)number(t->argument[0], SIZE_MAX);
    int err = 0;
    while (err == 0) {
        if (t->slot.number == 0) {
            err = ur_next_slot(link, t->r, UR_NOW, &t->slot);
            if (err == -EAGAIN) {
                err = ur_flush(link, t->r);
                err = err != 0 ? err : ur_next_slot(link, t->r, t->wait_ms, &t->slot);
            }
            if (err == 0) {
                say_slot(t, &t->slot);
                t->done = 0;
            }
        } else if (t->slot.kind == UR_END) {
            return 0;
        } else if (t->slot.kind == UR_BODY && t->done < t->slot.length) {
            size_t n = 0, left = t->slot.length - (size_t)t->done;
            err =
                ur_write(link, t->r, (const char *)t->slot.data + t->done, left < piece ? left : piece, t->wait_ms, &n);
            t->done += n;
        } else {
            err = ur_release(link, t->r, t->slot.number);
            t->slot.number = 0;
        }
    }
    return err;
}

/* message, part KIND SIZE [PIECE]: the pattern, with at most PIECE bytes in a call. */
static int send_pattern(ur_link *link, struct task *t, int whole) {
    int text = strcmp(t->argument[0], "text") == 0, err;
    unsigned long long size = number(t->argument[1], 0), piece = number(t->argument[2], size);
    do {
        size_t at = (size_t)(t->offset % PERIOD), n = 0, want = (size_t)(size - t->done),
               left = (size_t)(piece == 0 ? 0 : piece - t->done % piece);
        want = want < left ? want : left;
        want = want < sizeof pattern - at ? want : sizeof pattern - at;
        err = ur_send(link, t->r, text ? UR_TEXT : UR_BINARY, (text ? text_pattern : pattern) + at, want,
                      whole && t->done + want == size, t->wait_ms, &n);
        t->done += n;
        t->offset += n;
    } while (err == 0 && t->done < size);
    return err;
}

/* Sends the rest of the present slot, copied into reserved room. */
static int send_in_place(ur_link *link, struct task *t) {
    for (;;) {
        size_t left = t->slot.length - (size_t)t->done, size = 0;
        void *room = NULL;
        int err = ur_reserve(link, t->r, t->wait_ms, &room, &size);
        if (err != 0) {
            return err;
        }
        size_t n = left < size ? left : size;
        if (n > 0) {
            memcpy(room, (const char *)t->slot.data + t->done, n);
        }
        err = ur_commit_message(link, t->r, t->slot.kind, n, t->slot.final && n == left);
        t->done += n;
        if (err != 0 || n == left) {
            return err;
        }
    }
}

/* talk: sends what it reads, up to the client's close. */
static int talk(ur_link *link, struct task *t) {
    int err = 0;
    while (err == 0) {
        if (t->slot.number == 0) {
            err = ur_next_slot(link, t->r, t->wait_ms, &t->slot);
            if (err == 0) {
                say_slot(t, &t->slot);
                t->done = 0;
            }
        } else if (t->slot.kind == UR_CLOSE) {
            return 0;
        } else if ((err = send_in_place(link, t)) == 0) {
            err = ur_release(link, t->r, t->slot.number);
            t->slot.number = 0;
        }
    }
    return err;
}

static int close_websocket(ur_link *link, struct task *t) {
    ur_str reason = unescape(t->argument[1]);
    int err = ur_close_websocket(link, t->r, (int)number(t->argument[0], 0), reason.data, reason.length, t->wait_ms);
    free((void *)(uintptr_t)reason.data);
    return err;
}

static int send_interim(ur_link *link, struct task *t) {
    int err = ur_interim(link, t->r, (int)number(t->argument[0], 103), t->fields, t->count, t->wait_ms);
    if (err != -EAGAIN) {
        drop_fields(t);
    }
    return err;
}

static int respond(ur_link *link, struct task *t, int status) {
    int err = ur_respond(link, t->r, status, t->fields, t->count, t->wait_ms);
    if (err != -EAGAIN) {
        drop_fields(t);
    }
    return err;
}

/* trailers: the gathered fields, and the end. */
static int end_with_trailers(ur_link *link, struct task *t) {
    int err = t->done ? 0 : ur_trailers(link, t->r, t->fields, t->count, t->wait_ms);
    if (err == 0) {
        t->done = 1;
        err = ur_end(link, t->r, t->wait_ms);
    }
    if (err != -EAGAIN) {
        drop_fields(t);
    }
    return err;
}

static int is_open(const struct worker *w, const char *gate) {
    for (size_t i = 0; i < w->open; i++) {
        if (strcmp(w->gates[i], gate) == 0) {
            return 1;
        }
    }
    return 0;
}

static int open_gate(struct worker *w, const char *gate) {
    if (w->open == MOST_GATES) {
        return -ENOBUFS;
    }
    (void)snprintf(w->gates[w->open++], TEXT, "%s", gate);
    return 0;
}

/* 0, or -EAGAIN while a gate is closed or the request is not cancelled. */
static int wait_for(ur_link *link, struct task *t, int gate_open) {
    int err = gate_open ? 0 : ur_cancelled(link, t->r);
    return err == 0 && !gate_open ? -EAGAIN : err;
}

static int try_step(struct worker *w, struct task *t) {
    const char *v = t->verb;
    ur_link *l = w->link;
    if (strcmp(v, "read") == 0 || strcmp(v, "keep") == 0) return read_slots(l, t, *v == 'r');
    if (strcmp(v, "tail") == 0) return tail_slot(l, t, t->wait_ms);
    if (strcmp(v, "look") == 0) return look_at_slot(l, t);
    if (strcmp(v, "release") == 0) return ur_release(l, t->r, number(t->argument[0], 0));
    if (strcmp(v, "head") == 0) return say_head(l, t);
    if (strcmp(v, "echo") == 0) return echo(l, t);
    if (strcmp(v, "field") == 0) return add_field(t, unescape(t->argument[0]), unescape(t->argument[1]));
    if (strcmp(v, "fields") == 0) return add_fields(t);
    if (strcmp(v, "interim") == 0) return send_interim(l, t);
    if (strcmp(v, "respond") == 0) return respond(l, t, (int)number(t->argument[0], 200));
    if (strcmp(v, "accept") == 0) return respond(l, t, 101);
    if (strcmp(v, "message") == 0) return send_pattern(l, t, 1);
    if (strcmp(v, "part") == 0) return send_pattern(l, t, 0);
    if (strcmp(v, "talk") == 0) return talk(l, t);
    if (strcmp(v, "close") == 0) return close_websocket(l, t);
    if (strcmp(v, "write") == 0) return write_pattern(l, t);
    if (strcmp(v, "fill") == 0) return fill_pattern(l, t);
    if (strcmp(v, "flush") == 0) return ur_flush(l, t->r);
    if (strcmp(v, "trailers") == 0) return end_with_trailers(l, t);
    if (strcmp(v, "end") == 0) return ur_end(l, t->r, t->wait_ms);
    if (strcmp(v, "abort") == 0) return ur_abort(l, t->r);
    if (strcmp(v, "await-cancel") == 0) return wait_for(l, t, 0);
    if (strcmp(v, "hold") == 0) return wait_for(l, t, is_open(w, t->argument[0]));
    if (strcmp(v, "let") == 0) return open_gate(w, t->argument[0]);
    if (strcmp(v, "block") == 0) t->wait_ms = UR_FOREVER;
    return strcmp(v, "block") == 0 ? 0 : -ENOSYS;
}
