package accept

import (
	"net"

	"golang.org/x/sys/unix"
)

// For each client that does not read, the kernel holds megabytes of responses that it cannot
// send yet, and takes them as fast as workers make them. So the later of many connections get
// less of that memory: a share of notSentBudget, down to minNotSent, which keeps a connection
// busy. Bytes that were sent and not acknowledged do not count. While there are few
// connections there is no limit, which would cost them some speed.
const (
	notSentBudget = 64 << 20
	minNotSent    = 128 << 10
	maxNotSent    = 4 << 20
)

// notSentLimit returns how much the latest of so many connections may have; 0: any.
func notSentLimit(conns int64) int {
	share := notSentBudget / max(conns, 1)
	if share >= maxNotSent {
		return 0
	}
	return int(max(share, minNotSent))
}

// setNotSentLimit sets the limit for the connection of a client, if it is one of TCP.
func setNotSentLimit(c net.Conn, most int) {
	socket, ok := c.(*net.TCPConn)
	if !ok || most == 0 {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, most)
	})
}
