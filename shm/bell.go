package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Eventfd is a bell for a poller.
type Eventfd struct {
	file *os.File        // nil: it rests, or is only rung here
	raw  syscall.RawConn // nil: it is only rung here
	fd   int             // of the eventfd
	peer int             // what the peer gets: fd, or a guard around it

	mu     sync.Mutex    // guards file and fd against Rest
	closed chan struct{} // by Close

	// Of the goroutine that waits.
	sleep func() bool
	asked bool
	look  func(uintptr) bool // lookOnce, made once
}

// NewEventfd returns a new bell. Release: [Eventfd.Close].
func NewEventfd() (*Eventfd, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("shm: eventfd: %w", err)
	}
	return OpenEventfd(fd)
}

// OpenEventfd takes over an eventfd that another process made. Release:
// [Eventfd.Close].
func OpenEventfd(fd int) (*Eventfd, error) {
	e := &Eventfd{closed: make(chan struct{})}
	e.look = e.lookOnce
	return e, e.open(fd)
}

// open puts fd into the poller.
func (e *Eventfd) open(fd int) (err error) {
	_ = unix.SetNonblock(fd, true) // else the poller would not take it
	e.file, e.fd, e.peer = os.NewFile(uintptr(fd), "bell"), fd, fd
	if e.raw, err = e.file.SyscallConn(); err != nil {
		_ = e.file.Close()
		return fmt.Errorf("shm: eventfd: %w", err)
	}
	return nil
}

// NewPeerEventfd returns a bell that another process waits for and this one rings.
// Release: [Eventfd.Close].
//
// The peer polls FD, which is readable after every ring. It is an epoll instance
// around the eventfd and not the eventfd itself: whoever has that can fill its
// counter up and take O_NONBLOCK from it, and the next Ring would hang, and the
// whole process with it.
func NewPeerEventfd() (*Eventfd, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("shm: eventfd: %w", err)
	}
	guard, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("shm: epoll: %w", err)
	}
	e := &Eventfd{fd: fd, peer: guard, closed: make(chan struct{})}
	if err := unix.EpollCtl(guard, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}); err != nil {
		_ = e.Close()
		return nil, fmt.Errorf("shm: epoll: %w", err)
	}
	return e, nil
}

// OpenPeerEventfd takes over the bell of another process, only to ring it: it is
// not in our poller, where every ring would be an edge for nobody. Release:
// [Eventfd.Close].
func OpenPeerEventfd(fd int) *Eventfd {
	return &Eventfd{fd: fd, peer: fd, closed: make(chan struct{})}
}

var one = binary.LittleEndian.AppendUint64(nil, 1)

// Ring wakes whoever waits. It never blocks, and it does not go through the
// scheduler, for it takes well under a microsecond.
func (e *Eventfd) Ring() { rawWrite(e.fd, one) }

// Wait blocks until the bell rings, if sleep returns true. Rings before the call
// of sleep do not count: sleep is to announce that its process is about to
// sleep, look for news once more (S1), and return false if there is any. Wait
// returns os.ErrDeadlineExceeded after the deadline, and os.ErrClosed after
// Close.
//
// No byte is read from the descriptor: the runtime's poller is edge-triggered,
// and every ring is an edge. That saves two system calls for each sleep.
func (e *Eventfd) Wait(sleep func() bool) error {
	e.sleep, e.asked = sleep, false
	err := e.raw.Read(e.look)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("shm: bell: %w", os.ErrClosed) // the runtime's own error for it cannot be named
	}
	return err
}

// lookOnce is called by the poller before it waits, and after.
func (e *Eventfd) lookOnce(uintptr) (done bool) {
	if e.asked {
		return true
	}
	e.asked = true
	return !e.sleep()
}

// SetDeadline bounds the present and later Waits; the zero time is never.
func (e *Eventfd) SetDeadline(t time.Time) error { return e.file.SetReadDeadline(t) }

// FD returns the descriptor, to be sent to the peer. It stays the bell's.
func (e *Eventfd) FD() int { return e.peer }

// Rest takes the bell out of the poller for a while, for every ring costs the
// process an edge, also while nobody waits. No ring is lost by it: the next Wait
// looks for news before it sleeps. It returns os.ErrClosed after Close.
//
// Preconditions: the goroutine that waits calls it; nobody calls Ring or FD.
func (e *Eventfd) Rest(pause time.Duration) error {
	if err := e.unpoll(); err != nil {
		return err
	}
	select {
	case <-time.After(pause):
	case <-e.closed:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosed() {
		_ = unix.Close(e.fd)
		return os.ErrClosed
	}
	return e.open(e.fd)
}

// unpoll closes the file, and keeps a descriptor of the eventfd.
func (e *Eventfd) unpoll() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosed() {
		return os.ErrClosed
	}
	fd, err := unix.FcntlInt(uintptr(e.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("shm: eventfd: %w", err)
	}
	err = e.file.Close()
	e.file, e.fd = nil, fd
	return err
}

func (e *Eventfd) isClosed() bool {
	select {
	case <-e.closed:
		return true
	default:
		return false
	}
}

// Close ends the bell and wakes a Wait or a Rest. Preconditions: nobody calls
// Ring any more.
func (e *Eventfd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosed() {
		return os.ErrClosed
	}
	close(e.closed)
	switch {
	case e.file != nil:
		return e.file.Close()
	case e.raw != nil:
		return nil // Rest closes the descriptor
	case e.peer != e.fd:
		_ = unix.Close(e.peer)
	}
	return unix.Close(e.fd)
}

// The futex operations, without FUTEX_PRIVATE: the word is shared between
// processes (futex(2)).
const (
	futexWaitOp = 0
	futexWakeOp = 1
)

// futexWait blocks until w was woken, or is not old, or the timeout passed. It
// returns os.ErrDeadlineExceeded for the last. The kernel compares before it
// sleeps, so a change between the caller's load and the wait is not missed.
func futexWait(w *atomic.Uint32, old uint32, timeout time.Duration) error {
	ts := unix.NsecToTimespec(int64(timeout))
	switch errno := futexSleep(w, old, &ts); errno {
	case 0, unix.EAGAIN, unix.EINTR:
		return nil
	case unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	default:
		return fmt.Errorf("shm: futex: %w", errno)
	}
}
