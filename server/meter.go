package server

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// wait is what the server waits for a client to do.
type wait int

const (
	noWait wait = iota
	toSend
	toTake
)

// waits returns what the client of an exchange is waited for, and since when, shm.Now.
func (w *streamWatch) waits() (wait, int64) {
	if since := w.writeSince.Load(); since != 0 {
		return toTake, since
	}
	if since := w.readSince.Load(); since != 0 {
		return toSend, since
	}
	return noWait, 0
}

// meter counts what has moved on the connection of an exchange. One write may be
// megabytes, and one read a chunk that comes bit by bit: what the kernel says is finer.
type meter struct {
	raw   syscall.RawConn // nil: there is nothing to ask
	whole bool            // the connection has no other exchange
}

func (x *exchange) meter() meter {
	if x.conn == nil {
		return meter{}
	}
	return meter{x.conn.Socket(), x.session.Pipelined}
}

// moved returns how many bytes have moved of an exchange that waits.
func (s *stream) moved(w wait) uint64 {
	s.watch.mu.Lock()
	m := s.watch.meter
	s.watch.mu.Unlock()
	if m.raw != nil && (m.whole || w == toTake) {
		if received, taken, ok := m.ask(); ok {
			return received + taken
		}
	}
	if w == toTake {
		return s.watch.taken.Load()
	}
	return uint64(s.upload.amount.Load())
}

// ask returns how many bytes have come from the client and got there.
func (m *meter) ask() (received, taken uint64, ok bool) {
	err := m.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if ok = err == nil; ok {
			received, taken = info.Bytes_received, info.Bytes_acked
		}
	})
	return received, taken, ok && err == nil
}
