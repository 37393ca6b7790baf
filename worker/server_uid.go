package worker

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// socketPath returns the given path, or if that is empty the one that the environment and
// the system suggest.
func socketPath(given string) string {
	if given != "" {
		return given
	}
	if path := os.Getenv(attach.SocketVariable); path != "" {
		return path
	}
	return attach.DefaultSocket(os.Getenv)
}

// namedUID returns the user whose servers are trusted besides our own and root's, or
// noUID.
func (o *options) namedUID() (int, error) {
	text := os.Getenv(ServerUIDVariable)
	if o.serverUID != noUID || text == "" {
		return o.serverUID, nil
	}
	uid, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return noUID, fmt.Errorf("%s is %q, want a user id", ServerUIDVariable, text)
	}
	return int(uid), nil
}

// checkServer returns an error if the process at the other end of conn is not trusted. The
// kernel says of which user it is (SO_PEERCRED). The server writes memory that we read, and
// bytes that our handlers take for those of clients.
func checkServer(conn *net.UnixConn, named int) error {
	cred, err := peerCredentials(conn)
	if err != nil {
		return fmt.Errorf("worker: attach: %w", err)
	}
	return checkUID(int(cred.Uid), os.Geteuid(), named, conn.RemoteAddr().String())
}

func checkUID(uid, own, named int, path string) error {
	if uid == own || uid == 0 || uid == named && named != noUID {
		return nil
	}
	return fmt.Errorf("%w: user %d listens at %s, neither ours (%d) nor root: if that is right, "+
		"set %s or WithServerUID",
		ErrServer, uid, path, own, ServerUIDVariable)
}

func peerCredentials(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err2 := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err2 != nil {
		return nil, err2
	}
	return cred, err
}
