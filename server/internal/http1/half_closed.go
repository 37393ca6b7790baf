package http1

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// halfClosed tells a client that has only ended the sending side from one that is gone. Over
// TCP both look the same (FIN) until something is sent: a client that is there acknowledges
// it, the kernel of one that is gone answers with RST. A Unix socket shows it at once.
type halfClosed struct {
	since time.Time // when it was seen; the zero value: not
	acked uint64    // bytes that had been acknowledged then
}

// halfClosedTime returns how long a client of TCP that sends no more is served without being
// sent anything, which would show whether it is there. It is less than the stall time, after
// which slow clients have to go when others wait: this one may wait for nothing. The stall
// time is 0 if slow clients never have to go.
func halfClosedTime(stallTime time.Duration) time.Duration {
	if stallTime == 0 {
		return usualHalfClosed
	}
	return stallTime * 5 / 8
}

const usualHalfClosed = 1250 * time.Millisecond

// gone reports whether the client of a socket, which sends no more, is gone. Over TCP it is
// when it has acknowledged nothing for so long.
func (h *halfClosed) gone(fd int, now time.Time, long time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds, 0); n > 0 && err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
		return true
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return false // a Unix socket, which would have said so
	}
	if h.since.IsZero() {
		h.since, h.acked = now, info.Bytes_acked
	}
	return info.Bytes_acked == h.acked && now.Sub(h.since) > long
}

// awaitGone waits, after the end of what the client sends, until the client is gone or the
// deadline for reading passes: net/http would take it for gone at once. Preconditions: the
// reader is not nil, and there is no TLS.
func (c *GuardedConn) awaitGone() error {
	var h halfClosed
	long := halfClosedTime(c.config.Times.Stall())
	// starts its clock before the timer
	_ = c.reader.Raw.Control(func(fd uintptr) { h.gone(int(fd), time.Now(), long) })
	wake := time.AfterFunc(long+time.Millisecond, func() {
		_ = c.reader.Raw.Control(func(fd uintptr) {
			if _, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				_ = unix.Shutdown(int(fd), unix.SHUT_RD) // changes nothing, but has Read look again
			}
		})
	})
	defer wake.Stop()
	if err := c.reader.Raw.Read(func(fd uintptr) bool { return h.gone(int(fd), time.Now(), long) }); err != nil {
		return err
	}
	return io.EOF
}

// endsAfterRequest reports whether the end of what the client sends comes after a whole request that
// is still being served.
func (c *GuardedConn) endsAfterRequest(err error) bool {
	if !errors.Is(err, io.EOF) || c.reader == nil || c.secure {
		return false
	}
	return !c.guard.opaque.Load() && c.guard.begun > int(c.refusals.ended.Load()) && c.guard.betweenMessages()
}
