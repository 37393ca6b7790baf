package http3

import (
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// bufferBytes is the size of the kernel's buffers that HTTP/3 wants: at 10 Gbit/s, 5 ms of
// packets.
const bufferBytes = 7 << 20

// enlargeBuffers asks for buffers that hold what comes in while nobody reads, and says once
// when the machine does not allow it.
func (s *Server) enlargeBuffers(packets net.PacketConn) {
	udp, ok := packets.(interface {
		syscall.Conn
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	})
	if !ok {
		return
	}
	_, _ = udp.SetReadBuffer(bufferBytes), udp.SetWriteBuffer(bufferBytes) // the kernel is asked what it has given
	raw, err := udp.SyscallConn()
	if err != nil {
		return
	}
	got := 0
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferBytes) // with CAP_NET_ADMIN
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, bufferBytes)
		got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	if got < bufferBytes {
		s.warnBuffers.Do(func() { s.warnOfBuffers(got) })
	}
}

func (s *Server) warnOfBuffers(got int) {
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // quic-go would say the same in its own way
	s.config.Log.Warn("small UDP buffers: HTTP/3 will be slower than it could be", "got", got, "wanted", bufferBytes,
		"remedy",
		"sysctl -w net.core.rmem_max="+strconv.Itoa(bufferBytes)+" net.core.wmem_max="+strconv.Itoa(bufferBytes))
}
