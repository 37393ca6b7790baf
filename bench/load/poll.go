package load

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// responseBytes is the most bytes in the answer to a small request.
const responseBytes = 4 << 10

// pollConn is an HTTP/1.1 connection that is polled.
type pollConn struct {
	fd   int
	have int // bytes of the answer
	sent time.Time
	buf  [responseBytes]byte
}

// poller sends small requests over many connections from one thread. That leaves more
// processor time to the servers than a goroutine for each connection would.
type poller struct {
	epoll   int
	request []byte
	conns   []*pollConn
	found   []time.Duration
	until   time.Time
	open    int // connections that wait for an answer
}

func pollRequests(t *Target, connections int, period time.Duration) (*Latencies, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &poller{epoll: epoll, request: t.request("GET", "/hello", -1), found: make([]time.Duration, 0, 1<<18)}
	defer p.close()
	for range connections {
		if err := p.connect(t); err != nil {
			return nil, err
		}
	}
	begun := time.Now()
	p.until = begun.Add(period)
	if err := p.run(); err != nil {
		return nil, err
	}
	return (&Latencies{list: p.found}).finish(begun), nil
}

func (p *poller) close() {
	for _, c := range p.conns {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(p.epoll)
}

// connect adds a connection.
func (p *poller) connect(t *Target) error {
	fd, err := dialFD(t)
	if err != nil {
		return err
	}
	p.conns = append(p.conns, &pollConn{fd: fd})
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(p.conns) - 1)})
}

// dialFD returns the descriptor of a connection that the runtime does not poll.
func dialFD(t *Target) (int, error) {
	conn, err := t.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	file, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	fd, failed := -1, error(nil)
	if err := file.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return 0, err
	}
	return fd, failed
}

// run sends a request over each connection, and the next one after each answer, until the
// period is over and every request has its answer.
func (p *poller) run() error {
	for _, c := range p.conns {
		if err := p.send(c, time.Now()); err != nil {
			return err
		}
	}
	for events := make([]unix.EpollEvent, 64); p.open > 0; {
		n, err := unix.EpollWait(p.epoll, events, int(timeout.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = fmt.Errorf("no answer within %v", timeout)
		}
		for i := 0; err == nil && i < n; i++ {
			err = p.receive(p.conns[events[i].Fd])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *poller) send(c *pollConn, now time.Time) error {
	c.have, c.sent = 0, now
	p.open++
	if n, err := unix.Write(c.fd, p.request); err != nil || n != len(p.request) {
		return fmt.Errorf("write of %d of %d bytes: %w", n, len(p.request), err)
	}
	return nil
}

// receive reads from a connection, and sends the next request if the answer is complete.
func (p *poller) receive(c *pollConn) error {
	n, err := unix.Read(c.fd, c.buf[c.have:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("%w after %.200q", net.ErrClosed, c.buf[:c.have])
	}
	c.have += n
	done, err := parseHello(c.buf[:c.have])
	if err != nil || !done {
		return err
	}
	now := time.Now()
	p.found = append(p.found, now.Sub(c.sent))
	p.open--
	if now.After(p.until) {
		return nil
	}
	return p.send(c, now)
}
