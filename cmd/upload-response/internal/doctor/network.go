package doctor

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/listen"
)

// addresses tries to listen on each address. The process of a server that runs already is
// running; 0: there is none.
func (p *Plan) addresses(running int) (list []Result) {
	secure := false
	for _, a := range p.Addresses {
		secure = secure || a.Secure
		list = append(list, p.address(a, running))
	}
	if secure && p.HTTP3 {
		list = append(list, udpBuffers())
	}
	return list
}

func (p *Plan) address(a listen.Address, running int) Result {
	check := "address " + a.String()
	if strings.Contains(a.String(), "fd:") {
		return ok(check, "passed on by the process that starts the server")
	}
	l, err := a.Listen(p.SocketMode, p.HTTP3)
	if err == nil {
		_ = l.Close()
		return ok(check, "free")
	}
	r := Result{check, Fail, err.Error(), ""}
	switch {
	case (errors.Is(err, unix.EADDRINUSE) || errors.Is(err, listen.ErrSocketBusy)) && running != 0:
		r.Status = Warn
		r.Found = fmt.Sprintf("in use; a server runs already, process %d", running)
	case errors.Is(err, unix.EADDRINUSE):
		r.Found, r.Advice = "in use", fmt.Sprintf("choose another address, or find who has it: ss -lntup 'sport = :%d'",
			a.Port())
	case errors.Is(err, unix.EACCES):
		r.Found = "not allowed"
		r.Advice = "low ports need root, CAP_NET_BIND_SERVICE, a socket of systemd, or a lower " +
			"net.ipv4.ip_unprivileged_port_start"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		r.Found, r.Advice = "no address of this machine", "ip address lists those that there are"
	}
	return r
}

// bufferBytes is the size of the kernel's buffers that the server requests.
const bufferBytes = 7 << 20

// udpBuffers compares the largest buffer of a UDP socket with what HTTP/3 wants.
func udpBuffers() Result {
	const check = "UDP buffers"
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return Result{check, Fail, err.Error(), "give --http3=false"}
	}
	defer conn.Close()
	_ = conn.SetReadBuffer(bufferBytes) // the kernel is asked what it has given
	got := 0
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferBytes) // with CAP_NET_ADMIN
			got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		})
	}
	r := ok(check, "%s", size(uint64(got)))
	if got < bufferBytes {
		r.Status = Warn
		const advice = "HTTP/3 loses packets under load: sysctl -w net.core.rmem_max=%d net.core.wmem_max=%[1]d"
		r.Advice = fmt.Sprintf(advice, bufferBytes)
	}
	return r
}
