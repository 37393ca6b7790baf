/* ======================================================== implementation === */
#if !defined(UR_SHARED) && !defined(UR_IMPLEMENTED)
#define UR_IMPLEMENTED

#if !defined(__linux__) || !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "upload_response.h: Linux on a 64-bit little-endian machine is needed"
#endif

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if defined(__GLIBC__) && !defined(__USE_MISC)
#error "upload_response.h: define _GNU_SOURCE before the first #include, or compile with -std=gnu11"
#endif

#ifdef __cplusplus
extern "C" {
#define UR__PIN(claim) static_assert(claim, #claim)
#else
#define UR__PIN(claim) _Static_assert(claim, #claim)
#endif
