package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server/listen"
)

// openPaths are those that answer everybody who can connect, under any name of the host: what
// probes and Prometheus ask for, and the page, which has no data in it.
var openPaths = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true, "/": true, "/openapi.json": true}

func isOpen(path string) bool { return openPaths[path] || strings.HasPrefix(path, "/assets/") }

// isPrivate reports whether a path is only for those who may change something, since there are
// secrets behind it.
func isPrivate(path string) bool { return path == "/config" || strings.HasPrefix(path, "/config/") }

// peerKey is the context key of the peer of a connection over a Unix socket.
type peerKey struct{}

// peer is the process at the other end of a Unix socket.
type peer struct{ pid int }

// connContext notes who has connected.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if limited, ok := c.(*limitedConn); ok {
		c = limited.Conn
	}
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	var p peer
	if cred, err := listen.PeerCredentials(socket); err == nil {
		p.pid = int(cred.Pid)
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// requestTime is how long a request may take, apart from those that stream.
const requestTime = 30 * time.Second

// guard lets through what a request may do, and refuses the rest.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		controller := http.NewResponseController(w)
		_ = controller.SetWriteDeadline(time.Now().Add(requestTime))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if status, why := s.refusal(r); status != 0 {
			if status == http.StatusUnauthorized {
				header.Set("WWW-Authenticate", `Bearer realm="upload-response"`)
			}
			sendProblem(w, status, why)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// maxBody is the most bytes in the body of a request.
const maxBody = 1 << 20

// refusal returns the status and the reason with which a request is refused, or 0.
func (s *Server) refusal(r *http.Request) (status int, why string) {
	if p, local := r.Context().Value(peerKey{}).(peer); local {
		if s.isWorker(p.pid) {
			return http.StatusForbidden, "this process is a worker of the server, and none of its operators"
		}
		return 0, ""
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	private := isPrivate(r.URL.Path)
	switch {
	case reads && isOpen(r.URL.Path):
		return 0, ""
	case s.tokenHash != nil && s.hasToken(r):
		return 0, ""
	case s.tokenHash != nil:
		return http.StatusUnauthorized, "send the token of --admin-token as Authorization: Bearer TOKEN"
	case !s.isOurName(r.Host):
		return http.StatusMisdirectedRequest, "ask for this address by its number, or as localhost"
	case private:
		return http.StatusForbidden, "the configuration is for the Unix socket, and for a server with --admin-token"
	case !reads:
		return http.StatusForbidden, "the admin listener is read-only over TCP: " +
			"use the Unix socket, or start the server with --admin-token"
	}
	return 0, ""
}

// isWorker reports whether a process is a worker that the server has started, or descends from
// one. A worker of the server's own user could connect to the socket, too.
func (s *Server) isWorker(pid int) bool {
	if s.config.Supervisor == nil || pid == 0 {
		return false
	}
	_, leader := s.config.Supervisor.StartedFor(pid)
	return leader != 0
}

// hasToken reports whether a request carries the token. The time that it takes says nothing of
// how much of the token was right.
func (s *Server) hasToken(r *http.Request) bool {
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hash := sha256.Sum256([]byte(given))
	return found && subtle.ConstantTimeCompare(hash[:], s.tokenHash) == 1
}

// isOurName reports whether the host that a request asks for is ours. A page of another site
// whose name was changed to lead here asks for that name.
func (s *Server) isOurName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	ours, _, _ := net.SplitHostPort(s.config.Address.Where)
	return err == nil || strings.EqualFold(host, "localhost") || host != "" && strings.EqualFold(host, ours)
}
