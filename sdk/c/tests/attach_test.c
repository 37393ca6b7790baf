/* Attaching: the path of the server, the users that are trusted, and the descriptors that
 * a server has to hand out. */
#include "heap_link.h"

#include <signal.h>
#include <sys/wait.h>

static char folder[] = "/tmp/attach-test-XXXXXX";

static const char *in(const char *name) {
    static char paths[4][108];
    static int next;
    char *path = paths[next++ % 4];
    CHECK(snprintf(path, sizeof paths[0], "%s/%s", folder, name) < (int)sizeof paths[0]);
    return path;
}

/* ---- a server */

struct handout {
    int requests, responses, server_bell;
    uint64_t requests_bytes, responses_bytes;
};

static int memory_file(size_t bytes, int seals) {
    int fd = memfd_create("attach_test", 2 /* MFD_ALLOW_SEALING */);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, 1033 /* F_ADD_SEALS */, seals) == 0);
    return fd;
}

/* Segments like those of a heap link, in files. */
static struct handout make_handout(void) {
    struct handout h;
    size_t bytes;
    struct ur_shm_header *header = heap_requests(&bytes);
    struct ur_shm_mailbox *box = (struct ur_shm_mailbox *)(void *)((uint8_t *)header + header->mailboxes_offset);
    heap_mailbox(box);
    h.requests_bytes = bytes;
    h.responses_bytes = box->response_bytes;
    h.requests = memory_file(bytes, 0);
    CHECK(pwrite(h.requests, header, bytes, 0) == (ssize_t)bytes && fcntl(h.requests, 1033, UR__REQUEST_SEALS) == 0);
    h.responses = memory_file(h.responses_bytes, UR__SEALS);
    h.server_bell = eventfd(0, 0);
    heap_unmap((uint8_t *)header, bytes);
    CHECK(munmap(header, bytes) == 0);
    return h;
}

static void drop_handout(struct handout *h) {
    CHECK(close(h->requests) == 0 && close(h->responses) == 0 && close(h->server_bell) == 0);
}

static int listen_at(const char *path) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    return fd;
}

/* Answers one hello, in a child, whose exit status is 0. */
static pid_t welcome_one(int listener, const struct handout *h) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    uint8_t packet[UR__MAX_MESSAGE];
    struct ur__message m;
    int fds[3] = {h->requests, h->responses, h->server_bell}, link = accept(listener, NULL, NULL);
    CHECK(recv(link, packet, sizeof packet, 0) > 0);
    memset(&m, 0, sizeof m);
    m.kind = UR__WELCOME;
    m.layout = 1;
    m.layout_hash = ur__layout_hash();
    m.link_generation = 77;
    m.server = m.bell = ur__text("test");
    struct iovec part = {packet, ur__encode(&m, packet)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof fds)];
    } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    CHECK(sendmsg(link, &message, 0) > 0);
    (void)recv(link, packet, sizeof packet, 0); /* until the worker goes */
    _exit(0);
}

static void wait_for(pid_t child) {
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int attach(const char *path, ur_options *o, ur_link **link) {
    ur_options_init(o);
    o->socket = path;
    o->timeout_ms = 20000;
    return ur_attach(link, o);
}

/* Attaches to a server that hands this out, and closes the link. */
static int attach_to(const struct handout *h, ur_options *o) {
    ur_link *link = NULL;
    int listener = listen_at(in("s"));
    pid_t child = welcome_one(listener, h);
    int err = attach(in("s"), o, &link);
    if (err == 0) {
        ur_close(link);
    }
    wait_for(child);
    CHECK(close(listener) == 0);
    return err;
}

/* ---- what it hands out */

static void descriptors_from_the_server_are_checked(void) {
    ur_options o;
    int pipes[2], sockets[2], err;
    struct handout h = make_handout();
    err = attach_to(&h, &o);
    if (err != 0) {
        fprintf(stderr, "%d %s\n", err, o.refusal);
    }
    CHECK(err == 0);
    CHECK((fcntl(h.server_bell, F_GETFL) & O_NONBLOCK) != 0); /* a bell that is full does not hold us */

    struct handout other = h; /* a bell to write to would be a signal */
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
    const int bells[] = {pipes[1], sockets[0], h.requests};
    for (size_t i = 0; i < 3; i++) {
        other.server_bell = bells[i];
        CHECK(attach_to(&other, &o) == -EPROTO && strstr(o.refusal, "bells") != NULL && !ur_is_temporary(-EPROTO));
    }
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0 && close(sockets[0]) == 0 && close(sockets[1]) == 0);

    other = h; /* a segment that can shrink under us would be a signal, too */
    other.responses = memory_file(h.responses_bytes, 4 /* F_SEAL_GROW */);
    CHECK(attach_to(&other, &o) == -EPROTO && close(other.responses) == 0);
    other.responses = memory_file(h.responses_bytes - 4096, UR__SEALS); /* shorter than the mailbox says */
    CHECK(attach_to(&other, &o) == -EPROTO && close(other.responses) == 0);
    other = h; /* and requests that others can write would not be the server's */
    other.requests = memory_file(h.requests_bytes, UR__SEALS);
    CHECK(attach_to(&other, &o) == -EPROTO && close(other.requests) == 0);
    drop_handout(&h);
}

/* ---- whose it is */

enum { NOBODY = 65534 };

static void nothing_is_sent_to_a_server_of_another_user(void) {
    ur_options o;
    ur_link *link;
    int ready[2];
    char byte;
    if (geteuid() != 0) {
        printf("attach_test: skipped: only root can be a server of another user\n");
        return;
    }
    CHECK(chmod(folder, 0777) == 0 && pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        uint8_t packet[UR__MAX_MESSAGE];
        struct ur__message m;
        CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        int listener = listen_at(in("nobody"));
        CHECK(write(ready[1], "x", 1) == 1);
        for (int i = 0; i < 2; i++) { /* the first two say nothing */
            int refused = accept(listener, NULL, NULL);
            CHECK(recv(refused, packet, sizeof packet, 0) == 0 && close(refused) == 0);
        }
        for (int i = 0; i < 2; i++) {
            int named = accept(listener, NULL, NULL);
            ssize_t n = recv(named, packet, sizeof packet, 0);
            CHECK(n > 0 && ur__decode(&m, packet, (size_t)n) == UR__MESSAGE_OK && m.kind == UR__HELLO &&
                  close(named) == 0);
        }
        _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(attach(in("nobody"), &o, &link) == -EPERM && link == NULL &&
          strstr(o.refusal, "of user 65534, not of ours (0) or root") != NULL);
    CHECK(strstr(o.refusal, in("nobody")) != NULL && !ur_is_temporary(-EPERM));
    ur_options_init(&o);
    o.socket = in("nobody");
    o.server_uid = NOBODY - 1;
    CHECK(ur_attach(&link, &o) == -EPERM);
    o.server_uid = NOBODY;
    CHECK(ur_attach(&link, &o) == -ECONNRESET);
    CHECK(setenv("UPLOAD_RESPONSE_SERVER_UID", "65534", 1) == 0 && attach(in("nobody"), &o, &link) == -ECONNRESET);
    wait_for(child);
    CHECK(unsetenv("UPLOAD_RESPONSE_SERVER_UID") == 0 && close(ready[0]) == 0 && close(ready[1]) == 0 &&
          chmod(folder, 0700) == 0);
}

static void the_user_in_the_environment_is_a_number(void) {
    static const char *const wrong[] = {"root", "-1", "1 ", "4294967296", "0x1"};
    ur_options o;
    ur_link *link;
    int listener = listen_at(in("s"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(setenv("UPLOAD_RESPONSE_SERVER_UID", wrong[i], 1) == 0);
        CHECK(attach(in("s"), &o, &link) == -EINVAL && strstr(o.refusal, "UPLOAD_RESPONSE_SERVER_UID") != NULL);
    }
    CHECK(unsetenv("UPLOAD_RESPONSE_SERVER_UID") == 0 && close(listener) == 0);
}

/* ---- what it is told */

/* Receives one hello, in a child, whose exit status is 0 if it names this signal. */
static pid_t expect_signal(int listener, uint64_t signal) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    uint8_t packet[UR__MAX_MESSAGE];
    struct ur__message m;
    int link = accept(listener, NULL, NULL);
    ssize_t n = recv(link, packet, sizeof packet, 0);
    _exit(n <= 0 || ur__decode(&m, packet, (size_t)n) != UR__MESSAGE_OK || m.kind != UR__HELLO || m.stacks != signal);
}

static void a_hello_names_the_signal_for_stacks(void) {
    ur_options o;
    ur_link *link;
    int listener = listen_at(in("s"));
    ur_options_init(&o);
    o.socket = in("s");
    for (uint32_t signal = 0; signal <= 40; signal += 40) { /* none is the default */
        pid_t child = expect_signal(listener, signal);
        CHECK(o.stacks == 0);
        o.stacks = signal;
        CHECK(ur_attach(&link, &o) == -ECONNRESET);
        wait_for(child);
    }
    CHECK(close(listener) == 0);
}

/* ---- where it is */

static int find(char *path) { return ur__find_socket(path, 108, in("run"), in("tmp")); }

static void the_default_socket_is_where_only_its_user_can_put_it(void) {
    char path[108], ours[64], users[64];
    (void)snprintf(ours, sizeof ours, "tmp/upload-response-%u", (unsigned)geteuid());
    (void)snprintf(users, sizeof users, "run/user/%u", (unsigned)geteuid());
    CHECK(mkdir(in("run"), 0777) == 0 && chmod(in("run"), 0777) == 0 && mkdir(in("tmp"), 0700) == 0 &&
          mkdir(in("run/user"), 0700) == 0);
    CHECK(find(path) == 0 && strstr(path, ours) != NULL &&
          strstr(path, "/upload-response.sock") != NULL); /* not there: no server is */
    CHECK(mkdir(in(ours), 0700) == 0 && find(path) == 0);
    CHECK(chmod(in(ours), 0770) == 0 && find(path) == -EACCES && chmod(in(ours), 0702) == 0 && find(path) == -EACCES);
    CHECK(rmdir(in(ours)) == 0 && symlink(folder, in(ours)) == 0 && find(path) == -EACCES);
    CHECK(unlink(in(ours)) == 0 && symlink("nowhere", in(ours)) == 0 && find(path) == -EACCES && unlink(in(ours)) == 0);
    if (geteuid() == 0) {
        CHECK(mkdir(in(ours), 0700) == 0 && chown(in(ours), NOBODY, NOBODY) == 0 && find(path) == -EACCES &&
              rmdir(in(ours)) == 0);
        CHECK(chmod(in("run"), 0755) == 0 && find(path) == 0 && strcmp(path, in("run/upload-response.sock")) == 0);
    }
    CHECK(mkdir(in(users), 0700) == 0 && find(path) == 0 && strncmp(path, in(users), strlen(in(users))) == 0);
    CHECK(chmod(in(users), 0777) == 0 && find(path) == 0 && strstr(path, users) == NULL);
    CHECK(setenv("XDG_RUNTIME_DIR", "relative", 1) == 0 && find(path) == 0 && strstr(path, "relative") == NULL);
    CHECK(setenv("XDG_RUNTIME_DIR", "/session", 1) == 0 && find(path) == 0 &&
          strcmp(path, "/session/upload-response.sock") == 0);
    CHECK(setenv("UPLOAD_RESPONSE_SOCKET", "/a/socket", 1) == 0 && find(path) == 0 && strcmp(path, "/a/socket") == 0);
    CHECK(ur_default_socket(path, 9) == -ENAMETOOLONG && ur_default_socket(path, 10) == 0 &&
          strcmp(path, "/a/socket") == 0);
    CHECK(unsetenv("UPLOAD_RESPONSE_SOCKET") == 0 && unsetenv("XDG_RUNTIME_DIR") == 0);
    CHECK(rmdir(in(users)) == 0 && rmdir(in("run/user")) == 0 && rmdir(in("run")) == 0 && rmdir(in("tmp")) == 0);
}

static void without_a_path_the_default_one_is_taken(void) {
    ur_options o;
    ur_link *link;
    CHECK(setenv("UPLOAD_RESPONSE_SOCKET", in("not there"), 1) == 0);
    CHECK(attach("", &o, &link) == -ENOENT && strstr(o.refusal, in("not there")) != NULL &&
          attach(NULL, &o, &link) == -ENOENT);
    CHECK(unsetenv("UPLOAD_RESPONSE_SOCKET") == 0);
}

/* ---- how long it takes */

static void on_alarm(int number) { (void)number; }

/* Signals come all the time, and the server never says anything. */
static void an_attach_ends_in_time(void) {
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action, before;
    ur_options o;
    ur_link *link;
    int listener = listen_at(in("s"));
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK(sigaction(SIGALRM, &action, &before) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    ur_options_init(&o);
    o.socket = in("s");
    o.timeout_ms = 100;
    CHECK(ur_attach(&link, &o) == -ETIMEDOUT && setitimer(ITIMER_REAL, &never, NULL) == 0 &&
          sigaction(SIGALRM, &before, NULL) == 0);
    o.timeout_ms = 0;
    CHECK(ur_attach(&link, &o) == -EINVAL);
    CHECK(close(listener) == 0);
}

int main(void) {
    CHECK(mkdtemp(folder) != NULL && unsetenv("XDG_RUNTIME_DIR") == 0 && unsetenv("UPLOAD_RESPONSE_SOCKET") == 0);
    descriptors_from_the_server_are_checked();
    nothing_is_sent_to_a_server_of_another_user();
    the_user_in_the_environment_is_a_number();
    a_hello_names_the_signal_for_stacks();
    the_default_socket_is_where_only_its_user_can_put_it();
    without_a_path_the_default_one_is_taken();
    an_attach_ends_in_time();
    (void)unlink(in("s"));
    (void)unlink(in("nobody"));
    CHECK(rmdir(folder) == 0);
    printf("attach_test: ok\n");
    return 0;
}
