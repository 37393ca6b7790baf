package rawclient

import (
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// AwaitRead waits until the server's process has read all that was sent: the queues of the
// kernel between the two are empty.
func (c *HTTP1) AwaitRead() {
	c.T.Helper()
	harness.Eventually(c.T, "the server to read what was sent", func() bool {
		ours, ok := queuesOf(c.T, c.Conn.LocalAddr(), c.Conn.RemoteAddr())
		theirs, ok2 := queuesOf(c.T, c.Conn.RemoteAddr(), c.Conn.LocalAddr())
		return ok && ok2 && ours.unsent == 0 && theirs.unread == 0
	})
}

// Arrived returns how many bytes of the server have come that nobody has read.
func (c *HTTP1) Arrived() int {
	c.T.Helper()
	ours, _ := queuesOf(c.T, c.Conn.LocalAddr(), c.Conn.RemoteAddr())
	return int(ours.unread)
}

// AwaitStalled waits until no more of what the server sends reaches us.
func (c *HTTP1) AwaitStalled() {
	c.T.Helper()
	var before [2]queues
	same := 0
	harness.Eventually(c.T, "the server to fill the connection", func() bool {
		theirs, _ := queuesOf(c.T, c.Conn.RemoteAddr(), c.Conn.LocalAddr())
		ours, _ := queuesOf(c.T, c.Conn.LocalAddr(), c.Conn.RemoteAddr())
		same++
		if now := [2]queues{theirs, ours}; now != before {
			before, same = now, 0
		}
		return same >= 10 && theirs.unsent > 0
	})
}

// queues are the bytes that wait in a socket: to be read by its process, and to be
// acknowledged by the other end.
type queues struct{ unread, unsent uint32 }

// Sizes and offsets of sock_diag(7): a netlink header, inet_diag_req_v2 and inet_diag_msg.
const (
	diagRequest = unix.SizeofNlMsghdr + 56
	diagID      = unix.SizeofNlMsghdr + 8  // of the request
	diagQueues  = unix.SizeofNlMsghdr + 56 // of the answer
)

// queuesOf asks the kernel for the socket between two addresses of IPv4. There is none when ok
// is false. /proc/net/tcp has the same, but is slow on a machine with many connections.
func queuesOf(t testing.TB, local, remote net.Addr) (q queues, ok bool) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	harness.Check(t, err)
	defer unix.Close(fd)
	request := make([]byte, diagRequest)
	native := binary.NativeEndian
	native.PutUint32(request, diagRequest)
	native.PutUint16(request[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST)
	request[unix.SizeofNlMsghdr], request[unix.SizeofNlMsghdr+1] = unix.AF_INET, unix.IPPROTO_TCP
	native.PutUint32(request[unix.SizeofNlMsghdr+4:], 0xffffffff) // in any state
	id := request[diagID:]
	from, to := local.(*net.TCPAddr), remote.(*net.TCPAddr)
	binary.BigEndian.PutUint16(id, uint16(from.Port))
	binary.BigEndian.PutUint16(id[2:], uint16(to.Port))
	copy(id[4:8], from.IP.To4())
	copy(id[20:24], to.IP.To4())
	native.PutUint64(id[40:], 0xffffffffffffffff) // no cookie
	harness.Check(t, unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	harness.Check(t, err)
	if n < diagQueues+8 || native.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return q, false
	}
	return queues{native.Uint32(answer[diagQueues:]), native.Uint32(answer[diagQueues+4:])}, true
}
