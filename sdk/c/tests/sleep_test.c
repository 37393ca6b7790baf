/* Threads that share a link by a lock, as another language has them: a wait for
 * a request that another thread ends does not affect the next request of the lane. */
#include "heap_link.h"

#include <pthread.h>

static struct heap_server s;
static ur_link *l;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asleep = PTHREAD_COND_INITIALIZER;
static int sleeping, also[2];
static ur_request first;

static void *leave(void) {
    sleeping = 1;
    CHECK(pthread_cond_signal(&asleep) == 0 && pthread_mutex_unlock(&lock) == 0);
    return &lock;
}

static void enter(void *kept) { CHECK(kept == &lock && pthread_mutex_lock(&lock) == 0); }

static ur_request give(uint64_t id) {
    ur_request r;
    struct ur__writer *w = heap_stream(&s, id, 1, 1);
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, id, 1, 1);
    CHECK(ur_next(l, UR_NOW, &r) == 0);
    return r;
}

static void *wait_for_a_slot(void *unused) {
    ur_slot slot;
    CHECK(pthread_mutex_lock(&lock) == 0);
    CHECK(ur_tail(l, first, 2, UR_NOW, &slot) == -EAGAIN);
    int err = ur_sleep(l, UR_WAIT_STREAM | UR_WAIT_READY, 20000, also[0], leave, enter);
    CHECK(err == -EINTR && ur_tail(l, first, 2, UR_NOW, &slot) == -ESTALE && ur_release(l, first, 1) == -ESTALE);
    CHECK(pthread_mutex_unlock(&lock) == 0);
    return unused;
}

static void a_wait_for_an_ended_request_leaves_the_next_one_alone(void) {
    pthread_t thread;
    ur_slot slot;
    ur_request news;
    l = heap_open(&s);
    l->bell = eventfd(0, EFD_NONBLOCK);
    first = give(5);
    CHECK(pipe(also) == 0 && pthread_mutex_lock(&lock) == 0 &&
          pthread_create(&thread, NULL, wait_for_a_slot, NULL) == 0);
    while (!sleeping) {
        CHECK(pthread_cond_wait(&asleep, &lock) == 0);
    }
    CHECK(ur_abort(l, first) == 0);
    ur_request next = give(6);
    CHECK(ur_tail(l, next, 2, UR_NOW, &slot) == -EAGAIN && ur__load32(&s.lanes[1].wants_request) == 1);
    CHECK(write(also[1], "x", 1) == 1 && pthread_mutex_unlock(&lock) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(ur__load32(&s.lanes[1].wants_request) == 1); /* as the wait that still runs announced */
    heap_put(&s.writers[1], "body", 4, UR_BODY);
    (void)ur__writer_publish(&s.writers[1]);
    heap_notify(&s, 1, UR_WAIT_READY);
    CHECK(ur_ready(l, &news) == 0 && news == next && ur_tail(l, next, 2, UR_NOW, &slot) == 0 && slot.length == 4);
    CHECK(close(also[0]) == 0 && close(also[1]) == 0);
    heap_close(&s);
}

int main(void) {
    a_wait_for_an_ended_request_leaves_the_next_one_alone();
    printf("sleep_test: ok\n");
    return 0;
}
