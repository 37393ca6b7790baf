package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Eventfd is a bell that a poller can wait for.
type Eventfd struct {
	file *os.File
	raw  syscall.RawConn
	fd   int

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
	_ = unix.SetNonblock(fd, true) // else the poller would not take it
	file := os.NewFile(uintptr(fd), "bell")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("shm: eventfd: %w", err)
	}
	e := &Eventfd{file: file, raw: raw, fd: fd}
	e.look = e.lookOnce
	return e, nil
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
func (e *Eventfd) FD() int { return e.fd }

// Close ends the bell and wakes a Wait. Preconditions: nobody calls Ring any
// more.
func (e *Eventfd) Close() error { return e.file.Close() }

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
