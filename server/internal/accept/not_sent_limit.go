package accept

import (
	"net"

	"golang.org/x/sys/unix"
)

// What the kernel holds of responses that it cannot send yet, megabytes for each client
// that does not read, it takes as fast as workers make it. So the later of many
// connections may have less of it: a share of notSentBudget, down to minNotSent, which
// keeps a connection busy. What is on its way does not count. While there are few,
// there is no bound, which would cost them some speed.
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

// setNotSentLimit sets it for a client's connection, if it is one of TCP.
func setNotSentLimit(conn net.Conn, most int) {
	socket, ok := conn.(*net.TCPConn)
	if !ok || most == 0 {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, most) })
}
