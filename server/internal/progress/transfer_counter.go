package progress

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

// waits returns what the server waits for the client to do, and since when, shm.Now.
func (x *Exchange) waits() (wait, int64) {
	if since := x.writeSince.Load(); since != 0 {
		return toTake, since
	}
	if since := x.readSince.Load(); since != 0 {
		return toSend, since
	}
	return noWait, 0
}

// TransferCounter counts what has moved on the connection of an exchange. One write may be
// megabytes, and one read a chunk that comes bit by bit: the kernel's count is finer. The
// zero value counts nothing.
type TransferCounter struct {
	Socket    syscall.RawConn // nil: there is none to ask
	Exclusive bool            // the connection carries no other exchange
}

// moved returns how many bytes have moved of an exchange that waits.
func (x *Exchange) moved(w wait) uint64 {
	d := &x.deadlines
	d.mu.Lock()
	c := d.counter
	d.mu.Unlock()
	if c.Socket != nil && (c.Exclusive || w == toTake) {
		if received, taken, ok := c.count(); ok {
			return received + taken
		}
	}
	if w == toTake {
		return x.taken.Load()
	}
	return uint64(x.Received())
}

// count returns how many bytes have come from the client, and how many have got there.
func (c *TransferCounter) count() (received, taken uint64, ok bool) {
	err := c.Socket.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if ok = err == nil; ok {
			received, taken = info.Bytes_received, info.Bytes_acked
		}
	})
	return received, taken, ok && err == nil
}
