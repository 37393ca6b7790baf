package http3

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// altSvcTime is how long a client may remember that there is HTTP/3.
const altSvcTime = 24 * time.Hour

// AltSvc returns what responses on a connection over TLS say of HTTP/3 (RFC 7838), or
// nothing: by default the port of the connection, if there is HTTP/3 on the UDP port of the
// same number; the port that the configuration says, if there is HTTP/3 anywhere; or the
// text that the configuration says.
func (s *Server) AltSvc(local net.Addr) string {
	said := s.config.AltSvc
	if s.config.NoAltSvc {
		return ""
	}
	if said == "" {
		tcp, ok := local.(*net.TCPAddr)
		if !ok || !s.serves(func(port int) bool { return port == tcp.Port }) {
			return ""
		}
		return altSvc(uint64(tcp.Port))
	}
	port, err := strconv.ParseUint(said, 10, 16)
	switch {
	case err != nil:
		return said
	case s.serves(func(int) bool { return true }):
		return altSvc(port)
	}
	return ""
}

func altSvc(port uint64) string {
	return fmt.Sprintf(`h3=":%d"; ma=%d`, port, int(altSvcTime.Seconds()))
}

// serves reports whether HTTP/3 is served on one of the ports.
func (s *Server) serves(port func(int) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	for _, u := range s.sockets {
		if udp, ok := u.listener.Addr().(*net.UDPAddr); ok && port(udp.Port) {
			return true
		}
	}
	return false
}
